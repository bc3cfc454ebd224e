# SPDX-License-Identifier: MIT
"""Include edges of lib/ go one way: a folder includes itself and the folders above it in lib/meson.build, and nothing else. A
library from outside is seen by one layer only. A header that ends in _private.h or _steps.h is for its own folder.

	python3 tests/layers.py [SOURCE_ROOT]
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../..").resolve()
OUTSIDE = {"curl/": "http", "sqlite3.h": "store", "libpq-fe.h": "pool", "simdjson": "json", "utf8proc.h": "base"}


def folders():
    return re.findall(r"subdir\('(\w+)'\)", (ROOT / "lib" / "meson.build").read_text())


def findings(path, order):
    layer = path.relative_to(ROOT / "lib").parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'#include ([<"])([^>"]+)', line)
        if not match:
            continue
        included, place = match[2], f"{path.relative_to(ROOT)}:{number}"
        if match[1] == "<":
            for prefix, owner in OUTSIDE.items():
                if included.startswith(prefix) and layer != owner:
                    yield f"{place}: {included} is for lib/{owner} alone"
            continue
        other = included.split("/")[0]
        if other not in order:
            yield f"{place}: \"{included}\" does not name a folder of lib/"
        elif order.index(other) > order.index(layer):
            yield f"{place}: {layer} includes {included}, which is below it in lib/meson.build"
        elif other != layer and re.search(r"_(private|steps)\.h$", included):
            yield f"{place}: {included} is for lib/{other} alone"


def main():
    order, count = folders(), 0
    for path in sorted((ROOT / "lib").rglob("*.[ch]*")):
        for finding in findings(path, order):
            print(finding)
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
