"""Turns raw samples into what each figure shows: a tidy .tsv and a gnuplot layout.

The .tsv holds numbers only (median, interval, sample count) and stays beside the figure. The layout holds what gnuplot
cannot work out by itself: ranges, ticks, and names placed so that none covers another.
"""
import math

import prep_blocking
import prep_check
import prep_peers
import prep_ratios
import prep_server
import prep_stacks
import rows
import stats
from layout import (FAINT, INK, SMALL, Figure, call_words, count, exact, heading, log_axis, margin_for, margins,
                    names_at_right, nanoseconds, nbytes, on_white, quote, reason, table, tick_ns, words)


def memory(run):
    """Bytes per parked unit over their number, to the point where each contender stopped."""
    width, left = 1100, 84
    blocks, styles, ends = [], [], []
    largest = max((run.most_units("memory", name)[0] for name in run.drawn("memory")), default=0)
    for name in rows.last_first(run.drawn("memory")):
        block = []
        for n in run.sizes("memory", contender=name):
            point = run.memory_per_unit(name, n)
            if point:
                units, cost = point
                block.append((units, cost.median, cost.low, cost.high, cost.n, name))
        if not block:
            continue
        block.sort()
        blocks.append(block)
        styles.append(run.style(name))
        most, stop = run.most_units("memory", name)
        note = f"stopped by {reason(stop['why'])}" if stop else ""
        if not stop and most < largest:
            note = "the most tried"
        ends.append((styles[-1], block[-1][0], block[-1][1], rows.label(name), note, bool(stop)))
    if not blocks:
        return None
    points = [line for block in blocks for line in block]
    y = (min(line[2] for line in points) / 1.4, max(line[3] for line in points) * 1.4)
    right = margin_for(ends)
    height = max(560, 160 + 21 * len(ends))
    units = [line[0] for line in points]
    layout = (heading("What does a parked unit cost, and where does each contender stop?",
                      "bytes per unit: resident memory + page tables + kernel stack", left, width, height)
              + "set xlabel 'parked units'\n"
              + log_axis("x", min(units) / 1.3, max(max(units), min(units) * 10) * 1.3, count, True)
              + log_axis("y", *y, nbytes) + margins(width, height, left, right)
              + names_at_right(ends, y, 1 - right / width, width, height) + f"styles = {words(styles)}\n")
    return Figure(width, height, table(("units", "bytes_per_unit", "low", "high", "samples", "contender"), blocks),
                  layout)


def spawn_words(run):
    """The subtitle: on how many threads."""
    fewest = {run.threads("spawn", name)[0] for name in run.drawn("spawn") if run.threads("spawn", name)}
    return "time per unit, " + ("one worker thread" if fewest == {1} else "fewest threads measured")


def spawn(run):
    """Nanoseconds to start, run and finish a unit on the fewest threads measured, cold and warm side by side."""
    width, left, gap, top = 960, 84, 46, 96
    blocks, firsts, groups, titles, ends = [], [], [], [], {}
    for variant, title in (("cold", "cold: first touch of its memory"), ("warm", "warm: memory used before")):
        styles, first = [], len(blocks)
        for name in rows.last_first(run.drawn("spawn")):
            block, threads = [], run.threads("spawn", name)[:1]
            for n in run.sizes("spawn", contender=name, variant=variant) if threads else []:
                cost = run.estimate("spawn", contender=name, variant=variant, n=n, threads=threads[0],
                                    metric="ns_per_op")
                if cost:
                    block.append((n, cost.median, cost.low, cost.high, cost.n, name, variant))
            if block:
                blocks.append(block)
                styles.append(run.style(name))
                ends[name] = (styles[-1], block[-1][0], block[-1][1], rows.label(name), "", False)
        if styles:
            firsts.append(first)
            groups.append(" ".join(map(str, styles)))
            titles.append(title)
    if not blocks:
        return None
    points = [line for block in blocks for line in block]
    y = (min(line[2] for line in points) / 1.3, max(line[3] for line in points) * 1.3)
    ends = list(ends.values())
    height = max(540, 170 + 21 * len(ends))
    right = margin_for(ends)
    units = [line[0] for line in points]
    layout = (heading("What does it cost to start, run and finish a unit?", spawn_words(run), left, width, height)
              + "set xlabel 'units started'\n"
              + log_axis("x", min(units) / 1.3, max(max(units), min(units) * 10) * 1.3, count, True)
              + log_axis("y", *y, tick_ns) + margins(width, height, left, right, top)
              + f"left = {left / width:.4f}\nright = {1 - right / width:.4f}\ngap = {gap / width:.4f}\n"
              + f"panels = {len(firsts)}\nfirsts = {words(firsts)}\n"
              + f"groups = {words(groups)}\ntitles = {words(titles)}\n")
    return Figure(width, height,
                  table(("units", "ns_per_unit", "low", "high", "samples", "contender", "variant"), blocks), layout,
                  {"names": names_at_right(ends, y, 1 - right / width, width, height, top),
                   "blank": log_axis("y", *y, lambda tick: "")}, "panels")


