#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library against the last accepted dump of its interface: additions are fine, changes are not.
#	check_abi.sh LIBRARY DUMP INCLUDE_FOLDER
# To accept additions: abidw --headers-dir include --no-show-locs --no-corpus-path --no-comp-dir-path LIBRARY > DUMP
set -eu
library=$1 dump=$2 include=$3
command -v abidiff >/dev/null || { echo "skipped: abidiff (package abigail-tools) is not installed"; exit 77; }
[ -e "$dump" ] || { echo "skipped: no dump was accepted yet"; exit 77; }
status=0
abidiff --headers-dir2 "$include" --no-added-syms "$dump" "$library" || status=$?
# 1: error, 2: usage, 8: incompatible.
[ $((status & 11)) -eq 0 ] || { echo "the interface changed in a way that breaks programs (status $status)"; exit 1; }
