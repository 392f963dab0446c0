"""What a peer costs over gossamer, quantity by quantity: for the figure, and for the tables of the report."""
import rows
import stats
from layout import FAINT, INK, Figure, heading, on_white, quote, short, table

# Peer -> what kind of unit it has, in the order of tables: those whose units can wait anywhere, then the others.
STACKFUL = {"go": "stack, copied to grow", "java": "stack, copied to the heap when it waits",
            "java-tuned": "the same, tuned", "may": "stack of fixed size", "may-tuned": "the same, tuned",
            "boost-fiber": "stack of fixed size", "boost-fiber-pool": "the same, tuned", "st": "stack of fixed size",
            "st-small": "the same, tuned", "pth": "stack of fixed size", "pth-small": "the same, tuned",
            "fcontext": "stack of fixed size, simplest scheduler", "erlang": "heap of its own, virtual machine",
            "erlang-tuned": "the same, tuned"}
STACKLESS = {"tokio": "stackless", "tokio-tuned": "the same, tuned", "cxx20": "stackless, one thread",
             "cxx20-pool": "the same, tuned", "tbb": "job that cannot wait"}
KINDS = {**STACKFUL, **STACKLESS}
LEAST, MOST = 0.03, 3000    # of the figure's axis; what lies beyond is drawn at its end


def pair_ratio(run, case, name, **fields):
    """A peer's cost over gossamer's, or None where one of them was not measured."""
    paired = run.ratios(case, name, **fields)
    if paired:
        return stats.estimate(list(paired.values()))
    pair = [run.per_launch(case, contender=who, **fields) for who in (rows.US, name)]
    return stats.ratio(*pair) if all(pair) else None


def at_largest(run, case, name, by, **fields):
    """The same at the largest value of a field that both were measured at."""
    common = set.intersection(*({row[by] for row in run.values(case, contender=who, **fields)}
                                for who in (rows.US, name)))
    return pair_ratio(run, case, name, **fields, **{by: max(common)}) if common else None


def memory(run, name):
    ours, theirs = run.memory_slopes(rows.US), run.memory_slopes(name)
    return stats.ratio(ours, theirs) if ours and theirs else None


def operation(case, variant):
    return lambda run, name: pair_ratio(run, case, name, variant=variant, metric="ns_per_op")


def program(variant):
    """On as many threads as both ran it on."""
    return lambda run, name: at_largest(run, "scale", name, "threads", variant=variant, metric="ns_per_op")


def started(run, name):
    """Warm, on one thread, at the largest size that both have."""
    return at_largest(run, "spawn", name, "n", variant="warm", threads=1, metric="ns_per_op")


def timers(run, name):
    """Processor time of a timer or, where a peer has none, of a unit that sleeps, against the same of gossamer."""
    for variant in ("timer", "sleep"):
        found = at_largest(run, "timers", name, "n", variant=variant, metric="cpu_ns_per_op")
        if found:
            return found
    return None


def descent(run, name):
    return at_largest(run, "descent", name, "depth", variant="warm", metric="ns_per_op")


# Heading -> the ratio of a run and a peer.
QUANTITIES = {"memory, parked": memory, "start + finish": started, "yield": operation("yield", ""),
              "hand-over, one CPU": operation("handover", "same"),
              "hand-over, two CPUs": operation("handover", "across"),
              "skynet": program("skynet"), "skynet, channels": program("skynet-chan"), "fan": program("fan"),
              "timers": timers, "deep recursion": descent}
COLUMNS = 5    # of the figure


def ratios(run):
    """{quantity: {peer: Estimate}} of what was measured."""
    found = {}
    for title, of in QUANTITIES.items():
        values = {name: of(run, name) for name in KINDS}
        if any(values.values()):
            found[title] = {name: value for name, value in values.items() if value}
    return found


def axis_place(value):
    return min(max(value, LEAST), MOST)


def panel_text(title, values, places, panel, width, height, left, count):
    """Heading, the line at 1, and a number beside each mark; the peers' names where a row begins."""
    first, leads = panel == 0, panel % COLUMNS == 0
    text = [f"set title {quote(title)} font 'DejaVu Sans,12' offset 0,-0.4", f"set xrange [{LEAST}:{MOST}]",
            "set xtics ('0.1' 0.1, '1' 1, '10' 10, '100' 100) font 'DejaVu Sans,11'",
            f"set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '{FAINT}' lw 1.4 back"]
    for name, value in values.items():
        if name in places:
            to_left = value.median > 30
            x = axis_place(value.low if to_left else value.high)    # clear of the interval
            text.append(on_white(short(value.median), f"first {x:.6g}", places[name], "right" if to_left else "left",
                                 11, shift=0.9))
    if leads:
        for name, place in places.items():
            text.append(f"set label {quote(rows.label(name))} at screen {(left - 12) / width:.4f}, first {place} right "
                        f"noenhanced font 'DejaVu Sans,13' tc rgb {quote(INK)}")
    if first:
        text.append(heading("What does a peer cost, over gossamer?", "times gossamer's cost: round marks right of the "
                            "line, gossamer is cheaper; square ones left of it, the peer is", 84, width, height))
    return "\n".join(text) + f"\nset yrange [0.4:{count + 0.6}]\nunset ytics\n"


def peers(run):
    """The peer's cost over gossamer's: a panel a quantity, a line a peer, stackless ones below."""
    found = ratios(run)
    names = [name for name in KINDS if name not in rows.TUNED and any(name in values for values in found.values())]
    if not names:
        return None
    gaps = 1 if any(name in STACKFUL for name in names) and any(name in STACKLESS for name in names) else 0
    count, width, left, gap, top, bottom = len(names) + gaps, 1000, 176, 14, 44, 44    # of each row
    above, row = 64, top + bottom + 26 * count
    height = above + row * (1 + (len(found) - 1) // COLUMNS)
    places, at = {}, count
    for name in names:
        if gaps and name in STACKLESS:
            at, gaps = at - 1, 0    # an empty line between the two kinds
        places[name] = at
        at -= 1
    blocks, parts = [], {}
    for panel, (title, values) in enumerate(found.items()):
        blocks.append([(places[name], *(axis_place(end) for end in value[:3]), value.n, name, title)
                       for name, value in values.items() if name in places])
        parts[f"panel{panel}"] = panel_text(title, values, places, panel, width, height, left, count)
    layout = (f"panels = {len(found)}\ncolumns = {COLUMNS}\nleft = {left / width:.4f}\n"
              f"right = {1 - 16 / width:.4f}\ngap = {gap / width:.4f}\n"
              f"above = {above / height:.4f}\nrow = {row / height:.4f}\n"
              f"top = {top / height:.4f}\nbottom = {bottom / height:.4f}\n")
    return Figure(width, height, table(("place", "ratio", "low", "high", "pairs", "contender", "quantity"), blocks),
                  layout, parts)


FIGURES = {"peers": peers}
