#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks the model of the purchase protocol, purchase.pml, with Spin: every state, no bitstate hashing. The protocol must hold,
# each of the wrong ones must be found. Prints what was checked, the numbers of states and what failed.
#
#	sh tests/model/check.sh
#
# Exit status 0: all as it must be, 1: not, 77: spin is not installed. Needs a C compiler (CC), 3 GB of memory and some five
# minutes of one core.
set -u
model=purchase.pml
memory_mb=4000
depth=200000 # of the search; twice what is needed. A search that is cut there is not complete, and fails.

if ! command -v spin >/dev/null 2>&1; then
	echo "skip: spin is not installed"
	exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
cp "$(dirname "$0")/$model" "$folder" && cd "$folder" || exit 1
failures=0

fail() {
	echo "FAILED: $1"
	failures=$((failures + 1))
}

# verify NAME "FLAGS OF THE MODEL" "FLAGS OF THE COMPILER" "FLAGS OF THE SEARCH": its report is in the file `report`.
verify() {
	rm -f pan pan.* ./*.trail report
	# shellcheck disable=SC2086 # lists of words
	if ! spin -a $2 "$model" >report 2>&1 ||
		! ${CC:-cc} -w -O2 -DNOREDUCE -DMEMLIM=$memory_mb $3 -o pan pan.c >>report 2>&1; then
		cat report
		fail "$1: could not be built"
		return 1
	fi
	# shellcheck disable=SC2086
	./pan -m$depth $4 >report 2>&1
	states=$(sed -n 's/^ *\([0-9][0-9.e+]*\) states, stored.*/\1/p' report)
}

report_says() { grep -q "$1" report; }

# The search is complete, has found nothing and reports no statement that it has not reached.
holds() {
	verify "$@" || return
	if report_says "errors: 0" && ! report_says "not completed" && ! report_says "too small" &&
		! grep "state [0-9]*, " report | grep -v -- '"-end-"'; then
		echo "$1: holds; $states states, $(sed -n 's/^ *\([0-9]*\).*total actual memory usage/\1/p' report) MB," \
			"$(sed -n 's/^pan: elapsed time \(.*\) seconds/\1/p' report) s"
		return
	fi
	grep -v '^Depth' report
	# shellcheck disable=SC2086
	[ ! -e "$model.trail" ] || spin -t -p -g -l $2 "$model" | tail -n 300
	fail "$1"
}

# The search finds what the pattern says.
is_found() {
	verify "$1" "$2" "$3" "$4" || return
	if report_says "$5"; then
		echo "$1: found after $states states"
	else
		cat report
		fail "$1: not found"
	fi
}

# Each assertion that these are checked with is about labels.
wrong() { is_found "wrong protocol $1, $2" -DWRONG_"$1" -DSAFETY -w22 "assertion violated"; }

wrong 1 "proof from a second refusal"
wrong 2 "proof from a look-up alone"
wrong 3 "proof from an unlisted refusal with a look-up"
wrong 4 "an expired repeat that passes through failed"
wrong 5 "a flag of the last purchase instead of a count"
wrong 6 "a count forgotten at take-over"
wrong 7 "a 429 believed that came after the work"
wrong 8 "a person right only at the moment of looking"
wrong 9 "shipment ids that are not unique among the rows"
wrong 10 "a commit in doubt that is repeated and counts its proof twice"
is_found "an order that is looked up without end" "-DSETTLE -DENDLESS" -DNOFAIR "-a -w22" "acceptance cycle"
is_found "three purchases proven not done that leave the row in doubt" "-DSETTLE -DSTUCK" -DNOFAIR "-a -w22" "acceptance cycle"
holds "never two labels" -DSTRICT -DSAFETY -w25
holds "every order has an end once faults stop" -DSETTLE -DNOFAIR "-a -w26"

[ "$failures" -eq 0 ] || echo "$failures failed"
[ "$failures" -eq 0 ]
