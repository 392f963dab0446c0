"""Figures of blocking and its price for others: progress, hand-off, sleeps, wake-ups; and of programs of many units."""
import math
from typing import NamedTuple

import rows
import stats
from layout import (FAINT, INK, SMALL, TEXT, Figure, heading, log_axis, margins, nanoseconds, on_white, quote, table,
                    tick_ns, words)

SOLID, DASHED, DOTTED, DOT_DASHED = 1, 2, 3, 4
OWN = 0    # the dash of the contender's style
STEPS = 200       # of a drawn distribution
BEFORE_BINS, BIN_MS = 15, 10    # as benches/case_progress.c counts


class Line(NamedTuple):
    """A line of a distribution figure: whose samples, drawn how, called what."""
    contender: str
    variant: str
    dash: int
    meaning: str    # after the contender's name; may be empty


def samples(run, case, metric, **fields):
    """All samples of a distribution, sorted: those of all launches together."""
    found = []
    for row in run.values(case, metric=metric, **fields):
        found += row.get("samples") or [row["value"]]
    return sorted(found)


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_of_launches(run, case, metric, **fields):
    """Estimate over launches of each one's median."""
    return run.estimate(case, metric=metric, **fields)


def key(entries, width, height, right, top):
    """At the right: a piece of each line, its name, and a note on it. entries: (style, dash, name, note)."""
    lines, x = [], 1 - right / width
    for place, (style, dash, name, note) in enumerate(entries):
        y = 1 - (top + 14 + 42 * place) / height
        ours = style == 1
        lines.append(f"set arrow from screen {x + 14 / width:.4f},{y:.4f} to screen {x + 48 / width:.4f},{y:.4f} "
                     f"nohead lt {style}{f' dt {dash}' if dash else ''} front")
        lines.append(f"set label {quote(name)} at screen {x + 56 / width:.4f},{y:.4f} left noenhanced "
                     f"font 'DejaVu Sans{' Bold' if ours else ''},14' tc rgb {quote('#B34700' if ours else INK)} front")
        lines.append(f"set label {quote(note)} at screen {x + 56 / width:.4f},{y - 17 / height:.4f} left noenhanced "
                     f"font 'DejaVu Sans,12' tc rgb {quote(FAINT)} front")
    return "\n".join(lines) + "\n"


def key_width(entries):
    return 72 + max(max(len(name) * TEXT, len(note) * SMALL) for _, _, name, note in entries)


def named(line):
    return rows.label(line.contender) + (f", {line.meaning}" if line.meaning else "")


