#!/usr/bin/env python3
"""flamegraph.py: folded stacks (GOS_DEBUG=contention=FILE) as a flame graph in SVG.

usage: scripts/flamegraph.py [FILE] >GRAPH.svg        standard input without FILE

A line is functions from the outermost in, joined by semicolons, and after a blank a number: microseconds waited. Widths
are in proportion to these; the tooltip of each box says how much it is.
"""
import sys
from html import escape

WIDTH, HEIGHT, MARGIN, LETTER = 1000, 18, 10, 6.6
COLOURS = ("#f3a45c", "#f0b674", "#eb9a4b", "#f4c183")  # frames; reasons are blue
REASON = "#8fb4d8"


def read(lines, name):
    root = {"name": "all", "us": 0, "inner": {}}
    for number, line in enumerate(lines, 1):
        stack, _, us = line.rstrip("\n").rpartition(" ")
        if not stack or not us.isdigit():
            sys.exit(f"flamegraph.py: {name}:{number}: expected FUNCTION;FUNCTION... MICROSECONDS")
        root["us"] += int(us)
        at = root
        for function in stack.split(";"):
            at = at["inner"].setdefault(function, {"name": function, "us": 0, "inner": {}})
            at["us"] += int(us)
    if not root["us"]:
        sys.exit(f"flamegraph.py: {name}: nobody waited")
    return root


def depth(node):
    return 1 + max((depth(inner) for inner in node["inner"].values()), default=0)


def boxes(node, x, level, total, levels):
    width = node["us"] / total * (WIDTH - 2 * MARGIN)
    y = MARGIN + (levels - level - 1) * HEIGHT
    colour = REASON if node["name"].startswith("[") else COLOURS[sum(map(ord, node["name"])) % len(COLOURS)]
    said = f'{node["name"]}: {node["us"] / 1e6:.3f} s, {100 * node["us"] / total:.1f} %'
    letters = int((width - 4) / LETTER)
    text = node["name"] if len(node["name"]) <= letters else node["name"][:letters - 1] + "…" if letters > 2 else ""
    yield (f'<g><title>{escape(said)}</title><rect x="{x:.2f}" y="{y}" width="{max(width - 0.5, 0.2):.2f}" '
           f'height="{HEIGHT - 1}" fill="{colour}"/><text x="{x + 3:.2f}" y="{y + 13}">{escape(text)}</text></g>')
    for inner in sorted(node["inner"].values(), key=lambda it: it["name"]):
        yield from boxes(inner, x, level + 1, total, levels)
        x += inner["us"] / total * (WIDTH - 2 * MARGIN)


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    name = sys.argv[1] if len(sys.argv) == 2 else "standard input"
    try:
        with open(name, encoding="utf-8") if len(sys.argv) == 2 else sys.stdin as file:
            root = read(file, name)
    except OSError as error:
        sys.exit(f"flamegraph.py: {name}: {error.strerror}")
    levels = depth(root)
    height = levels * HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" '
          f'font-size="11">')
    print(f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>')
    print("\n".join(boxes(root, MARGIN, 0, root["us"], levels)))
    print("</svg>")
    return 0


if __name__ == "__main__":
    sys.exit(main())
