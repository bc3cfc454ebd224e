#!/bin/sh
# SPDX-License-Identifier: MIT
#
# How much of lib/purchase/ the tests reach, file by file, and whether that is enough: 95 % of lines and 90 % of branches.
#
#	sh tests/coverage.sh
#
# Counts the suites unit, fault and sim and the integration tests that buy. Seeds drawn at random (sim_adversary) are left out: their
# processes end without writing their counters, and what they reach is no test of it. Failures of ASSERT are no branches. Needs
# gcovr; the build folder is TEST_BUILD (default build-coverage). Exit status 0 if it is enough and no test failed.
set -eu
cd "$(dirname "$0")/.."
build=${TEST_BUILD:-build-coverage}
integration="bulk bulk_control bulk_kinds bulk_place buy_labels creations blame_answers migrated_runs money_program money_wire secrets"

[ -e "$build/build.ninja" ] || meson setup "$build" -Dfaults=true -Dbenchmarks=false -Db_coverage=true
ninja -C "$build"
find "$build" -name '*.gcda' -delete
names=$(meson test -C "$build" --list 2>/dev/null | sed -nE 's/^.*:(unit|fault|sim) \/ (.*)$/\2/p' | grep -v '^sim_adversary$')
status=0
# shellcheck disable=SC2086 # lists of words
meson test -C "$build" --no-rebuild --timeout-multiplier 4 $names $integration || status=1
gcovr --root . "$build" --filter lib/purchase/ --exclude-branches-by-pattern '.*ASSERT\(.*' --print-summary --branches
gcovr --root . "$build" --filter lib/purchase/ --exclude-branches-by-pattern '.*ASSERT\(.*' --fail-under-line 95 --fail-under-branch 90 ||
	status=1
exit $status