def distribution(run, case, metric, lines, panels, title, subtitle, x_label, reference=None, cut=0.999):
    """Shares of samples over time, a panel a (suffix of the variant, words, further fields)."""
    width, left, gap, top = 960, 84, 30, 96
    blocks, plots, titles, entries, lows, highs = [], [], [], {}, [], []
    for suffix, words_above, fields in panels:
        drawn = []
        for line in lines:
            found = samples(run, case, metric, contender=line.contender, variant=line.variant + suffix, **fields)
            if not found:
                continue
            shares = sorted({quantile_share / STEPS for quantile_share in range(STEPS + 1)})
            blocks.append([(float(quantile(found, share)), share, named(line), words_above) for share in shares])
            style = run.style(line.contender)
            drawn.append(f"data index {len(blocks) - 1} using 1:2 with steps lt {style} dt {line.dash}")
            lows.append(found[0])
            highs.append(quantile(found, cut))
            note = entries.get(named(line), (None,) * 4)[3]
            told = nanoseconds(quantile(found, 0.5)) + " / " + nanoseconds(quantile(found, 0.99))
            entries[named(line)] = (style, line.dash, named(line), f"{note} | {told}" if note else told)
        if drawn:
            plots.append("plot " + ", ".join(drawn) + "\n")
            titles.append(words_above)
    if not blocks:
        return None
    entries = sorted(entries.values(), key=lambda entry: entry[0] != 1)
    right = key_width(entries)
    height = max(470, top + 90 + 42 * len(entries))
    low, high = max(min(lows), 100) / 1.3, max(highs) * 1.3
    decades = math.log10(high / low)
    tick = tick_ns if len(plots) * decades < 6 else lambda ns: tick_ns(ns) if round(math.log10(ns)) % 2 == 0 else ""
    layout = (heading(title, subtitle, left, width, height) + f"set xlabel {quote(x_label)}\n"
              + log_axis("x", low, high, tick, decades > 1.2)
              + "set ytics ('0' 0, '25 %%' 0.25, '50 %%' 0.5, '75 %%' 0.75, '100 %%' 1)\n"
              + margins(width, height, left, right, top)
              + f"left = {left / width:.4f}\nright = {1 - right / width:.4f}\ngap = {gap / width:.4f}\n"
              + f"panels = {len(plots)}\ntitles = {words(titles)}\n")
    if reference and low < reference[0] < high:
        layout += (f"set arrow from first {reference[0]}, graph 0 to first {reference[0]}, graph 1 nohead "
                   f"lc rgb '#8C8C8C' lw 1.2 dt (6,4) back\n"
                   + on_white(reference[1], f"first {reference[0]}", "graph 0.06", "left", colour=FAINT) + "\n")
    note = "set label 'median / 99 of 100' at screen {:.4f},{:.4f} left font 'DejaVu Sans,12' tc rgb {}\n".format(
        1 - (right - 56) / width, 1 - (top - 16) / height, quote(FAINT))
    return Figure(width, height, table(("time_ns", "share", "line", "panel"), blocks), layout,
                  {"blank": "set ytics ('' 0, '' 0.25, '' 0.5, '' 0.75, '' 1)\n",
                   "key": key(entries, width, height, right, top) + note,
                   **{f"plot{panel}": plot for panel, plot in enumerate(plots)}}, "ecdf")


HANDOFF_LINES = (Line("pthread", "raw", SOLID, "any call"), Line("go", "raw", SOLID, "system call"),
                 Line("go", "posix", DASHED, "read of a pipe"), Line("gossamer", "posix", DOTTED, "read of a pipe"),
                 Line("gossamer", "hint", DASHED, "call with a hint"),
                 Line("gossamer", "raw", DOT_DASHED, "unknown call, again"),
                 Line("gossamer", "first", SOLID, "unknown call, the first"))


def handoff(run):
    """From entering a blocking call until another unit of the same worker runs."""
    return distribution(run, "handoff", "latency_ns", HANDOFF_LINES, (("", "one CPU, one worker", {}),),
                        "A unit blocks: when does the next one run?", "share of calls",
                        "time since the call was entered", (60000, "aim: 60 µs"))


SLEEP_LINES = (Line("pthread", "posix", SOLID, "nanosleep"), Line("go", "own", SOLID, "time.Sleep"),
               Line("gossamer", "posix", DASHED, "nanosleep"), Line("gossamer", "own", SOLID, "gos_sleep"))
SHORT_SLEEP = 50000


def lateness(run):
    """How long the shortest sleep takes, beside nobody and beside busy units."""
    return distribution(run, "lateness", "sleep_ns", SLEEP_LINES,
                        (("", "otherwise idle", {"n": SHORT_SLEEP}),
                         ("-busy", "beside busy units", {"n": SHORT_SLEEP})),
                        "How long does a sleep of 50 µs take?", "share of sleeps", "time slept", (70000, "aim: 70 µs"),
                        0.98)


WAKEUP_LINES = (Line("pthread", "chan", DASHED, "channel"), Line("pthread", "pipe", SOLID, "pipe"),
                Line("go", "pipe", SOLID, "pipe"), Line("gossamer", "chan", DASHED, "channel"),
                Line("gossamer", "pipe", SOLID, "pipe"))


def wakeup(run):
    """From when an event is due until the unit that waits for it runs."""
    return distribution(run, "wakeup", "latency_ns", WAKEUP_LINES,
                        (("", "otherwise idle", {}), ("-busy", "beside a busy unit", {})),
                        "An event is due: when does the unit that waits for it run?", "share of events",
                        "time since the event was due")


# ---- progress ------------------------------------------------------------------------------------------------------

