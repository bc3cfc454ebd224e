#!/bin/sh
# SPDX-License-Identifier: MIT
#
# clang-tidy finds nothing in the library and the examples (.clang-tidy). Skipped (exit status 77) without clang-tidy 14, as other
# versions have other checks.
#	sh tests/tidy.sh BUILD_FOLDER
set -eu
cd "$(dirname "$0")/.."
build=$1

for tool in clang-tidy-14 clang-tidy; do
	case $($tool --version 2>/dev/null || true) in
	*"version 14."*) break ;;
	esac
	tool=
done
[ -n "$tool" ] || { echo "skipped: clang-tidy 14 is not installed"; exit 77; }
[ -e "$build/compile_commands.json" ] || { echo "$build has no compile_commands.json"; exit 1; }

# A compiler cache in front of the compiler would be taken for the compiler.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's/"command": "ccache /"command": "/' "$build/compile_commands.json" >"$work/compile_commands.json"

# Only files of this build: a build without a part has no command for its files.
python3 - "$work/compile_commands.json" >"$work/files" <<'END'
import json, os, sys
for entry in json.load(open(sys.argv[1])):
    path = os.path.relpath(os.path.join(entry["directory"], entry["file"]))
    if path.startswith(("lib/", "examples/")):
        print(path)
END
sort -u "$work/files" | xargs -P "$(nproc)" -n 12 "$tool" -p "$work" --quiet >"$work/found" 2>"$work/errors" || true
if grep -E '(warning|error):' "$work/found" >"$work/lines"; then
	sort -u "$work/lines"
	exit 1
fi
grep -E '^[Ee]rror' "$work/errors" && exit 1
echo "$(sort -u "$work/files" | wc -l) files are clean"
