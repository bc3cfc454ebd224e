#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each small example against a sandbox carrier: it ends well and says what its head comment says.
#	test_examples.sh SANDBOX ORDERS PROGRAM...
set -eu
sandbox=$(realpath "$1") orders=$2
shift 2
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

mkfifo "$work/fifo"
"$sandbox" >"$work/fifo" &
sandbox_pid=$!
read -r line <"$work/fifo"
SHIPOPT_CARRIER_BASE_URL=${line##* }/v2 SHIPOPT_CARRIER_API_KEY=EZTKexamples
export SHIPOPT_CARRIER_BASE_URL SHIPOPT_CARRIER_API_KEY

expect() { # PATTERN COMMAND...
	pattern=$1
	shift
	echo "$*"
	"$@" >"$work/output" 2>&1 </dev/null || { cat "$work/output"; echo "it failed"; exit 1; }
	grep -Eq "$pattern" "$work/output" || { cat "$work/output"; echo "it does not say: $pattern"; exit 1; }
}

for program; do
	program=$(realpath "$program")
	case $program in
	*/rate_quote) expect '^USPS +GroundAdvantage +[0-9]+\.[0-9][0-9] USD' "$program" ;;
	*/safe_purchase)
		expect '^bought: 94' "$program" "sqlite:$work/ship.db" order-1
		expect '^bought before: 94' "$program" "sqlite:$work/ship.db" order-1 ;;
	*/track_codes) expect '^EZ4000000004 +delivered +[0-9]+ events' "$program" EZ1000000001 EZ4000000004 ;;
	*/host_loop) expect '^EZ4000000004: delivered' "$program" EZ1000000001 EZ4000000004 ;;
	*/custom_operation)
		expect '^303 orders, 2 failed, heaviest 193.00 oz' "$program" "$orders" "$work/weights.jsonl"
		[ "$(grep -c '"value":' "$work/weights.jsonl")" -eq 301 ] ;;
	*/concurrency_probe) expect '^ +64 +100 .* 0 +0$' "$program" ;;
	*) echo "unknown example $program"; exit 1 ;;
	esac
done
