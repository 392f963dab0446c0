"""Figure of ratios to gossamer in the rows that are measured in turns, with what gossamer differs from itself by."""
import rows
import stats
from layout import INK, Figure, count, heading, log_axis, on_white, quote, short, table, words

# Title, case, further fields; spawn is shown at the largest size that both have.
PANELS = (("start + run + finish", "spawn", {"variant": "warm", "threads": 1}), ("yield", "yield", {"threads": 1}),
          ("hand-over, one CPU", "handover", {"variant": "same", "threads": 1}))


def size(run, case, contender, fields):
    """{n: largest size of both} where a row has sizes."""
    if case != "spawn":
        return {}
    both = [{row["n"] for row in run.values(case, contender=name, **fields)} for name in (rows.US, contender)]
    return {"n": max(both[0] & both[1], default=0)}


def ratio(run, case, contender, fields):
    found = run.ratios(case, contender, metric="ns_per_op", **fields, **size(run, case, contender, fields))
    return stats.estimate(list(found.values())) if found else None


def floor(run, case, fields):
    """(lowest, highest) end of the A/A intervals of a panel, over its sizes; None without a control."""
    sizes = [{"n": n} for n in run.sizes(case, contender=rows.AGAIN, **fields)] if case == "spawn" else [{}]
    found = [run.ratios(case, rows.AGAIN, metric="ns_per_op", **fields, **n) for n in sizes]
    found = [stats.estimate(list(same.values())) for same in found if same]
    return (min(same.low for same in found), max(same.high for same in found)) if found else None


def band(ends):
    """A grey rectangle over the panel's height, and the line at 1."""
    text = ("unset object\nunset arrow\nset arrow from first 1, graph 0 to first 1, graph 1 nohead "
            "lc rgb '#555555' lw 1.2 back\n")
    if ends:
        text += (f"set object rectangle from first {ends[0]:.6g}, graph 0 to first {ends[1]:.6g}, graph 1 "
                 "fc rgb '#BDBDBD' fs solid 0.6 noborder behind\n")
    return text


def ratios(run):
    """A row a contender, a panel a case: its cost over gossamer's."""
    found = {(name, title): ratio(run, case, name, fields) for title, case, fields in PANELS
             for name in run.drawn(case) if name != rows.US}
    found = {key: cost for key, cost in found.items() if cost}
    if not found or not any(run.values(case, contender=rows.AGAIN) for _, case, _ in PANELS):
        return None
    names = sorted({name for name, _ in found},
                   key=lambda name: min(cost.median for key, cost in found.items() if key[0] == name))
    width, left, gap, top, bottom = 960, 36 + 8.9 * max(len(rows.label(name)) for name in names), 34, 100, 66
    height = int(top + bottom + 34 * len(names))
    low, high = min(cost.low for cost in found.values()) / 1.6, max(cost.high for cost in found.values()) * 9
    blocks, firsts, groups, titles, parts = [], [], [], [], {}
    for title, case, fields in PANELS:
        shown = [name for name in names if (name, title) in found]
        if not shown:
            continue
        text, styles = [band(floor(run, case, fields))], []
        firsts.append(len(blocks))
        for name in shown:
            cost, y = found[name, title], len(names) - names.index(name)
            blocks.append([(y, *cost[:4], name, title)])
            styles.append(run.style(name))
            text.append(on_white(short(cost.median), f"first {cost.high:.6g}", y, "left", shift=1.4))
        parts[f"panel{len(titles)}"] = "\n".join(text) + "\n"
        groups.append(" ".join(map(str, styles)))
        titles.append(title)
    parts["panel0"] += "".join(
        f"set label {quote(rows.label(name))} at graph 0, first {len(names) - place} right offset -1,0 noenhanced "
        f"font 'DejaVu Sans,15' tc rgb {quote(INK)}\n" for place, name in enumerate(names))
    layout = (heading("Who is cheaper than gossamer, and by more than the instrument's own error?",
                      "time over gossamer's; grey: gossamer over itself, the A/A floor; left of it others are cheaper",
                      90, width, height)
              + log_axis("x", low, high, count, True)
              + f"set yrange [0.45:{len(names) + 0.55}]\nunset ytics\n"
              + f"set tmargin at screen {1 - top / height:.4f}\nset bmargin at screen {bottom / height:.4f}\n"
              + f"panels = {len(titles)}\nleft = {left / width:.4f}\nright = {1 - 24 / width:.4f}\n"
              + f"gap = {gap / width:.4f}\n"
              + f"titles = {words(titles)}\nfirsts = {words(firsts)}\ngroups = {words(groups)}\n")
    return Figure(width, height, table(("place", "ratio", "low", "high", "samples", "contender", "panel"), blocks),
                  layout, parts)
