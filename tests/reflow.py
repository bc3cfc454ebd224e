# SPDX-License-Identifier: MIT
"""Comments fit into 120 columns, which clang-format does not see to.

	reflow.py FILE...            moves the words behind column 120 to the next line of their comment
	reflow.py --check FILE...    names the lines that are longer, and fails if there are any

Words go to the following line if it continues the same paragraph or table entry, otherwise to a new line. Lines of code within a
comment (a tab after the star) stay as they are.
"""
import re
import sys

COLUMNS = 120
TABLE_ENTRY = re.compile(r"^(\s*(?:/\*|\*) +(?:\S+(?:[ ,]\S+)*?) {2,})\S")
TEXT = re.compile(r"^(\s*(?:/\*|\*) *)(.*)$")


def is_long(line):
    return len(line.expandtabs(8)) > COLUMNS and not re.match(r"\s*\*\t", line)


def comment_lines(lines):
    """Numbers of the lines that begin in a comment or with one. The list may grow on the way."""
    number, is_inside = 0, False
    while number < len(lines):
        line = lines[number]
        begins = line.lstrip().startswith("/*")
        if is_inside or begins:
            yield number
            line = lines[number]
        is_inside = "*/" not in line if is_inside or begins else False
        number += 1


def continuation(line):
    """What a line that continues this one begins with."""
    entry = TABLE_ENTRY.match(line)
    begin = (entry or TEXT.match(line))[1].replace("/*", " *", 1)
    if entry:
        star = begin.index("*")
        return begin[: star + 1] + " " * (len(begin) - star - 1)
    item = re.match(r"^(\s*\* +)- ", line)
    return item[1] + "  " if item else begin


def continues(line, begin):
    text = TEXT.match(line)
    return bool(text and text[1] == begin and re.match(r"[^\s/-]|-\S", text[2]) and not TABLE_ENTRY.match(line))


def cut_of(line, begin):
    """Where to cut: the last blank that leaves at most COLUMNS in front; None if there is none behind `begin`."""
    for place in range(len(line) - 1, len(begin), -1):
        if line[place] == " " and len(line[:place].expandtabs(8)) <= COLUMNS and line[place + 1 :].strip() != "*/":
            return place
    return None


def reflow(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number in comment_lines(lines):
        line = lines[number]
        begin = continuation(line) if is_long(line) and TEXT.match(line) else None
        cut = cut_of(line, begin) if begin else None
        if cut is None:
            continue
        lines[number], rest = line[:cut].rstrip(), line[cut + 1 :].strip()
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not rest.endswith("*/") and continues(following, begin):
            lines[number + 1] = f"{begin}{rest} {TEXT.match(following)[2]}"
        else:
            lines.insert(number + 1, begin + rest)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main(arguments):
    if arguments[:1] != ["--check"]:
        for path in arguments:
            reflow(path)
        return 0
    failed = 0
    for path in arguments[1:]:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        for number in comment_lines(lines):
            if is_long(lines[number]):
                print(f"{path}:{number + 1}: a comment line of more than {COLUMNS} columns")
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