def speed_kept(run, contender, n):
    """Estimate of the speed of others while n units block over their speed before; None without samples."""
    before = run.per_launch("progress", contender=contender, n=n, metric="work_before")
    blocked = run.per_launch("progress", contender=contender, n=n, metric="work_blocked")
    shares = [blocked[place] / before[place] for place in before if place in blocked and before[place] > 0]
    return stats.estimate(shares) if shares else None


def progress_series(run, contender, n):
    """[(ms since blocking began, share of the speed before)] of one launch, that of median length: how long it takes
    until all are blocked differs, and a median over launches would end with the quickest."""
    launches = []
    for row in run.values("progress", contender=contender, n=n, metric="work_in_bin"):
        before = stats.median(row["samples"][:BEFORE_BINS])
        if before > 0:
            launches.append([value / before for value in row["samples"]])
    launches.sort(key=len)
    launch = launches[len(launches) // 2] if launches else []
    return [((place - BEFORE_BINS + 0.5) * BIN_MS, share) for place, share in enumerate(launch)]


def progress(run):
    """Speed of the units that do not block, over time, with the most blocked units."""
    width, left, top, height = 960, 84, 76, 470
    sizes = [n for n in run.sizes("progress") if n]
    if not sizes:
        return None
    most, blocks, styles, entries = sizes[-1], [], [], []
    for name in rows.last_first(run.drawn("progress")):
        series = progress_series(run, name, most)
        kept = speed_kept(run, name, most)
        if series:
            blocks.append([(ms, share, name) for ms, share in series])
            styles.append(run.style(name))
            entries.append((styles[-1], OWN, rows.label(name), f"keeps {kept.median * 100:.0f} % in the end"))
    if not blocks:
        return None
    entries.sort(key=lambda entry: entry[0] != 1)
    points = [point for block in blocks for point in block]
    right, highest = key_width(entries), max(1.3, min(2.0, max(point[1] for point in points) * 1.05))
    ticks = ", ".join(f"'{share} %%' {share / 100:g}" for share in range(0, int(highest * 100) + 1, 25))
    mark = (f"set arrow from first 0, graph 0 to first 0, graph 1 nohead lc rgb '#8C8C8C' lw 1.2 dt (6,4) back\n"
            f"set label {quote(f'{most:,} others block')} at first 0, graph 1.03 center "
            f"font 'DejaVu Sans,13' tc rgb {quote(INK)}\n")
    layout = (heading("Do the others go on while units block in raw system calls?",
                      "work done by units that compute and yield, of what they did before; a typical launch of each",
                      left, width, height)
              + "set xlabel 'milliseconds'\n"
              + f"set xrange [{-BEFORE_BINS * BIN_MS}:{max(point[0] for point in points):g}]\n"
              + f"set yrange [0:{highest:.3g}]\nset ytics ({ticks})\n" + margins(width, height, left, right, top)
              + mark + key(entries, width, height, right, top) + f"styles = {words(styles)}\n")
    return Figure(width, height, table(("ms", "share", "contender"), blocks), layout)


# ---- programs of many units ----------------------------------------------------------------------------------------

PROGRAMS = {"skynet": ("skynet: tree of 1,111,111 units", "fork and join, per unit"),
            "skynet-chan": ("skynet by channels", "channel + malloc a node, per unit"),
            "ring": ("ring of 1,000 units", "16 tokens, per hop"),
            "fan": ("one to 100 to one", "per word"), "tree": ("uneven tree: fib(25)", "per unit")}
ONE, ALL = 6, 7    # gnuplot's points


def scale_cost(run, program, contender, threads):
    return run.estimate("scale", contender=contender, variant=program, threads=threads, metric="ns_per_op")


def scale_threads(run):
    return sorted({row["threads"] for row in run.values("scale")})


def scale(run):
    """Time per unit, hop or word of each program: a band a program, a line a contender, marks by threads."""
    most = max(scale_threads(run), default=0)
    bands = []
    for program, (title, per) in PROGRAMS.items():
        names = [name for name in run.drawn("scale") if any(scale_cost(run, program, name, t) for t in (1, most))]
        names.sort(key=lambda name: min(cost.median for cost in (scale_cost(run, program, name, t) for t in (1, most))
                                        if cost))
        if names:
            bands.append((program, title, per, names))
    if not bands:
        return None
    width, left, right, top, bottom = 960, 440, 30, 70, 96
    count = sum(len(names) + 0.7 for *_, names in bands)
    height = int(top + bottom + 25 * count)
    blocks, styles, points, text, y = [], [], [], [], count
    for program, title, per, names in bands:
        for lift, word, size, colour in ((0, title, 14, INK), (-0.75, per, 12, FAINT)):
            text.append(f"set label {quote(word)} at screen {14 / width:.4f}, first {y - 0.5 + lift:.2f} left "
                        f"noenhanced font 'DejaVu Sans,{size}' tc rgb {quote(colour)}")
        for place, name in enumerate(names):
            at = y - 0.5 - place
            ours = name == rows.US
            text.append(f"set label {quote(rows.label(name))} at graph 0, first {at:.2f} right offset -1,0 noenhanced "
                        f"font 'DejaVu Sans{' Bold' if ours else ''},13' tc rgb {quote('#B34700' if ours else INK)}")
            costs = [(t, scale_cost(run, program, name, t)) for t in sorted({1, most})]
            costs = [(t, cost) for t, cost in costs if cost]
            for t, cost in costs:
                blocks.append([(at, *cost[:4], name, program, t)])
                styles.append(run.style(name))
                points.append(ALL if t == most else ONE)
            highest = max(cost.high for _, cost in costs)
            told = " → ".join(nanoseconds(cost.median) for _, cost in costs)
            text.append(f"set label {quote(told)} at first {highest:.6g},{at:.2f} left offset 1.1,0 "
                        f"font 'DejaVu Sans,12' tc rgb {quote(INK)} front")
        y -= len(names) + 0.7
        if y > 0.5:
            text.append(f"set arrow from screen {14 / width:.4f}, first {y + 0.3:.2f} to graph 1, "
                        f"first {y + 0.3:.2f} nohead lc rgb '#D0D0D0' lw 1 back")
    low, high = min(block[0][2] for block in blocks) / 1.5, max(block[0][3] for block in blocks) * 60
    for x, point, meaning in ((left, ONE, "one thread"), (left + 170, ALL, f"{most} threads")):
        text.append(f"set label {quote(meaning)} at screen {x / width:.4f},{20 / height:.4f} left "
                    f"font 'DejaVu Sans,14' tc rgb {quote(INK)} point pt {point} ps 1.15 lc rgb {quote(INK)} "
                    "offset 1.2,-0.35")
    layout = (heading("What does a unit cost in programs of many units?", "", 84, width, height)
              + log_axis("x", low, high, tick_ns, True) + f"set yrange [0:{count:.2f}]\nunset ytics\n"
              + "set xlabel 'time per unit, hop or word'\n"
              + f"set lmargin at screen {left / width:.4f}\nset rmargin at screen {1 - right / width:.4f}\n"
              + f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              + "\n".join(text) + "\n" + f"styles = {words(styles)}\npoints = {words(points)}\n")
    return Figure(width, height, table(("place", "ns_per_op", "low", "high", "samples", "contender", "program",
                                        "threads"), blocks), layout)


def quantities(run):
    """(what, case, metric, fields) of each quantity here in which contenders can be compared."""
    found = [(f"hand-off of a worker, {variant}", "handoff", "latency_ns", {"variant": variant})
             for variant in ("first", "raw", "posix")]
    found += [(f"sleep of {tick_ns(n)}, {variant}", "lateness", "sleep_ns", {"variant": variant, "n": n})
              for n in run.sizes("lateness") for variant in ("own", "posix", "own-busy", "posix-busy") if n]
    found += [(f"wake-up by an event, {variant}", "wakeup", "latency_ns", {"variant": variant})
              for variant in ("pipe", "chan", "pipe-busy", "chan-busy")]
    found += [(f"{program} on {threads} thread{'s' * (threads > 1)}", "scale", "ns_per_op",
               {"variant": program, "threads": threads}) for program in PROGRAMS for threads in scale_threads(run)]
    return found + [("hand-over pinned apart", "handover", "ns_per_op", {"variant": "pinned"})]


FIGURES = {"progress": progress, "handoff": handoff, "lateness": lateness, "wakeup": wakeup, "scale": scale}
