# SPDX-License-Identifier: MIT
"""Prints what was skipped and why, what failed, and the totals of a Meson test log (testlog.json, one object a line)."""
import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def reasons(test):
    lines = (test.get("stdout") or "").splitlines() + (test.get("stderr") or "").splitlines()
    return [line.strip() for line in lines if line.strip().lower().startswith("skip")]


def main(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            test = json.loads(line)
            name, result = test["name"], test["result"]
            if result == "SKIP":
                skipped += 1
            elif result in PASSED:
                passed += 1
            else:
                failed += 1
                print(f"{result}: {name}")
            for reason in reasons(test):
                print(f"{name}: {reason}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed + skipped == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