# Operation -> (case, variant, gnuplot point, place within its contender's band, words)
SWITCHES = (("yield", "", 7, 0.27, "yield, one way"), ("handover", "same", 4, 0.0, "hand-over, one CPU"),
            ("handover", "across", 9, -0.27, "hand-over, two CPUs"))
# The bounds that the figure shows as lines, and all of them in words.
BOUND_LINES = ("switch", "swapcontext", "futex-same", "futex-across")
BOUNDS = {"call": "call and return", "switch": "raw register switch", "swapcontext": "swapcontext",
          "clock": "reading the clock", "line": "cache line to the other CPU", "futex-same": "futex hand-over, one CPU",
          "futex-across": "futex hand-over, two CPUs", "pipe-same": "pipe hand-over, one CPU",
          "pipe-across": "pipe hand-over, two CPUs"}


def by_cost(run, names, cost):
    """gossamer first (topmost), then by rising cost; contenders without a number in the first operation last."""
    return sorted(names, key=lambda name: (name != rows.US, cost(name) is None, cost(name) or 0.0))


def switch(run):
    """Yield and hand-over: one band a contender, one mark an operation, the bounds as lines."""
    found = {}
    for case, variant, *_ in SWITCHES:
        for name in run.drawn(case):
            cost = run.estimate(case, contender=name, variant=variant, metric="ns_per_op")
            if cost:
                found[name, case, variant] = cost
    if not found:
        return None
    names = by_cost(run, sorted({key[0] for key in found}, key=run.contenders.index),
                    lambda name: min(cost.median for key, cost in found.items() if key[0] == name))
    bounds = [(bound, run.estimate("bound", contender=rows.RAW, variant=bound, metric="ns_per_op"))
              for bound in BOUND_LINES]
    bounds = sorted((bound for bound in bounds if bound[1]), key=lambda bound: bound[1].median)
    width, left, right, top, bottom = 960, 40 + 8.6 * max(len(rows.label(name)) for name in names), 90, 60, 112
    head = top + 20 * len(bounds)
    height = int(head + bottom + 50 * len(names))
    blocks, styles, points, text = [], [], [], []
    for band, name in enumerate(names):
        for case, variant, point, shift, _ in SWITCHES:
            cost = found.get((name, case, variant))
            if cost:
                y = len(names) - band + shift
                blocks.append([(round(y, 2), *cost[:4], name, f"{case} {variant}".strip())])
                styles.append(run.style(name))
                points.append(point)
                text.append(on_white(nanoseconds(cost.median), f"first {cost.high:.6g}", f"{y:.2f}", "left", shift=1.4))
    values = [line[0] for line in blocks] + [(0, cost.median, cost.low, cost.high) for _, cost in bounds]
    low, high = min(line[2] for line in values) / 1.5, max(line[3] for line in values) * 1.3
    named = []
    for bound, cost in bounds:
        words_beside = f"{BOUNDS[bound]}: {nanoseconds(cost.median)}"
        x = left + (width - left - right) * math.log(cost.median / low) / math.log(high / low)
        named.append((x + 16 + SMALL * len(words_beside) <= width, cost, words_beside))
    # Names to the left of their lines come first: lower lines do not reach up to them.
    for place, (at_right, cost, words_beside) in enumerate(sorted(named, key=lambda item: (item[0], item[1].median))):
        text += vertical(cost.median, 1 - (top + 20 * place) / height, bottom / height, words_beside, not at_right)
    layout = (heading("How long does it take to pass the processor on?", "", 90, width, height)
              + log_axis("x", low, high, tick_ns) + f"set yrange [0.45:{len(names) + 0.55}]\n"
              + "set xlabel 'time per operation'\n" + bands(run, names)
              + f"set lmargin at screen {left / width:.4f}\nset rmargin at screen {1 - right / width:.4f}\n"
              + f"set tmargin at screen {1 - head / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              + "\n".join(text) + "\n" + switch_key(found, left, width, height)
              + f"styles = {words(styles)}\npoints = {words(points)}\n")
    return Figure(width, height, table(("place", "ns_per_op", "low", "high", "samples", "contender", "operation"),
                                       blocks), layout)


def vertical(x, top, bottom, words_beside, to_left):
    """A reference line over the panel's height, its name on the side that has room."""
    side, shift = ("right", -0.6) if to_left else ("left", 0.6)
    return [f"set arrow from first {x:.6g}, screen {bottom:.4f} to first {x:.6g}, screen {top:.4f} nohead "
            f"lc rgb '#8C8C8C' lw 1.2 dt (6,4) back",
            f"set label {quote(words_beside)} at first {x:.6g}, screen {top - 0.004:.4f} {side} offset {shift},0 "
            f"font 'DejaVu Sans,12' tc rgb {quote(FAINT)} noenhanced"]


