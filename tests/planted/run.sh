#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Plants the one-line bugs of bugs.txt one at a time and runs the test that must find each.
#
#	sh tests/planted/run.sh [NAME…]
#
# Works on a copy of the files that git knows, in the folder PLANTED_BUILD (default build-planted), and builds only the program of
# the test. A bug is caught if that test fails, crashes or outlasts PLANTED_PATIENCE seconds (default 60). A bug that survives,
# that does not compile, or whose line is not there any more, is a failure; so is a test that fails without a bug. The last line
# is "N passed, N failed, N skipped"; exit status 0 if none failed.
set -eu
cd "$(dirname "$0")/../.."
list=tests/planted/bugs.txt
folder=${PLANTED_BUILD:-build-planted}
patience=${PLANTED_PATIENCE:-60}
options=${PLANTED_OPTIONS:--Dfaults=true -Dbenchmarks=false}
tree=$folder/tree
build=$folder/build
log=$folder/log.txt
passed=0
failed=0

# What differs is copied anew, so that it is also newer than what was built of it: an earlier run may have ended in the middle.
mkdir -p "$tree"
git ls-files | while read -r file; do
	if [ -f "$file" ] && ! cmp -s "$file" "$tree/$file"; then
		mkdir -p "$tree/$(dirname "$file")"
		cp "$file" "$tree/$file"
	fi
done
# shellcheck disable=SC2086 # a list of words
[ -e "$build/build.ninja" ] || meson setup "$build" "$tree" $options >"$log" 2>&1 || {
	cat "$log"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

fail() {
	echo "FAILED    $1: $2"
	failed=$((failed + 1))
}

# Runs one test of a program. Status 0: it passed; 1: it failed, crashed or hung; 2: the program failed without it.
run_test() {
	status=0
	FILTER=$2 timeout "$patience" "$build/$1" >"$log" 2>&1 || status=$?
	[ "$status" -ne 0 ] || return 0
	! grep -q "^\[  FAILED  \] $2$" "$log" || return 1
	# Killed or ended in the middle: by the test that ran last.
	! grep "^\[ RUN      \]" "$log" | tail -n 1 | grep -q " $2$" || return 1
	return 2
}

# Puts the line into the tree; says why it cannot.
plant() {
	sed "$2" "$1" >"$tree/$1"
	lines=$(diff "$1" "$tree/$1" | grep -c '^[<>]') || true
	case $lines in
	1 | 2) return 0 ;;
	0) fail "$name" "the line is not in $1 any more" ;;
	*) fail "$name" "changes more than one line of $1" ;;
	esac
	return 1
}

try() {
	name=$1 file=$2 change=$3 program=$4 test=$5
	if plant "$file" "$change"; then
		if ! ninja -C "$build" "$program" >"$log" 2>&1; then
			fail "$name" "does not compile"
		elif run_test "$program" "$test"; then
			fail "$name" "survives $program, $test"
		else
			echo "caught    $name"
			passed=$((passed + 1))
		fi
	fi
	# As it was, and newer than what was built of the bug.
	cp "$file" "$tree/$file"
}

# The bugs that are wanted, one a line: name, file, change, program, test, separated by tabs.
wanted=$folder/wanted.txt
awk -v names=" $* " 'BEGIN { RS = ""; FS = "\n\t*"; OFS = "\t" }
	!/^#/ && (names == "  " || index(names, " " $1 " ")) { print $1, $2, $3, $4, $5 }' "$list" >"$wanted"
[ -s "$wanted" ] || {
	echo "no such bug in $list"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

# shellcheck disable=SC2046 # a list of words
ninja -C "$build" $(cut -f 4 "$wanted" | sort -u) >"$log" 2>&1 || {
	cat "$log"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
tab=$(printf '\t')
cut -f 4,5 "$wanted" | sort -u >"$folder/tests.txt"
while IFS=$tab read -r program test; do
	run_test "$program" "$test" && grep -q "^\[       OK \] $test$" "$log" || fail "$program" "$test does not pass without a bug"
done <"$folder/tests.txt"
while IFS=$tab read -r name file change program test; do
	try "$name" "$file" "$change" "$program" "$test"
done <"$wanted"

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
