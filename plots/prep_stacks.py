"""Figures of stacks in use: memory and time against depth, memory over time through a burst of recursion."""
import math

import rows
import stats
from layout import (FAINT, INK, Figure, heading, log_axis, margin_for, margins, names_at_right, nbytes, quote, table,
                    tick_ns, words)

NOTHING = 64    # where depth 0 is drawn on a logarithmic axis


def binary(value):
    """A size as programmers write it: 128 B, 16 KiB, 64 MiB."""
    for shift, unit in ((20, "MiB"), (10, "KiB")):
        if value >= 1 << shift:
            return f"{value / (1 << shift):g} {unit}"
    return f"{value:g} B"


def depth_axis(depths):
    """Range and ticks of the depths; every other one, or fewer, so that the words keep apart."""
    places = [max(depth, NOTHING) for depth in depths]
    keep = depths[::max(1, math.ceil(len(depths) / 5))]
    ticks = ", ".join(f"{quote(binary(depth) if depth else '0')} {max(depth, NOTHING)}" for depth in keep)
    return f"set xrange [{min(places) / 1.3:.6g}:{max(places) * 1.3:.6g}]\nset xtics ({ticks})\n"


def depth_bytes(run, contender, variant, depth):
    """Estimate of bytes per unit: RSS, page tables and kernel stack; None without samples. Depth 0 has one variant."""
    variant = variant if depth else "at"
    launches = {}
    for row in run.values("depth", contender=contender, variant=variant, depth=depth):
        if row["metric"] in rows.MEMORY_PARTS and row["units_made"] > 0:
            launches.setdefault(row["launch"], {})[row["metric"]] = row["value"] / row["units_made"]
    sums = [sum(parts.values()) for parts in launches.values() if len(parts) == len(rows.MEMORY_PARTS)]
    return stats.estimate(sums) if sums else None


def depth_ns(run, contender, variant, depth):
    return run.estimate("descent", contender=contender, variant=variant, depth=depth, metric="ns_per_op")


def depths(run, case):
    return sorted({row["depth"] for row in run.select(case)})


def panels(run, case, variants, cost, title, subtitle, y_text, marks):
    """A panel a variant, a line a contender. marks: layout of the first panel alone."""
    width, left, gap, top = 960, 84, 46, 96
    blocks, firsts, groups, ends = [], [], [], {}
    for variant, _ in variants:
        styles, first = [], len(blocks)
        for name in rows.last_first(run.drawn(case)):
            found = [(max(depth, NOTHING), cost(run, name, variant, depth)) for depth in depths(run, case)]
            block = [(x, value.median, value.low, value.high, value.n, name, variant) for x, value in found if value]
            if block:
                blocks.append(block)
                styles.append(run.style(name))
                ends[name] = (styles[-1], block[-1][0], block[-1][1], rows.label(name), "", False)
        if styles:
            firsts.append(first)
            groups.append(" ".join(map(str, styles)))
    if not blocks:
        return None
    points = [line for block in blocks for line in block]
    y = (min(line[2] for line in points) / 1.4, max(line[3] for line in points) * 1.4)
    ends = list(ends.values())
    height, right = 560, margin_for(ends)
    layout = (heading(title, subtitle, left, width, height) + "set xlabel 'stack touched'\n"
              + depth_axis(depths(run, case)) + log_axis("y", *y, y_text) + margins(width, height, left, right, top)
              + f"left = {left / width:.4f}\nright = {1 - right / width:.4f}\ngap = {gap / width:.4f}\n"
              + f"panels = {len(firsts)}\nfirsts = {words(firsts)}\ngroups = {words(groups)}\n"
              + f"titles = {words(text for _, text in variants)}\n" + marks)
    return Figure(width, height,
                  table(("depth", "median", "low", "high", "samples", "contender", "variant"), blocks), layout,
                  {"names": names_at_right(ends, y, 1 - right / width, width, height, top),
                   "blank": log_axis("y", *y, lambda tick: "") + "unset arrow\n"}, "panels")


def nursery_left(run):
    """(last depth on the smallest nursery, first beyond it) of gossamer's parked tasks, or None."""
    before = None
    for depth in depths(run, "depth"):
        cost = depth_bytes(run, rows.US, "at", depth)
        if cost and before and cost.median > 1.4 * before[1]:
            return before[0], depth
        before = (depth, cost.median) if cost else before
    return None


def mark(x, text):
    return (f"set arrow from first {x:.6g}, graph 0 to first {x:.6g}, graph 1 nohead lc rgb '#8C8C8C' lw 1.2 dt (6,4) "
            f"back\nset label {quote(text)} at first {x:.6g}, graph 0.05 left offset 0.8,0 "
            f"font 'DejaVu Sans,12' tc rgb {quote(FAINT)}\n")


