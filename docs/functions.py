# SPDX-License-Identifier: MIT
"""The reference of functions, from the public headers.

	functions.py HEADER...            prints the page in Markdown
	functions.py --check HEADER...    prints nothing, and fails for a function without a comment or without "since"

A declaration belongs to the comment in front of it, up to the next empty line: families of alike functions share one comment. A
comment behind a declaration, on its line, counts too. "Since 0.1" stands in the comment, or in an earlier
one that has no function, such as the head of the header.
"""
import pathlib
import re
import sys


class Block:
    """Lines without an empty line between them: comments and declarations."""

    def __init__(self, line):
        self.line, self.comments, self.code = line, [], []

    def functions(self):
        text = re.sub(r"/\*.*?\*/", "", " ".join(self.code), flags=re.S)
        return re.findall(r"SHIPOPT_API[^;(]*?\b(shipopt_\w+)\s*\(", text)


def clean(comment):
    lines = comment[2:-2].splitlines()
    stripped = [re.sub(r"^\s*\*? ?", "", line, count=1).rstrip() if i else line.strip() for i, line in enumerate(lines)]
    return "\n".join(stripped).strip()


def blocks(text):
    """Cuts a header into blocks; a comment is whole even if it has empty lines."""
    block, line = Block(1), 1
    for piece in re.split(r"(/\*.*?\*/)", text, flags=re.S):
        if piece.startswith("/*"):
            block.comments.append(clean(piece))
            block.code.append(piece)
        else:
            parts = re.split(r"\n[ \t]*\n", piece)
            block.code.append(parts[0])
            begin = line + parts[0].count("\n")
            for part in parts[1:]:
                yield block
                begin += 2
                block = Block(begin)
                block.code.append(part)
                begin += part.count("\n")
        line += piece.count("\n")
    yield block


def since(comments):
    return any(re.search(r"\b[Ss]ince\s+0\.\d", comment) for comment in comments)


def check(path):
    found, head_since = [], False
    for block in blocks(path.read_text()):
        head_since = head_since or (not block.functions() and since(block.comments))
        for name in block.functions():
            if not block.comments:
                found.append(f"{path.name}:{block.line}: {name} has no comment")
            elif not head_since and not since(block.comments):
                found.append(f"{path.name}:{block.line}: {name} does not say since which version it is there")
    return found


def page(paths):
    print("# Functions\n\nGenerated from the public headers, which are the same text.")
    for path in paths:
        shown = []
        for block in blocks(path.read_text()):
            code = re.sub(r"SHIPOPT_(API |BEGIN_DECLS|END_DECLS)", "", "".join(block.code)).strip()
            code = re.sub(r"^(#(?!define ).*|#define \w+_H|/\* SPDX.*)$", "", code, flags=re.M).strip()
            if block.comments and code and "SPDX" not in block.comments[0]:
                shown.append(f"```c\n{code}\n```")
        if shown:
            print(f"\n## <shipopt/{path.name}>\n\n" + "\n\n".join(shown))


def main(arguments):
    checks = arguments[:1] == ["--check"]
    paths = [pathlib.Path(argument) for argument in arguments[checks:]]
    if not checks:
        page(paths)
        return 0
    found = [finding for path in paths for finding in check(path)]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
