#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Commit subjects have at most 72 characters. Looks at the commits since the last tag; without a tag, since the rule was made.
#	sh tests/subjects.sh
set -eu
cd "$(dirname "$0")/.."
command -v git >/dev/null && git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: not a git checkout"; exit 77; }

tag=$(git describe --tags --abbrev=0 2>/dev/null || true)
if [ -n "$tag" ]; then
	set -- "$tag..HEAD"
else
	set -- --since='2026-11-30 11:00 +0000'
fi
git log --no-merges --format='%h %s' "$@" | LC_ALL=C.UTF-8 awk '
	{ subject = substr($0, index($0, " ") + 1) }
	length(subject) > 72 { print length(subject) " characters: " $0; failed = 1 }
	END { exit failed }'