def bands(run, names):
    """Contenders as names on the y axis, the first at the top, with a hair line between two."""
    lines = ["unset ytics"]
    for band, name in enumerate(names):
        y = len(names) - band
        ours = name == rows.US
        lines.append(f"set label {quote(rows.label(name))} at graph 0, first {y} right offset -1,0 noenhanced "
                     f"font 'DejaVu Sans{' Bold' if ours else ''},15' tc rgb {quote('#B34700' if ours else INK)}")
        if band:
            lines.append(f"set arrow from graph 0, first {y + 0.5} to graph 1, first {y + 0.5} nohead "
                         "lc rgb '#E2E2E2' lw 1 back")
    return "\n".join(lines) + "\n"


def switch_key(found, left, width, height):
    """Which mark is which operation, in one line below the axis."""
    lines, x = [], left
    for case, variant, point, _, meaning in SWITCHES:
        if any(key[1:] == (case, variant) for key in found):
            lines.append(f"set label {quote(meaning)} at screen {(x + 16) / width:.4f},{20 / height:.4f} left "
                         f"font 'DejaVu Sans,14' tc rgb {quote(INK)} point pt {point} ps 1.15 lc rgb {quote(INK)} "
                         "offset 1.2,-0.35")
            x += 52 + 8.4 * len(meaning)
    return "\n".join(lines) + "\n"


CHECK_VARIANTS = {"shallow": "tree of small calls", "deep": "chain, frames < 256 B", "deep256": "chain, frames ≥ 256 B",
                  "fib": "over code layouts", "crossing": "nursery to deep and back"}
CHECK_BUILDS = ("plain", "checked")
CHECK_METRICS = (("instructions_per_call", "instructions per call"), ("ns_per_op", "nanoseconds per call"))


def check_variants(run):
    """The variants with samples, known ones first."""
    names = {row["variant"] for row in run.values("check") if row["contender"] in CHECK_BUILDS}
    return [name for name in CHECK_VARIANTS if name in names] + sorted(names - set(CHECK_VARIANTS))


def check_added(run, variant, metric):
    """Estimate of what the check adds to a call, by launch; None without a pair."""
    plain, checked = stats.alike(*(run.per_launch("check", contender=build, variant=variant, metric=metric)
                                   for build in CHECK_BUILDS))
    added = [checked[key] - plain[key] for key in plain if key in checked]
    return stats.estimate(added) if added else None


def check(run):
    """What the check adds to a call: the same code with and without, in instructions and in time."""
    width, left, gap, top, bottom = 960, 206, 40, 84, 74
    variants = check_variants(run)
    found = {(metric, build, variant): run.estimate("check", contender=build, variant=variant, metric=metric)
             for metric, _ in CHECK_METRICS for build in CHECK_BUILDS for variant in variants}
    metrics = [(metric, title) for metric, title in CHECK_METRICS
               if all(any(found[metric, build, variant] for variant in variants) for build in CHECK_BUILDS)]
    if not metrics:
        return None
    height = top + bottom + 78 * len(variants)
    blocks, parts = [], {}
    for panel, (metric, title) in enumerate(metrics):
        text, highest = [], max(cost.high for key, cost in found.items() if cost and key[0] == metric)
        for build, shift in zip(CHECK_BUILDS, (0.19, -0.19)):
            block = []
            for place, variant in enumerate(variants):
                cost = found[metric, build, variant]
                if cost:
                    y = len(variants) - place + shift
                    block.append((round(y, 2), *cost[:4], build, variant))
                    added = check_added(run, variant, metric) if build != "plain" else None
                    value = bar_text(cost, added, call_words(metric))
                    text.append(f"set label {quote(value)} at first "
                                f"{cost.high:.6g},{y:.2f} left offset 0.6,0 font 'DejaVu Sans,13' tc rgb {quote(INK)}")
            blocks.append(block)
        parts[f"panel{panel}"] = (f"set title {quote(title)}\nset xrange [0:{highest * 1.36:.6g}]\n"
                                  + "\n".join(text) + "\n")
    names = [f"set label {quote(text)} at screen {(left - 12) / width:.4f}, first {len(variants) - place + lift} "
             f"right font 'DejaVu Sans,{size}' tc rgb {quote(colour)}"
             for place, variant in enumerate(variants)
             for text, lift, size, colour in ((variant, 0.14, 15, INK),
                                              (CHECK_VARIANTS.get(variant, ""), -0.16, 12, FAINT))]
    parts["panel0"] += "\n".join(names) + "\n" + check_key(width, height)
    layout = (f"set yrange [0.45:{len(variants) + 0.55}]\nunset ytics\n"
              f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              f"panels = {len(metrics)}\nleft = {left / width:.4f}\nright = {1 - 30 / width:.4f}\n"
              f"gap = {gap / width:.4f}\n")
    return Figure(width, height, table(("place", "value", "low", "high", "samples", "build", "variant"), blocks),
                  layout, parts)


