#!/usr/bin/env python3
"""Each change or look at a word of the runtime that has an order is in a row of "Orders and their partners" in
docs/INVARIANTS.md, with its partner: a row that names the word, and the file or a function of it, and has two sides.

An order is whatever base/atomics.h has that is not relaxed. Fences have no word: a row names their function.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/INVARIANTS.md"
SECTION = "## Orders and their partners"
# What they are made of themselves.
BASE = ("atomics.h", "os.h", "membarrier.c")
ORDERED = re.compile(r"gos__(?:(?:load|store|exchange|add|or|and|cas|cas_ptr|cas64|cas128)_(?:acquire|release|seq)"
                     r"|(fence_seq|compiler_fence|membarrier))\(")
FUNCTION = re.compile(r"^[A-Za-z_][^;{}=#]*?\b(\w+)\([^;]*$")


def argument(text):
    """The first argument of a call that begins here."""
    depth = 0
    for at, letter in enumerate(text):
        if depth == 0 and letter in ",)":
            return text[:at]
        depth += (letter in "([") - (letter in ")]")
    return text


def word_of(text):
    """The last name: the member, or the variable."""
    names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^]]*\]", "", argument(text)))
    return names[-1] if names else ""


def uses(path):
    """(line, function, word) of each; a fence has no word."""
    function = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        begun = FUNCTION.match(line)
        function = begun[1] if begun and not line.startswith((" ", "typedef")) else function
        for found in ORDERED.finditer(line.split("/*")[0]):
            if not begun:
                yield number, function, "" if found[1] else word_of(line[found.end():])


def rows():
    section = PAGE.read_text(encoding="utf-8").partition(SECTION)[2].partition("\n## ")[0]
    for line in section.splitlines():
        sides = [side.strip() for side in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(sides) == 2 and all(sides) and not sides[0].startswith("---"):
            yield {name.removeprefix("gos__") for name in re.findall(r"\w+(?:\.[chS]\b)?", line)}


def main():
    named, missing = list(rows()), []
    files = [path for path in sorted((ROOT / "runtime").glob("*/*.[ch]")) if path.name not in BASE]
    for path in files:
        found = list(uses(path))
        places = {path.name, *(function.removeprefix("gos__") for _, function, _ in found)}
        for number, function, word in found:
            wanted = (word or function).removeprefix("gos__")
            ours = [row for row in named if wanted in row and (places & row or not word)]
            if not ours:
                missing.append(f"{path.relative_to(ROOT)}:{number}: {function}: {word or 'a fence'}")
    if missing:
        print("\n".join(missing))
        print(f"{PAGE.relative_to(ROOT)}, \"{SECTION[3:]}\": no row names these and their partners")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
