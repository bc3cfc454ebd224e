#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Exported symbols of the shared library = lib/shipopt.map = declarations marked SHIPOPT_API in the public headers.
#	check_symbols.sh LIBRARY MAP INCLUDE_FOLDER...        (CC: the compiler that reads the headers)
# MAP "-": the library lacks parts, so it is compared with the headers of this build alone.
set -eu
library=$1 map=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '$2 ~ /^[TDBRVW]$/ { sub(/@.*/, "", $3); print $3 }' | sort >"$work/library"

if [ "$map" = - ]; then
	cp "$work/library" "$work/map"
	LC_ALL=C sort "$work/library" | tee "$work/map.by_name" >"$work/map.in_order"
else
	awk '/global:/ { on = 1; next } /local:/ { on = 0 } on && /;/ { gsub(/[ \t;]/, ""); print }' "$map" >"$work/map.in_order"
	LC_ALL=C sort "$work/map.in_order" >"$work/map.by_name"
	sort "$work/map.in_order" >"$work/map"
fi

folders=
for folder; do
	folders="$folders -I$folder"
done
# The compiler takes comments and line breaks out of the way; each declaration becomes one line.
# shellcheck disable=SC2086 # lists of words
echo '#include <shipopt/shipopt.h>' | ${CC:-cc} -E -P -x c $folders - | tr '\n' ' ' | tr ';{}' '\n\n\n' |
	sed -n 's/.*visibility("default"))) *//p' | sed -n 's/^[^(]*[ *]\(shipopt_[a-z0-9_]*\) *(.*/\1/p' | sort >"$work/headers"

status=0
compare() { # NAME FILE NAME FILE
	comm -23 "$2" "$4" | sed "s/^/only in $1, not in $3: /" >"$work/difference"
	comm -13 "$2" "$4" | sed "s/^/only in $3, not in $1: /" >>"$work/difference"
	if [ -s "$work/difference" ]; then
		cat "$work/difference"
		status=1
	fi
}
compare "the library" "$work/library" "the map" "$work/map"
compare "the map" "$work/map" "the headers" "$work/headers"
[ -z "$(uniq -d "$work/map")" ] || { echo "twice in the map: $(uniq -d "$work/map")"; status=1; }
cmp -s "$work/map.in_order" "$work/map.by_name" || { echo "the map is not in alphabetical order"; status=1; }
echo "$(wc -l <"$work/library") exported symbols"
exit $status
