#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What takes longer than a change may wait, for a nightly run: a million simulated purchases with an adversary, a thousand killed
# programs, the planted bugs, and the coverage of lib/purchase/.
#
#	sh tests/long.sh
#
# Needs what tests/run.sh installs, and gcovr. The build folder is TEST_BUILD (default build-long). Exit status 0 if all is well.
set -eu
cd "$(dirname "$0")/.."
build=${TEST_BUILD:-build-long}
status=0

[ -e "$build/build.ninja" ] || meson setup "$build" --werror -Dfaults=true -Dbenchmarks=false
ninja -C "$build"
SHIPOPT_LONG=1 meson test -C "$build" --no-rebuild --verbose --timeout-multiplier 10 sim_adversary bulk_killed bulk_faults || status=1
sh tests/planted/run.sh || status=1
sh tests/coverage.sh || status=1
exit $status
