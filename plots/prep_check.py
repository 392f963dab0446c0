"""Figure of the hot split: a loop in which every call crosses to another stack and back."""
import rows
import stats
from layout import FAINT, INK, Figure, heading, log_axis, nanoseconds, quote, table, tick_ns

# Build -> (words, further words)
SPLITS = {"plain": ("no crossing", "the same calls on a large stack"),
          "checked": ("gossamer", "nursery to deep region and back"),
          "libgcc-signals": ("libgcc, signals not blocked", "an option that few programs can take"),
          "libgcc": ("libgcc", "gcc's own runtime for split stacks, as it is")}
COLOURS = {"plain": "#BDBDBD", "checked": "#D55E00"}


def split_costs(run):
    """{build: Estimate of ns per call of the crossing loop}, those that were measured."""
    found = {build: run.estimate("check", contender=build, variant="crossing", metric="ns_per_op") for build in SPLITS}
    return {build: cost for build, cost in found.items() if cost}


def added(run, build):
    """Estimate of what a build's crossing adds to a call, by launch."""
    plain, other = stats.alike(*(run.per_launch("check", contender=name, variant="crossing", metric="ns_per_op")
                                 for name in ("plain", build)))
    values = [other[key] - plain[key] for key in other if key in plain]
    if values or not plain or not other:
        return stats.estimate(values) if values else None
    middle = stats.median(list(plain.values()))
    return stats.estimate([value - middle for value in other.values()])


def times_ours(run, build):
    """How many times as much it adds as gossamer's; None where that cannot be said."""
    ours, theirs = added(run, "checked"), added(run, build)
    return theirs.median / ours.median if ours and theirs and ours.median > 0 else None


def hot_split(run):
    """What a call costs when each one needs another stack; None without libgcc's runtime beside ours."""
    costs = split_costs(run)
    if "libgcc" not in costs or "checked" not in costs:
        return None
    width, left, top, bottom = 960, 290, 84, 60
    height = top + bottom + 62 * len(costs)
    low, high = min(cost.low for cost in costs.values()) / 1.6, max(cost.high for cost in costs.values()) * 12
    block, text = [], []
    for band, (build, cost) in enumerate(costs.items()):
        y = len(costs) - band
        block.append((y, *cost[:4], COLOURS.get(build, "#0072B2"), build))
        for words, lift, size, colour in ((SPLITS[build][0], 0.14, 15, INK), (SPLITS[build][1], -0.18, 12, FAINT)):
            text.append(f"set label {quote(words)} at screen {(left - 14) / width:.4f}, first {y + lift:.2f} right "
                        f"font 'DejaVu Sans,{size}' tc rgb {quote(colour)}")
        beside = nanoseconds(cost.median)
        if build.startswith("libgcc"):
            times = times_ours(run, build)
            beside += f"  (crossing: × {times:.3g})" if times else ""
        text.append(f"set label {quote(beside)} at first {cost.high:.6g},{y} left offset 1,0 "
                    f"font 'DejaVu Sans,14' tc rgb {quote(INK)}")
    layout = (heading("What does it cost when every call needs another stack?", "time per call; a crossing's price is "
                      "what exceeds the first line", 90, width, height)
              + log_axis("x", low, high, tick_ns) + f"set yrange [0.45:{len(costs) + 0.55}]\nunset ytics\n"
              + f"set lmargin at screen {left / width:.4f}\nset rmargin at screen {1 - 40 / width:.4f}\n"
              + f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              + "\n".join(text) + "\n")
    return Figure(width, height, table(("place", "ns_per_call", "low", "high", "samples", "colour", "build"), [block]),
                  layout)


def fib_layouts(run):
    """{layout: {build: [ns]}} of fib."""
    found = {}
    for row in run.values("check", variant="fib", metric="ns_per_op"):
        found.setdefault(row["layout"], {}).setdefault(row["contender"], []).append(row["value"])
    return {name: builds for name, builds in sorted(found.items()) if all(b in builds for b in rows.BUILDS)}
