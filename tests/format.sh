#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every C and C++ file is as clang-format 14 writes it (.clang-format). Other versions format differently, so without that one the
# check is skipped (exit status 77).
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
	git ls-files '*.c' '*.h' '*.cc' | xargs "$tool" -i
	exit 0
fi
differing=$(git ls-files '*.c' '*.h' '*.cc' | xargs "$tool" --dry-run -Werror 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error:.*//p' | sort | uniq -c)
[ -n "$differing" ] || exit 0
echo "places that clang-format 14 would change, and the file; mend them with: sh tests/format.sh --fix"
echo "$differing"
exit 1
