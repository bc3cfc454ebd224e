#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The main job with no account and no server to set up: builds the library, starts the sandbox carrier on this machine and buys
# labels for examples/orders.csv. No money is spent. Run it again: the same orders, 0 bought.
#
#	sh examples/quickstart.sh
#
# On a bare Debian 12, as root, it installs what it needs. Builds in build-quickstart/; ledger, results and logs are kept in
# quickstart-state/ (or $SHIPOPT_QUICKSTART_DIR). Options are handed on to buy_labels, such as --max-in-flight 64.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

build=build-quickstart
state=${SHIPOPT_QUICKSTART_DIR:-quickstart-state}
sandbox_pid=

finish() {
	if [ -n "$sandbox_pid" ]; then
		kill "$sandbox_pid" 2>/dev/null || true
		wait "$sandbox_pid" 2>/dev/null || true
	fi
	rm -f "$state/sandbox.fifo"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

require_packages "cc build-essential" "c++ build-essential" "pkg-config pkg-config" "meson meson" "ninja ninja-build" \
	"pc:libcurl libcurl4-openssl-dev" "pc:libssl libssl-dev" "pc:simdjson libsimdjson-dev" \
	"pc:libutf8proc libutf8proc-dev" "pc:sqlite3 libsqlite3-dev" "pc:libmicrohttpd libmicrohttpd-dev" \
	"/etc/ssl/certs/ca-certificates.crt ca-certificates"

mkdir -p "$state"
echo "building in $build (log: $state/build.log)"
if ! {
	{ [ -e "$build/build.ninja" ] || meson setup "$build" --buildtype=release -Dpostgres=disabled -Dtests=disabled \
		-Dbenchmarks=false; } && ninja -C "$build"
} >"$state/build.log" 2>&1; then
	tail -n 30 "$state/build.log" >&2
	exit 1
fi

# What was bought was bought at a base URL, which must stay the same: the next time the sandbox takes the same port again.
port=0
[ ! -s "$state/port" ] || read -r port <"$state/port"

# The sandbox says where it listens on its first line: a pipe waits for it, and tells an early death by an end of file.
rm -f "$state/sandbox.fifo"
mkfifo "$state/sandbox.fifo"
"$build/examples/sandbox/shipopt-sandbox" --port "$port" --latency-ms 40-120 >"$state/sandbox.fifo" 2>"$state/sandbox.log" &
sandbox_pid=$!
read -r line <"$state/sandbox.fifo" || { cat "$state/sandbox.log" >&2; exit 1; }
url=${line##* }
echo "${url##*:}" >"$state/port"
echo "sandbox carrier: $url"

SHIPOPT_CARRIER_API_KEY=EZTKquickstart "$build/examples/buy_labels" --orders examples/orders.csv \
	--store "sqlite:$state/ship.db" --out "$state/labels.csv" --carrier-url "$url/v2" "$@"
