#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a user does: installs, asks pkg-config, compiles the example of README.md, runs it.
#	check_install.sh MESON BUILD_FOLDER README [ORDERS]
# With SHIPOPT_SANDBOX (the program) and ORDERS the example also runs, against a sandbox carrier of its own.
set -eu
meson=$1 build=$2 readme=$3 orders=${4:-}
work=$(mktemp -d)
sandbox_pid=
finish() {
	if [ -n "$sandbox_pid" ]; then
		kill "$sandbox_pid" 2>/dev/null || true
		wait "$sandbox_pid" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT

DESTDIR=$work/root "$meson" install -C "$build" --no-rebuild >"$work/install.log" || { cat "$work/install.log"; exit 1; }
pc=$(find "$work/root" -name shipopt.pc)
[ -n "$pc" ] || { echo "shipopt.pc was not installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$work/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
flags=$(pkg-config --cflags --libs shipopt)
echo "shipopt $(pkg-config --modversion shipopt): $flags"

awk '/^```c$/ { on = 1; next } /^```$/ { if (on) exit } on' "$readme" >"$work/example.c"
[ -s "$work/example.c" ] || { echo "README.md has no C example"; exit 1; }
# shellcheck disable=SC2086 # a list of words
${CC:-cc} -std=c11 -Wall -Wextra -pedantic -Werror "$work/example.c" $flags -o "$work/example"
LD_LIBRARY_PATH=$(dirname "$(find "$work/root" -name 'libshipopt.so')")
export LD_LIBRARY_PATH

if [ -z "${SHIPOPT_SANDBOX:-}" ] || [ -z "$orders" ]; then
	echo "skipped: the example was compiled but not run, as there is no sandbox carrier (libmicrohttpd)"
	exit 0
fi
mkfifo "$work/fifo"
"$SHIPOPT_SANDBOX" >"$work/fifo" &
sandbox_pid=$!
read -r line <"$work/fifo"
SHIPOPT_CARRIER_BASE_URL=${line##* }/v2 SHIPOPT_CARRIER_API_KEY=EZTKreadme
export SHIPOPT_CARRIER_BASE_URL SHIPOPT_CARRIER_API_KEY
cd "$work"

says() { # PATTERN: the example fails, and says why
	if ./example >said.txt 2>&1; then
		echo "the example did not fail"
		exit 1
	fi
	grep -q "$1" said.txt || { cat said.txt; echo "the example does not say: $1"; exit 1; }
}
SHIPOPT_CARRIER_API_KEY='' says 'SHIPOPT_CARRIER_API_KEY'
says 'orders.csv'
head -n 11 "$orders" >orders.csv
./example >first.txt || { cat first.txt; echo "the example failed"; exit 1; }
[ "$(wc -l <first.txt)" -eq 10 ] || { cat first.txt; echo "the example did not print ten orders"; exit 1; }
[ "$(wc -l <labels.csv)" -eq 11 ] || { cat labels.csv; echo "the example did not write ten results"; exit 1; }
./example >second.txt || { cat second.txt; echo "the second run failed"; exit 1; }
sort first.txt >first.sorted
sort second.txt | cmp -s - first.sorted || { cat second.txt; echo "the second run has other labels"; exit 1; }
cat first.txt
