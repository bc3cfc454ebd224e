#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a program was compiled against stays: each declaration and each number of the accepted list is still in the headers, unchanged.
# All types but shipopt_event are opaque, so declarations and numbers are the whole binary interface.
#	check_interface.sh ACCEPTED INCLUDE_FOLDER...            fails for what is gone or changed; additions are fine
#	check_interface.sh --accept ACCEPTED INCLUDE_FOLDER...   writes the list anew
set -eu
accept=
if [ "$1" = --accept ]; then
	accept=1
	shift
fi
accepted=$1
shift
folders=
for folder; do
	folders="$folders -I$folder"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Comments and line breaks gone; each statement a line; of an enumeration and of a struct, each member.
# shellcheck disable=SC2086 # a list of words
echo '#include <shipopt/shipopt.h>' | ${CC:-cc} -E -x c $folders - |
	awk '/^# [0-9]+ "/ { ours = /\/shipopt\/[a-z_]+\.h"/; next } ours' | tr '\n\t' '  ' |
	sed 's/__attribute__((visibility("default")))/SHIPOPT_API/g; s/  */ /g; s/{/{\n/g; s/;/;\n/g; s/}/\n}/g' |
	awk '
		/enum \{ *$/ { in_enum = 1; next }
		/^}/ { in_enum = 0 }
		in_enum { count = split($0, part, ","); for (i = 1; i <= count; i++) if (part[i] ~ /=/) print "number " part[i]; next }
		/[a-z]/ { print }' |
	sed 's/^ *//; s/ *$//; s/number  */number /' | LC_ALL=C sort -u >"$work/now"
[ -s "$work/now" ] || { echo "the headers declare nothing"; exit 1; }

if [ -n "$accept" ]; then
	cp "$work/now" "$accepted"
	echo "$(wc -l <"$accepted") declarations and numbers accepted"
	exit 0
fi
LC_ALL=C comm -23 "$accepted" "$work/now" >"$work/gone"
LC_ALL=C comm -13 "$accepted" "$work/now" >"$work/new"
echo "$(wc -l <"$accepted") accepted, $(wc -l <"$work/new") new"
if [ -s "$work/gone" ]; then
	echo "gone or changed; programs that were compiled before would break:"
	cat "$work/gone"
	echo "now there is:"
	cat "$work/new"
	echo "If no version with the old form was ever handed out: check_interface.sh --accept (see CONTRIBUTING.md)"
	exit 1
fi
