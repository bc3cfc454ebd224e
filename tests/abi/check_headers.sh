#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each public header, alone, compiles as C99, C11, C17, C++11 and C++17, pedantically, with each compiler that is there. All must be
# installed, and the umbrella must include all.
#	check_headers.sh SOURCE_INCLUDE_FOLDER BUILD_INCLUDE_FOLDER
set -eu
source=$1 build=$2
status=0 count=0
flags="-pedantic -Wall -Wextra -Wundef -Werror -fsyntax-only -I$source -I$build"

compile() { # COMPILER LANGUAGE STANDARD HEADER
	count=$((count + 1))
	# shellcheck disable=SC2086 # a list of words
	if ! printf '#include <shipopt/%s>\nint main(void) { return 0; }\n' "$4" | "$1" -std="$3" $flags -x "$2" -; then
		echo "$4 does not compile with $1 -std=$3"
		status=1
	fi
}

for path in "$source"/shipopt/*.h "$build"/shipopt/*.h; do
	header=${path##*/}
	for compiler in gcc clang; do
		command -v "$compiler" >/dev/null || continue
		for standard in c99 c11 c17; do
			compile "$compiler" c "$standard" "$header"
		done
	done
	for compiler in g++ clang++; do
		command -v "$compiler" >/dev/null || continue
		for standard in c++11 c++17; do
			compile "$compiler" c++ "$standard" "$header"
		done
	done
	case $header in
	shipopt.h) continue ;;
	esac
	# A header that a program misses in the umbrella is a header that nobody finds.
	# shellcheck disable=SC2086 # CC may be two words
	printf '#include <shipopt/shipopt.h>\n' | ${CC:-cc} -E -I"$source" -I"$build" -x c - | grep -q "shipopt/$header" ||
		{ echo "shipopt.h does not bring $header"; status=1; }
done
for compiler in gcc clang g++ clang++; do
	command -v "$compiler" >/dev/null || echo "skipped: $compiler is not installed"
done
[ "$count" -gt 0 ] || { echo "no compiler was found"; exit 1; }
echo "$count compilations"
exit $status
