#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the library with warnings as errors and with its fault points, and runs all suites of tests.
#
#	sh tests/run.sh
#
# On a bare Debian 12, as root, it installs what it needs. The last line is the totals: "N passed, N failed, N skipped". Exit
# status 0 if none failed. Environment, for other builds: TEST_BUILD (folder, default build-tests), TEST_OPTIONS (options of
# meson setup), TEST_SUITES (default all), TEST_PATIENCE (multiplies time limits), CC, CXX.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

build=${TEST_BUILD:-build-tests}
options=${TEST_OPTIONS:---werror -Dfaults=true}
suites=${TEST_SUITES:-unit fault sim stress integration abi model}
log=$build/meson-logs/testlog.json

require_packages "cc build-essential" "c++ build-essential" "pkg-config pkg-config" "meson meson" "ninja ninja-build" \
	"pc:libcurl libcurl4-openssl-dev" "pc:libpq libpq-dev" "pc:libssl libssl-dev" "pc:simdjson libsimdjson-dev" \
	"pc:libutf8proc libutf8proc-dev" "pc:sqlite3 libsqlite3-dev" "pc:libmicrohttpd libmicrohttpd-dev" "pc:cmocka libcmocka-dev" "python3 python3" \
	"/etc/ssl/certs/ca-certificates.crt ca-certificates" \
	"pg_ctlcluster postgresql" "pgbouncer pgbouncer" "spin spin"

stop() {
	echo "$1" >&2
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

# shellcheck disable=SC2086 # lists of words
[ -e "$build/build.ninja" ] || meson setup "$build" $options || stop "the build could not be set up"
ninja -C "$build" || stop "the build failed"

set --
for suite in $suites; do
	set -- "$@" --suite "$suite"
done
rm -f "$log"
meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier "${TEST_PATIENCE:-1}" "$@" || true
[ -s "$log" ] || stop "no test was run"
python3 tests/totals.py "$log"
