#!/usr/bin/env python3
"""man.py: manual pages of the public interface, from its headers.

usage: scripts/man.py --version VERSION --out FOLDER HEADER...

One page for each section of a header (a line of its own: a comment with the section's title between dashes), named
after its first function and found under the name of every other; gossamer.3 says what holds for all and lists them. A
declaration is explained by the comment before it, or by the one at its end.
"""
import argparse
import re
import sys
from pathlib import Path

SECTION = re.compile(r"/\* ---- (.+?) -{4,} \*/$")
FUNCTION = re.compile(r"\b(gos_\w+)\(")
SKIPPED = re.compile(r"#\s*(?:ifn?def|if|else|endif|include|define GOSSAMER_\w+_H|define GOSSAMER_H)\b|extern \"C\"|}$")


class Item:
    """Declarations that one comment explains."""

    def __init__(self, comment):
        self.comment, self.code = comment, []

    def names(self):
        return [name for line in self.code if not line.startswith((" ", "#", "typedef", "}"))
                for name in FUNCTION.findall(line)]


def comment_text(lines):
    text = "\n".join(re.sub(r"^\s*\* ?", "", line) if number else line for number, line in enumerate(lines))
    return re.sub(r"\s+", " ", text.strip().removeprefix("/*").removesuffix("*/")).strip()


def read_header(path):
    """(what the header says of itself, [(title, [items])])."""
    lines = iter(path.read_text().splitlines())
    intro, sections, comment, fresh, depth = "", [], "", True, 0
    for line in lines:
        if depth == 0 and line.startswith("/*"):
            block = [line]
            while not block[-1].rstrip().endswith("*/"):
                block.append(next(lines))
            title = SECTION.match(block[0])
            if title:
                sections.append((title[1], []))
                comment = ""
            elif not intro:
                intro = comment_text(block)
            else:
                comment = comment_text(block)
            fresh = True
        elif not line.strip():
            comment, fresh = ("", True) if not sections or fresh is False else (comment, fresh)
        elif sections and (depth or not SKIPPED.match(line)):
            fresh = add(sections[-1][1], line, comment, fresh and depth == 0)
            depth += line.count("{") - line.count("}")
    return intro, sections


def add(items, line, comment, fresh):
    """Puts a line of code where it belongs; what comes next goes on with it."""
    if line in ("[[noreturn]]", "_Noreturn"):
        return fresh
    code, _, note = line.partition("/*")
    is_function = not line.startswith((" ", "}", "#", "typedef", "enum")) and FUNCTION.search(code)
    if fresh or (is_function and items[-1].names() and (note or not items[-1].comment)):
        items.append(Item(comment))
    item = items[-1]
    if is_function and note:
        item.comment = " ".join(filter(None, [item.comment, comment_text(["/*" + note])]))
        line = code.rstrip()
    item.code.append(line)
    return False


# ---- roff

def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".")


def page(name, names, title, header, items, version):
    out = [f'.TH {name.upper()} 3 "" "gossamer {version}" "Gossamer"', ".SH NAME",
           f"{escape(', '.join(names))} \\- {escape(title)}", ".SH SYNOPSIS", ".nf", f".B #include <{header}>", ""]
    for item in items:
        out += [f"{escape(line)}" for line in item.code] + [""]
    out += [".fi", ".SH DESCRIPTION"]
    for item in items:
        if item.comment and item.names():
            out += [".TP", f".BR {' , '.join(escape(n) + ' ()' for n in item.names())}", escape(sentence(item.comment))]
        elif item.comment:
            out += [".PP", escape(sentence(item.comment))]
    out += [".SH SEE ALSO", ".BR gossamer (3)"]
    return "\n".join(out) + "\n"


def overview(headers, version):
    intro = headers[0][1]
    first = intro.partition(": ")[2].partition(".")[0]
    out = [f'.TH GOSSAMER 3 "" "gossamer {version}" "Gossamer"', ".SH NAME", f"gossamer \\- {escape(first)}",
           ".SH DESCRIPTION"]
    for path, text, _ in headers:
        out += [".PP", escape(text)]
    out.append(".SH SEE ALSO")
    for path, _, sections in headers:
        for title, items in sections:
            names = [n for item in items for n in item.names()]
            if names:
                out += [".TP", f".BR {escape(names[0])} (3)", escape(sentence(title))]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Manual pages from headers.")
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("headers", nargs="+", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    headers = [(path, *read_header(path)) for path in options.headers]
    for path, _, sections in headers:
        header = path.name if path.parent.name == "include" else f"gossamer/{path.name}"
        for title, items in sections:
            names = [n for item in items for n in item.names()]
            if not names:
                print(f"man.py: {path}: no function in the section '{title}'", file=sys.stderr)
                return 1
            text = page(names[0], names, title, header, items, options.version)
            (options.out / f"{names[0]}.3").write_text(text)
            for other in names[1:]:
                (options.out / f"{other}.3").write_text(f".so man3/{names[0]}.3\n")
    (options.out / "gossamer.3").write_text(overview(headers, options.version))
    return 0


if __name__ == "__main__":
    sys.exit(main())