def bar_text(cost, added, text):
    """The value, and for the checked build what it adds."""
    if not added:
        return text(cost.median)
    more = exact(abs(added.median)) if text is exact else f"{abs(added.median):.2f}"
    return f"{text(cost.median)}  ({'+' if added.median >= 0 else '−'}{more})"


def check_key(width, height):
    lines = [heading("What does the stack check add to a call?", "", 90, width, height)]
    for x, colour, meaning in ((0.33, "#BDBDBD", "plain: compiled without checks"),
                               (0.66, "#D55E00", "checked (added by the check)")):
        lines.append(f"set label {quote(meaning)} at screen {x - 0.2:.3f},{22 / height:.4f} left offset 1.2,-0.35 "
                     f"point pt 5 ps 1.6 lc rgb {quote(colour)} font 'DejaVu Sans,14'")
    return "\n".join(lines) + "\n"


# The README's figure shows these, and whoever is not in plots/rows.py; `memory` shows everybody.
HEADLINE = (rows.US, "gossamer-cold", "tokio", "go", "java", "may", "erlang", "fixed-bare", "fixed", "boost-fiber",
            "pthread-min", "pthread")


def headline(run):
    """The README's figure: what a parked unit costs and how many there can be."""
    lines = {}
    for name in run.drawn("memory"):
        cost, _ = unit_cost(run, name)
        if cost and (name in HEADLINE or name not in rows.CONTENDERS):
            lines[name] = (cost, *run.most_units("memory", name))
    if not lines:
        return None
    names = by_cost(run, lines, lambda name: lines[name][0].median)
    width, left, gap, top, bottom = 960, 36 + 8.9 * max(len(rows.label(name)) for name in names), 60, 84, 44
    height = int(top + bottom + 40 * len(names))
    block, cost_text, most_text = [], [], []
    for band, name in enumerate(names):
        cost, most, stop = lines[name]
        y = len(names) - band
        block.append((y, cost.median, cost.low, cost.high, most, name))
        bold = " Bold" if name == rows.US else ""
        cost_text.append(f"set label {quote(f'{cost.median:,.0f} B')} at first {cost.median:.6g},{y} left "
                         f"offset 1.8,0 font 'DejaVu Sans{bold},14'")
        note = f"{most:,}: " + (reason(stop["why"]) if stop else "largest tried")
        most_text.append(f"set label {quote(note)} at first {most},{y} right offset -1.8,0 "
                         f"font 'DejaVu Sans{bold},14' noenhanced")
    costs, mosts = [line[1] for line in block], [line[4] for line in block]
    parts = {"panel0": "set title 'Bytes per parked unit'\n" + bands(run, names)
             + log_axis("x", min(costs) / 1.6, max(costs) * 4.2, nbytes, True) + "\n".join(cost_text) + "\n",
             "panel1": "set title 'Most units reached'\n"
             + log_axis("x", min(mosts) / (max(mosts) / min(mosts)) ** 2 / 8, max(mosts) * 1.6, count, True)
             + "\n".join(most_text) + "\n"}
    layout = (f"set yrange [0.45:{len(names) + 0.55}]\n"
              f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              + heading("What does a parked unit cost, and how many can there be?", "", 90, width, height) +
              f"left = {left / width:.4f}\nright = {1 - 24 / width:.4f}\ngap = {gap / width:.4f}\n"
              f"styles = {words(run.style(name) for name in names)}\n"
              f"us = {names.index(rows.US) if rows.US in names else -1}\n")
    return Figure(width, height,
                  table(("place", "bytes_per_unit", "low", "high", "most_units", "contender"), [block]), layout, parts)


def unit_cost(run, contender):
    """(bytes a further parked unit costs, whether it is a slope); at a single size, its mean bytes per unit."""
    slopes = run.memory_slopes(contender)
    if slopes:
        return stats.estimate(list(slopes.values())), True
    sizes = [point for point in (run.memory_per_unit(contender, n) for n in run.sizes("memory", contender=contender))
             if point]
    return (sizes[-1][1], False) if sizes else (None, False)


FIGURES = {"headline": headline, "memory": memory, "spawn": spawn, "switch": switch, "ratios": prep_ratios.ratios,
           "check": check,
           "depth-memory": prep_stacks.depth_memory, "depth-cost": prep_stacks.depth_cost,
           "rss-time": prep_stacks.rss_time, "hot-split": prep_check.hot_split, **prep_blocking.FIGURES,
           **prep_server.FIGURES, **prep_peers.FIGURES}
