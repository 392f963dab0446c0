"""Figures of the server: rate and tail against connections, and the tail at equal rates."""
import rows
from layout import (Figure, count, heading, log_axis, margin_for, margins, names_at_right, quote, table, tick_ns, words)

QUANTILES = (("p50_ns", "median", 1), ("p99_span_ns", "99 %, span", 1.6), ("p99_ns", "99 %", 2.5),
             ("p999_ns", "99.9 %", 4))
WIDTH, HEIGHT, LEFT, GAP, TOP = 960, 560, 92, 84, 96


def cost(run, name, variant, n, metric):
    return run.estimate("server", contender=name, variant=variant, n=n, metric=metric)


def series(run, name, metric):
    """[(connections, median, low, high, samples, contender, metric)] of the closed loops."""
    found = [(n, cost(run, name, "closed", n, metric)) for n in run.sizes("server", variant="closed")]
    return [(n, value.median, value.low, value.high, value.n, name, metric) for n, value in found if value]


def open_variants(run):
    return sorted({row["variant"] for row in run.values("server") if row["variant"].startswith("open-")})


def rate_axis(highest):
    """A linear axis from 0 with some five ticks."""
    step = next(step * 10 ** power for power in range(9) for step in (1, 2, 5) if highest / (step * 10 ** power) <= 6)
    ticks = ", ".join(f"{quote(count(i * step))} {i * step}" for i in range(int(highest / step) + 2))
    return f"set yrange [0:{highest * 1.08:.6g}]\nset ytics ({ticks})\n"


def frame(title, subtitle, right, titles):
    return (heading(title, subtitle, LEFT, WIDTH, HEIGHT) + margins(WIDTH, HEIGHT, LEFT, right, TOP)
            + f"left = {LEFT / WIDTH:.4f}\nright = {1 - right / WIDTH:.4f}\ntitles = {words(titles)}\n")


def server(run):
    """Requests a second and the 99th percentile of latency against connections, closed loop."""
    names = [name for name in rows.last_first(run.drawn("server")) if series(run, name, "requests_per_s")]
    if not names:
        return None
    rates, tails = ([series(run, name, metric) for name in names] for metric in ("requests_per_s", "p99_ns"))
    ends = [(run.style(name), block[-1][0], block[-1][1], rows.label(name), "", False)
            for name, block in zip(names, tails)]
    points = [line for block in tails for line in block]
    y = (min(line[2] for line in points) / 1.4, max(line[3] for line in points) * 1.4)
    sizes = [line[0] for block in rates for line in block]
    right = margin_for(ends)
    layout = (frame("How fast does plain blocking code serve?", "the server on one CPU, wrk on another, keep-alive",
                    right, ("requests per second", "99th percentile of latency"))
              + "set xlabel 'connections'\n" + log_axis("x", min(sizes) / 1.3, max(max(sizes), 10 * min(sizes)) * 1.3,
                                                       count, True)
              + f"gap = {GAP / WIDTH:.4f}\nstyles = {words(run.style(name) for name in names)}\n")
    return Figure(WIDTH, HEIGHT, table(("connections", "median", "low", "high", "samples", "contender", "metric"),
                                       rates + tails), layout,
                  {"rate": rate_axis(max(line[3] for block in rates for line in block)),
                   "tail": log_axis("y", *y, tick_ns) + names_at_right(ends, y, 1 - right / WIDTH, WIDTH, HEIGHT, TOP)})


def rate_of(run, variant):
    return next(row["rate"] for row in run.values("server", variant=variant))


def server_tail(run):
    """Quantiles of latency at equal rates, open loop."""
    blocks, firsts, groups, titles, ends = [], [], [], [], {}
    for variant in open_variants(run):
        firsts.append(len(blocks))
        titles.append(f"{rate_of(run, variant):,} requests/s ({variant[5:]} per cent)")
        styles = []
        for name in rows.last_first(run.drawn("server")):
            found = [(x, cost(run, name, variant, n, metric), words_of) for n in run.sizes("server", variant=variant)
                     for metric, words_of, x in QUANTILES]
            block = [(x, value.median, value.low, value.high, value.n, name, variant) for x, value, _ in found if value]
            if block:
                blocks.append(block)
                styles.append(run.style(name))
                ends[name] = (styles[-1], block[-1][0], block[-1][1], rows.label(name), "", False)
        groups.append(" ".join(map(str, styles)))
    if not blocks:
        return None
    points = [line for block in blocks for line in block]
    y = (min(line[2] for line in points) / 1.4, max(line[3] for line in points) * 1.4)
    ends, gap = list(ends.values()), 46
    right = margin_for(ends)
    ticks = ", ".join(f"{quote(text.replace('%', '%%'))} {x}" for _, text, x in QUANTILES)
    layout = (frame("How long do answers take at equal rates?",
                    "from when a request should have been sent; shares of the weakest server's peak", right, titles)
              + f"set xrange [0.8:5]\nset xtics ({ticks})\n" + log_axis("y", *y, tick_ns)
              + f"gap = {gap / WIDTH:.4f}\npanels = {len(firsts)}\nfirsts = {words(firsts)}\n"
              + f"groups = {words(groups)}\n")
    return Figure(WIDTH, HEIGHT, table(("place", "median", "low", "high", "samples", "contender", "variant"), blocks),
                  layout, {"names": names_at_right(ends, y, 1 - right / WIDTH, WIDTH, HEIGHT, TOP),
                           "blank": log_axis("y", *y, lambda tick: "") + "unset arrow\n"}, "panels")


FIGURES = {"server": server, "server-tail": server_tail}
