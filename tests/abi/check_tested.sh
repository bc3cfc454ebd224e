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
# A macro of a test that makes one function for each noun calls shipopt_<noun>_config_… for all nouns that it is given.
nouns=$(sed -n 's/^CONFIG_TEST(\([a-z]*\),.*/\1/p' "$tests/unit/test_configs.c")
calls=$(sed -n 's/.*shipopt_##noun##_\([a-z_]*\)(.*/\1/p' "$tests/unit/test_configs.c" | sort -u)
for noun in $nouns; do
	for call in $calls; do
		echo "shipopt_${noun}_$call"
	done
done >"$work/made"
find "$tests" \( -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.py' \) -exec cat {} + |
	grep -o 'shipopt_[a-z0-9_]*' | cat - "$work/made" | LC_ALL=C sort -u >"$work/named"
LC_ALL=C comm -23 "$work/exported" "$work/named" >"$work/untested"
if [ -s "$work/untested" ]; then
	echo "exported, but called by no test:"
	cat "$work/untested"
	exit 1
fi
echo "$(wc -l <"$work/exported") exported functions are called by tests"
