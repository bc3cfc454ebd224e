# SPDX-License-Identifier: MIT
"""Include edges of lib/ go one way: a folder includes itself and the folders above it in lib/meson.build, and nothing else. A
library from outside is seen by one layer only. A header that ends in _private.h or _steps.h is for its own folder.

The folders of lib/pool are floors, in the order of the map in lib/pool/core/pool.h: a floor includes itself and the floors before it
in the map. The files of lib/pool itself are the highest floor. The map names every file of the folder.

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


def floors(map_header):
    """The floors of lib/pool in their order, each with the files that the map names."""
    found = {}
    for line in map_header.read_text().split("*/")[1].splitlines():
        floor = re.match(r" \*   (\w+)/  ", line)
        if floor or line.startswith(" *   the folder itself"):
            names = found.setdefault(floor[1] if floor else "", [])
        elif line.startswith(" *     "):
            for stem, kinds in re.findall(r"(\w+)\.(\[ch\]|c|h)\b", line) + re.findall(r"(\w+)\.(\[ch\])", line):
                names += [f"{stem}.{kind}" for kind in kinds.strip("[]")]
    return found


def floor_findings(folder):
    found = floors(folder / "core" / "pool.h")
    order = list(found)
    for path in sorted(folder.rglob("*.[ch]")):
        parts = path.relative_to(folder).parts
        floor = parts[0] if len(parts) > 1 else ""
        if floor not in found or path.name not in found[floor]:
            yield f"{path.relative_to(ROOT)}: the map in lib/pool/core/pool.h does not name it"
            continue
        for other in re.findall(r'#include "pool/(?:(\w+)/)?\w+\.h"', path.read_text()):
            if order.index(other) > order.index(floor):
                yield f"{path.relative_to(ROOT)}: {floor} includes a header of {other or 'lib/pool'}, which is a higher floor"
    for floor, names in found.items():
        for name in sorted(set(names)):
            if not (folder / floor / name).exists():
                yield f"lib/pool/core/pool.h: the map names {floor}/{name}, which is not there"


def main():
    order, count = folders(), 0
    for finding in floor_findings(ROOT / "lib" / "pool"):
        print(finding)
        count += 1
    for path in sorted((ROOT / "lib").rglob("*.[ch]*")):
        for finding in findings(path, order):
            print(finding)
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
