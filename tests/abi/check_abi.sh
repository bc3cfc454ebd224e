#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The binary interface is the accepted one: abidiff compares the library with a dump. Whatever it sees, additions too, needs a line
# in CHANGELOG.md and a new dump. The dump is of gcc for x86_64; elsewhere, and without abigail-tools, the check is skipped (exit
# status 77).
#	check_abi.sh ACCEPTED LIBRARY INCLUDE_FOLDER...            fails if the interfaces differ
#	check_abi.sh --accept ACCEPTED LIBRARY INCLUDE_FOLDER...   writes the dump (gzip)
set -eu
accept=
if [ "$1" = --accept ]; then
	accept=1
	shift
fi
accepted=$1 library=$2
shift 2
command -v abidiff >/dev/null || { echo "skipped: abidiff (abigail-tools) is not installed"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: the accepted dump is for x86_64"; exit 77; }
readelf -S "$library" | grep -q '\.debug_info' || { echo "skipped: the library has no debug information"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folders=
for folder; do
	folders="$folders --headers-dir $folder"
done

# shellcheck disable=SC2086 # a list of words
abidw --no-corpus-path --no-comp-dir-path --no-elf-needed --no-show-locs --drop-private-types --exported-interfaces-only \
	$folders --out-file "$work/now.abi" "$library"
if [ -n "$accept" ]; then
	gzip -9 -n -c "$work/now.abi" >"$accepted"
	exit 0
fi
gzip -d -c "$accepted" >"$work/accepted.abi"
abidiff --no-show-locs "$work/accepted.abi" "$work/now.abi" && exit 0
cat <<END
The binary interface has changed. Until 1.0 it may, but each change is named: write a line in CHANGELOG.md, then
	sh tests/abi/check_abi.sh --accept tests/abi/x86_64.abi.gz $library include BUILD/include
END
exit 1
