#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each header that this build installs compiles alone as C99, C11, C17, C++11 and C++17, pedantically, with each compiler that is
# there. The umbrella header includes exactly these.
#	check_headers.sh SOURCE_INCLUDE_FOLDER BUILD_INCLUDE_FOLDER HEADER...
set -eu
source=$1 build=$2
shift 2
status=0 count=0
included=$(mktemp)
trap 'rm -f "$included"' EXIT
flags="-pedantic -Wall -Wextra -Wundef -Werror -fsyntax-only -I$source -I$build"

compile() { # COMPILER LANGUAGE STANDARD HEADER
	count=$((count + 1))
	# shellcheck disable=SC2086 # a list of words
	if ! printf '#include <shipopt/%s>\nint main(void) { return 0; }\n' "$4" | "$1" -std="$3" $flags -x "$2" -; then
		echo "$4 does not compile with $1 -std=$3"
		status=1
	fi
}

# shellcheck disable=SC2086 # CC may be two words
printf '#include <shipopt/shipopt.h>\n' | ${CC:-cc} -E -I"$source" -I"$build" -x c - |
	sed -n 's/^# [0-9]* ".*\/\(shipopt\/[a-z_]*\.h\)".*/\1/p' | sort -u >"$included"

for path; do
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
	# A header that the umbrella lacks is a header that nobody finds.
	grep -qx "shipopt/$header" "$included" || { echo "shipopt.h does not include $header"; status=1; }
done
for compiler in gcc clang g++ clang++; do
	command -v "$compiler" >/dev/null || echo "skipped: $compiler is not installed"
done
[ "$(wc -l <"$included")" -eq $# ] || { echo "shipopt.h includes headers that are not installed:"; cat "$included"; status=1; }
[ "$count" -gt 0 ] || { echo "no compiler was found"; exit 1; }
echo "$count compilations"
exit $status
