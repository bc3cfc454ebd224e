#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every exported function is named in a test: lists those of the map that no file in tests/ calls, and fails if there are any.
#	check_tested.sh MAP TESTS_FOLDER
set -eu
map=$1 tests=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^[ \t]*\(shipopt_[a-z0-9_]*\);.*/\1/p' "$map" | LC_ALL=C sort -u >"$work/exported"
find "$tests" \( -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.py' \) -exec cat {} + |
	grep -o 'shipopt_[a-z0-9_]*' | LC_ALL=C sort -u >"$work/named"
LC_ALL=C comm -23 "$work/exported" "$work/named" >"$work/untested"
if [ -s "$work/untested" ]; then
	echo "exported, but called by no test:"
	cat "$work/untested"
	exit 1
fi
echo "$(wc -l <"$work/exported") exported functions are called by tests"
