"""What every figure's layout is made of: numbers as words, ticks, names that keep clear of each other, headings."""
import math
import re
from typing import NamedTuple

TEXT, SMALL = 8.6, 6.9   # width in pixels of an average letter at font sizes 15 and 12
INK, FAINT = "#222222", "#5A5A5A"


class Figure(NamedTuple):
    """What gnuplot needs: size in pixels, the table, the layout, further layouts by suffix, and the .gp that draws it
    (by default the figure's own)."""
    width: int
    height: int
    table: str
    layout: str
    parts: dict = {}
    drawing: str = ""


def quote(text):
    """A gnuplot string: single quotes, in which nothing is expanded."""
    return "'" + re.sub(r"[\x00-\x1f]", " ", str(text)).replace("'", "''") + "'"


def words(values):
    """A gnuplot word list; words with spaces keep together by double quotes."""
    return quote(" ".join(f'"{value}"' if " " in str(value) else str(value) for value in values))


def table(header, blocks):
    """A .tsv with one comment line and blocks that gnuplot's `index` counts."""
    body = "\n\n\n".join("\n".join("\t".join(cell(value) for value in line) for line in block) for block in blocks)
    return "# " + "\t".join(header) + "\n" + body + "\n"


def cell(value):
    return f"{value:.6g}" if isinstance(value, float) else re.sub(r"\s", " ", str(value))


def short(value):
    """Three significant digits, thousands separated: 5.91, 35.2, 14,200."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{digits}f}"


def exact(value):
    """A count of instructions: whole where a loop's frame does not blur it."""
    return f"{value:,.0f}" if abs(value - round(value)) < 0.01 else short(value)


def call_words(metric):
    """How a value of the check's metric is written: instructions are counted, times are not."""
    return exact if metric == "instructions_per_call" else short


def time_unit(value):
    """(factor, name) of the unit that suits a number of nanoseconds."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if value >= 0.9995 * factor:
            return factor, unit
    return 1.0, "ns"


def nanoseconds(value):
    """As an engineer writes it: 12.3 ns, 1.33 µs, 14.2 ms."""
    factor, unit = time_unit(value)
    return f"{short(value / factor)} {unit}"


def count(value):
    """Powers of ten as axis ticks print them: 300, 10 k, 1 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:g}"


def tick_ns(value):
    factor, unit = time_unit(value)
    return f"{value / factor:g} {unit}"


def nbytes(value):
    return f"{count(value)}B" if value >= 1000 else f"{value:g} B"


def on_white(text, x, y, side, size=12, colour=INK, shift=0.6):
    """A label inside a panel, in the way of lines."""
    return (f"set label {quote(text)} at {x},{y} {side} offset {shift if side == 'left' else -shift},0 boxed "
            f"font 'DejaVu Sans,{size}' tc rgb {quote(colour)} noenhanced front")


def reason(why):
    """The limit named in a cause, short enough for a figure; the full text is in the report's table."""
    for pattern in (r"pid_max|max_map_count|threads-max|pids\.max|memory\.max|RLIMIT_\w+|GOS_MAXMEM", r"memory|time"):
        match = re.search(pattern, why)
        if match:
            return match.group()
    return why if len(why) <= 26 else why[:25] + "…"


def log_axis(axis, low, high, text, whole_decades=False):
    """Range and ticks of a logarithmic axis; 1-2-5 ticks where it spans less than two decades."""
    steps = (1,) if whole_decades or high / low >= 100 else (1, 2, 5)
    ticks = [step * 10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
             for step in steps]
    shown = ", ".join(f"{quote(text(tick))} {tick:g}" for tick in ticks if low * 0.999 <= tick <= high * 1.001)
    return f"set {axis}range [{low:.6g}:{high:.6g}]\nset {axis}tics ({shown})\n"


def spread(wanted, gaps, low, high):
    """Places as near to the wanted ones as the gaps allow, in the same order. gaps[i] is the height of item i."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    total = sum(gaps)
    scale = min(1.0, (high - low) / total) if total else 1.0
    heights = [gaps[i] * scale for i in order]
    groups = []   # (sum of wanted starts of the first item, items, height): merged while they overlap
    for item, height in zip(order, heights):
        groups.append([wanted[item] - height / 2, 1, height])
        while True:
            last = groups[-1]
            start = min(max(last[0] / last[1], low), high - last[2])
            if len(groups) == 1 or start >= group_end(groups[-2], low, high):
                break
            before = groups[-2]
            before[0] += last[0] - last[1] * before[2]
            before[1] += last[1]
            before[2] += last[2]
            groups.pop()
    places, index = [0.0] * len(wanted), 0
    for starts, items, height in groups:
        y = min(max(starts / items, low), high - height)
        for _ in range(items):
            places[order[index]] = y + heights[index] / 2
            y += heights[index]
            index += 1
    return places


def group_end(group, low, high):
    return min(max(group[0] / group[1], low), high - group[2]) + group[2]


def names_at_right(ends, axis, edge, width, height, top=66):
    """Names in the right margin, each tied to the end of its line. ends: (style, x, y, name, note, stopped)."""
    low, high = (math.log10(bound) for bound in axis)
    top, bottom = 1 - top / height, 66 / height   # the margins that layouts set, as screen fractions
    wanted = [(math.log10(end[2]) - low) / (high - low) for end in ends]
    gaps = [20 / ((top - bottom) * height)] * len(ends)
    lines = []
    for (style, x, y, name, note, stopped), place in zip(ends, spread(wanted, gaps, -0.06, 1.06)):
        at = bottom + place * (top - bottom)
        bold = " Bold" if style == 1 else ""
        lines.append(f"set arrow from first {x:.6g},{y:.6g} to screen {edge + 18 / width:.4f},{at:.4f} nohead "
                     f"lt {style} lw 0.9 dt 3 front")
        words_beside = plain(name) + (f"  {{/*0.8 {plain(note)}}}" if note else "")
        lines.append(f"set label {quote(words_beside)} at screen {edge + 23 / width:.4f},{at:.4f} left enhanced "
                     f"font 'DejaVu Sans{bold},15' tc rgb {quote('#B34700' if style == 1 else INK)} front")
        if stopped:
            lines.append(f"set label '' at first {x:.6g},{y:.6g} point pt 2 ps 1.4 lw 3 lc rgb {quote(INK)} front")
    return "\n".join(lines) + "\n"


def plain(text):
    """Text in which gnuplot's enhanced mode finds nothing to enhance."""
    return re.sub(r"([_^@&{}~\\])", r"\\\1", text)


def margin_for(ends):
    """Pixels that the names at the right need."""
    return 38 + max(len(end[3]) * (TEXT + 0.6 * (end[0] == 1)) + len(end[4]) * SMALL for end in ends)


def heading(title, subtitle, left, width, height):
    """Title and what the y axis shows, both at the left edge, so that no text stands on its side."""
    x = (left - 70) / width
    return (f"set label {quote(title)} at screen {x:.4f},{1 - 20 / height:.4f} left font 'DejaVu Sans Bold,17'\n"
            + (f"set label {quote(subtitle)} at screen {x:.4f},{1 - 45 / height:.4f} left font 'DejaVu Sans,14' "
               f"tc rgb {quote(FAINT)}\n" if subtitle else ""))


def margins(width, height, left, right, top=66):
    return (f"set lmargin at screen {left / width:.4f}\nset rmargin at screen {1 - right / width:.4f}\n"
            f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {66 / height:.4f}\n")
