#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The binary interface is the accepted one. abidiff compares a dump with a library made from the public headers alone: each declared
# function with an empty body. So types that the headers do not define are opaque, and only the interface counts. (check_symbols.sh
# compares the real library's symbols with the headers.) Whatever abidiff sees, additions too, needs a line in CHANGELOG.md and a new
# dump. The dump is for gcc on x86_64; elsewhere, and without abigail-tools, the check is skipped (exit status 77).
#	check_abi.sh ACCEPTED INCLUDE_FOLDER...            fails if the interfaces differ
#	check_abi.sh --accept ACCEPTED INCLUDE_FOLDER...   writes the dump (gzip)
set -eu
accept=
if [ "$1" = --accept ]; then
	accept=1
	shift
fi
accepted=$1
shift
for tool in abidw abidiff gcc; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ "$(uname -m)" = x86_64 ] || { echo "skipped: the accepted dump is for x86_64"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folders=
for folder; do
	folders="$folders -I$folder"
done

# One statement a line; a declaration of the interface becomes a definition.
# shellcheck disable=SC2086 # a list of words
echo '#include <shipopt/shipopt.h>' | gcc -E -P -x c $folders - | tr '\n' ' ' | sed 's/;/;\n/g' |
	sed '/visibility("default")/ s/;$/ { __builtin_trap(); }/' >"$work/interface.c"
gcc -g -w -shared -fPIC -Wl,-soname,libshipopt.so.0 -o "$work/libshipopt.so.0" "$work/interface.c"
abidw --no-corpus-path --no-comp-dir-path --no-elf-needed --no-show-locs --out-file "$work/now.abi" "$work/libshipopt.so.0"
if [ -n "$accept" ]; then
	gzip -9 -n -c "$work/now.abi" >"$accepted"
	exit 0
fi
gzip -d -c "$accepted" >"$work/accepted.abi"
abidiff --no-show-locs "$work/accepted.abi" "$work/now.abi" && exit 0
cat <<END
The binary interface has changed. Until 1.0 it may, but each change is named: write a line in CHANGELOG.md, then
	sh tests/abi/check_abi.sh --accept tests/abi/x86_64.abi.gz include BUILD/include
END
exit 1