def depth_memory(run):
    """Bytes per parked unit against the depth that it touched."""
    step = nursery_left(run)
    marks = mark(math.sqrt(max(step[0], NOTHING) * step[1]), "gossamer leaves its smallest nursery") if step else ""
    return panels(run, "depth", (("at", "parked at that depth"), ("after", "parked after coming back")), depth_bytes,
                  "What does a parked unit cost that has used its stack?",
                  "bytes per unit: resident memory + page tables + kernel stack", nbytes, marks)


def depth_cost(run):
    """Nanoseconds per call of a recursion, against its depth."""
    return panels(run, "descent", (("first", "the first time: memory is new"), ("warm", "again")), depth_ns,
                  "What does a call cost in a recursion of this depth?", "time per call, down and up together", tick_ns,
                  "")


# ---- memory over time ----------------------------------------------------------------------------------------------

# Phase -> (words, drawn width in seconds; None: as long as it was held). Bursts differ in length: one width for all.
PHASES = {"shallow": ("parked", None), "burst": ("1 MiB deep, by 500", 2.0),
          "after": ("parked again", None), "second": ("every 2nd again", 2.0),
          "deep": ("half parked 16 KiB deep", None)}


def burst_series(run, contender):
    """[(phase, [(seconds within the phase, bytes per unit)])] of the first launch, in order."""
    found = [row for row in run.values("burst", contender=contender, metric="rss_bytes") if row["launch"] == 0]
    series = []
    for phase in PHASES:
        samples = sorted((row["at_ms"] / 1000, row["value"] / row["n"]) for row in found if row["variant"] == phase)
        if samples:
            begin = samples[0][0]
            series.append((phase, [(at - begin, value) for at, value in samples]))
    return series


def burst_figures(run, contender):
    """{shallow, peak, after, deep: bytes per unit}: phases by their last sample, the peak of all; None without."""
    series = dict(burst_series(run, contender))
    if not all(phase in series for phase in ("shallow", "after", "deep")):
        return None
    figures = {phase: series[phase][-1][1] for phase in ("shallow", "after", "deep")}
    return dict(figures, peak=max(value for samples in series.values() for _, value in samples))


def rss_time(run):
    """Resident memory per unit through a burst of recursion, the phases of all contenders side by side."""
    found = {name: burst_series(run, name) for name in rows.last_first(run.of_case("burst"))}
    found = {name: series for name, series in found.items() if series}
    if not found:
        return None
    width, left, top = 960, 84, 112
    held = {phase: max((samples[-1][0] for series in found.values() for name, samples in series if name == phase),
                       default=0) for phase in PHASES}
    drawn = {phase: wide if wide else max(held[phase], 1.0) for phase, (_, wide) in PHASES.items()}
    start, at = {}, 0.0
    for phase in PHASES:
        start[phase] = at
        at += drawn[phase]
    blocks, styles, ends = [], [], []
    for name, series in found.items():
        block = []
        for phase, samples in series:
            length = samples[-1][0] or 1.0
            scale = drawn[phase] / length
            block += [(start[phase] + seconds * scale, value, name, phase) for seconds, value in samples]
        blocks.append(block)
        styles.append(run.style(name))
        units = next(row["n"] for row in run.values("burst", contender=name))
        ends.append((styles[-1], block[-1][0], block[-1][1], rows.label(name), f"{units:,} units", False))
    points = [line for block in blocks for line in block]
    y = (min(line[1] for line in points) / 1.6, max(line[1] for line in points) * 1.6)
    height, right = 560, margin_for(ends)
    text = []
    for number, (phase, (what, wide)) in enumerate(PHASES.items()):
        middle = start[phase] + drawn[phase] / 2
        duration = "not to scale" if wide else f"{held[phase]:.1f} s"
        for line, lift, colour in ((what, 1.9, INK), (duration, 0.8, FAINT)):
            text.append(f"set label {quote(line)} at first {middle:.4g}, graph 1 center offset 0,character {lift} "
                        f"font 'DejaVu Sans,12' tc rgb {quote(colour)}")
        if number:
            text.append(f"set arrow from first {start[phase]:.4g}, graph 0 to first {start[phase]:.4g}, graph 1 nohead "
                        "lc rgb '#8C8C8C' lw 1.2 dt (6,4) back")
    layout = (heading("Does memory come back after a burst of recursion?", "resident memory per unit, over time", left,
                      width, height)
              + f"set xrange [0:{at:.4g}]\nunset xtics\n" + log_axis("y", *y, nbytes)
              + margins(width, height, left, right, top)
              + names_at_right(ends, y, 1 - right / width, width, height, top) + "\n".join(text)
              + f"\nstyles = {words(styles)}\n")
    return Figure(width, height, table(("place", "bytes_per_unit", "contender", "phase"), blocks), layout)
