#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every C and C++ file is as clang-format 14 writes it (.clang-format), and comments fit into 120 columns (tests/reflow.py). Other
# versions format differently, so without that one the check is skipped (exit status 77).
#	sh tests/format.sh          fails and names the files that differ
#	sh tests/format.sh --fix    rewrites them
set -eu
cd "$(dirname "$0")/.."

for tool in clang-format-14 clang-format; do
	case $($tool --version 2>/dev/null || true) in
	*"version 14."*) break ;;
	esac
	tool=
done
[ -n "$tool" ] || { echo "skipped: clang-format 14 is not installed"; exit 77; }
command -v git >/dev/null && git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: not a git checkout"; exit 77; }

if [ "${1:-}" = --fix ]; then
	git ls-files '*.c' '*.h' '*.cc' | xargs python3 tests/reflow.py
	git ls-files '*.c' '*.h' '*.cc' | xargs "$tool" -i
	exit 0
fi
differing=$(git ls-files '*.c' '*.h' '*.cc' | xargs "$tool" --dry-run -Werror 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error:.*//p' | sort | uniq -c)
long=$(git ls-files '*.c' '*.h' '*.cc' | xargs python3 tests/reflow.py --check || true)
[ -n "$differing$long" ] || exit 0
[ -z "$differing" ] || printf 'places that clang-format 14 would change, and the file:\n%s\n' "$differing"
[ -z "$long" ] || echo "$long"
echo "mend them with: sh tests/format.sh --fix"
exit 1
