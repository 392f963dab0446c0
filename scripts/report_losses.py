"""REPORT.md's section about what others do better than gossamer: each row with its reason and what would close it."""
import prep_server
import prep_stacks
import report_cases as cases
import report_sync
import rows
import stats
from report_reasons import reason

UNEXPLAINED = "**not explained yet**"


def compared(run, what, ours, theirs, name, words):
    """Of a quantity that is made of others; by launch."""
    ratio = stats.ratio(ours, theirs)
    return cases.Comparison(what, name, stats.estimate(list(ours.values())), stats.estimate(list(theirs.values())),
                            ratio, words, cases.resolution(run, ratio.n))


def timer_comparisons(run):
    """By what a timer costs to start, in processor time, and in bytes, at equal numbers."""
    for variant in ("timer", "sleep"):
        for n in run.sizes("timers", contender=rows.US, variant=variant):
            for metric, words in (("ns_per_op", "to start"), ("cpu_ns_per_op", "processor time of one"),
                                  ("late_ns", "how late")):
                yield from cases.timed(run, f"timers ({variant}), {words}", "timers", metric, variant=variant, n=n)
            yield from (item._replace(words=cases.amount) for item in cases.timed(
                run, f"timers ({variant}), memory of all", "timers", "rss_bytes", variant=variant, n=n))


def descent_comparisons(run):
    for variant in ("first", "warm"):
        for depth in prep_stacks.depths(run, "descent"):
            yield from cases.timed(run, f"recursion of {prep_stacks.binary(depth)}, "
                                   + ("the first time" if variant == "first" else "again"), "descent", variant=variant,
                                   depth=depth)


def depth_comparisons(run):
    """Resident memory and page tables of a unit that is parked deep, or has been."""
    for variant, words in (("at", "parked there"), ("after", "parked after it")):
        for depth in prep_stacks.depths(run, "depth"):
            ours = prep_stacks.depth_bytes(run, rows.US, variant, depth)
            for name in run.of_case("depth"):
                theirs = prep_stacks.depth_bytes(run, name, variant, depth)
                if name != rows.US and ours and theirs:
                    ends = (theirs.median / ours.median, theirs.low / ours.high, theirs.high / ours.low)
                    yield cases.Comparison(f"memory of a unit {prep_stacks.binary(depth)} deep, {words}", name, ours,
                                           theirs, stats.Estimate(*ends, 0, 0.0), cases.amount, cases.RESOLVED)


def server_comparisons(run):
    """Closed loops by the server's processor time a request and by the time between answers; open ones by latency."""
    for n in run.sizes("server", variant="closed"):
        yield from cases.timed(run, f"server, {n:,} connections, processor time a request", "server", "cpu_ns_per_op",
                               variant="closed", n=n)
        rates = {name: {key: 1e9 / value for key, value in run.per_launch(
            "server", contender=name, variant="closed", n=n, metric="requests_per_s").items()}
            for name in run.of_case("server")}
        for name, theirs in rates.items():
            if name != rows.US and theirs and rates.get(rows.US):
                yield compared(run, f"server, {n:,} connections, time between answers", rates[rows.US], theirs, name,
                               cases.duration)
        yield from cases.timed(run, f"server, {n:,} connections, latency, 99 %", "server", "p99_ns", variant="closed",
                               n=n)
    for variant in prep_server.open_variants(run):
        for metric, words in (("p50_ns", "median"), ("p99_span_ns", "99 % of a span"), ("p99_ns", "99 % of all")):
            yield from cases.timed(run, f"server at {prep_server.rate_of(run, variant):,} requests/s, latency, {words}",
                                   "server", metric, variant=variant)


def progress_comparisons(run):
    """The share of speed lost while units block would be 0 of 0: the time of a piece of work stands for it."""
    for n in run.sizes("progress"):
        pieces = {}
        for name in run.of_case("progress"):
            before, blocked = ({key: value for key, value in run.per_launch(
                "progress", contender=name, n=n, metric=metric).items()} for metric in ("work_before", "work_blocked"))
            entered = run.estimate("progress", contender=name, n=n, metric="units_blocked")
            if entered and entered.median >= n:    # others were not held up by what did not happen
                pieces[name] = {key: before[key] / blocked[key] for key in before if blocked.get(key)}
        for name, theirs in pieces.items():
            if name != rows.US and theirs and pieces.get(rows.US):
                yield compared(run, f"slowdown of others by {n:,} blocked units", pieces[rows.US], theirs, name,
                               cases.times)


def sync_comparisons(run):
    for variant, words in report_sync.LINES.items():
        yield from cases.timed(run, words, "sync", variant=variant)


def comparisons(run):
    """Every quantity of gossamer against every contender that has it."""
    found = list(cases.comparisons(run))
    for more in (timer_comparisons, descent_comparisons, depth_comparisons, server_comparisons, progress_comparisons,
                 sync_comparisons):
        found += more(run)
    return found


def most_units(run):
    """(contender, theirs, gossamer's, whether a limit stopped gossamer) of those that parked more."""
    ours, stop = run.most_units("memory", rows.US)
    for name in run.of_case("memory"):
        most, _ = run.most_units("memory", name)
        if most > ours:
            yield name, most, ours, bool(stop)


def lost(run):
    """[(quantity, contender, cells)] of what others do better by a resolved margin."""
    found = [(item.what, item.contender, [item.words(item.theirs), item.words(item.ours), cases.times(item.ratio)])
             for item in comparisons(run) if item.is_lost()]
    return found + [("most units parked", name,
                     [cases.whole(most), cases.whole(ours) + (", stopped" if stop else ""), "–"])
                    for name, most, ours, stop in most_units(run)]


def unexplained(run):
    """Quantities lost for which report_reasons.py has no reason."""
    return [(what, name) for what, name, _ in lost(run) if not reason(what, name)]


def losses(run):
    """(what others do better than gossamer and why, what this run cannot tell apart)"""
    lines, reasons = [], []
    for what, name, cells in lost(run):
        found = reason(what, name) or (UNEXPLAINED, "–")
        if found not in reasons:
            reasons.append(found)
        lines.append([what, cases.name_of(name), *cells, str(reasons.index(found) + 1)])
    level = [f"{item.what} against {rows.label(item.contender)} ({cases.times(item.ratio)})"
             for item in comparisons(run) if item.is_level()]
    header = ["quantity", "better contender", "theirs", "gossamer's", "theirs / gossamer's", "why"]
    text = "In no quantity of this run is another contender better by a resolved margin."
    if lines:
        text = cases.markdown(header, lines, 2) + "\n\nWhy, and what would close it:\n\n" + "\n".join(
            f"{number}. {why}. *To close it*: {close}." for number, (why, close) in enumerate(reasons, 1))
    return text, "\n".join(f"- {words}" for words in level)
