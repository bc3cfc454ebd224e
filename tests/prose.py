# SPDX-License-Identifier: MIT
"""Reports prose that is hard to read: sentences of more than 30 words, and words that CONTRIBUTING.md rules out. Never fails.

	python3 tests/prose.py [FILE...]       without files: the public headers, README.md, CONTRIBUTING.md, CHANGELOG.md and docs/
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORDS_MAX = 30
IDIOMS = ["told", "tells", "behind", "stands", "whoever", "anew", "but for", "meanwhile", "without end", "of its own", "of his own",
    "begun", "come along", "on and on", "at work", "brings", "gives up", "give up", "no longer there", "goes by"]
IDIOM = re.compile(r"\b(" + "|".join(IDIOMS) + r")\b", re.IGNORECASE)


def comment_paragraphs(text):
    for match in re.finditer(r"/\*(.*?)\*/", text, re.S):
        line = text.count("\n", 0, match.start()) + 1
        yield line, re.sub(r"^\s*\* ?", "", match[1], flags=re.M)


def prose(path):
    """Pairs of a line number and a paragraph; tables, lists of settings and code are left out."""
    text = path.read_text()
    parts = comment_paragraphs(text) if path.suffix in (".h", ".in", ".c") else [(1, re.sub(r"```.*?```", lambda m: "\n" * m[0].count("\n"), text, flags=re.S))]
    for line, part in parts:
        for paragraph in re.split(r"(\n\s*\n)", part):
            if not re.match(r"\s*(\||\t|  +|#)", paragraph.lstrip("\n")):
                yield line, paragraph
            line += paragraph.count("\n")


def sentences(paragraph):
    for item in re.split(r"\n(?=\s*[-*] )", paragraph):
        yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z`*\"(])", " ".join(item.split()))


def report(path):
    long_count = idiom_count = 0
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    for line, paragraph in prose(path):
        for sentence in sentences(paragraph):
            words = len(re.findall(r"[\w’'…]+(?:_\w+)*", sentence))
            if words > WORDS_MAX:
                long_count += 1
                print(f"{name}:{line}: {words} words: {sentence[:100]}…")
            for idiom in IDIOM.findall(sentence):
                idiom_count += 1
                print(f"{name}:{line}: \"{idiom}\": {sentence[:100]}")
    return long_count, idiom_count


def main(arguments):
    paths = [pathlib.Path(argument).resolve() for argument in arguments] or sorted((ROOT / "include" / "shipopt").glob("*.h*")) + [
        ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"] + sorted((ROOT / "docs").glob("*.md"))
    totals = [report(path) for path in paths]
    print(f"{sum(t[0] for t in totals)} sentences of more than {WORDS_MAX} words, {sum(t[1] for t in totals)} words to avoid")


if __name__ == "__main__":
    main(sys.argv[1:])
