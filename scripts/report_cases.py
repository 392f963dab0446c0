"""The measured sections of REPORT.md: tables, ratios to gossamer, and where another contender is better."""
from typing import NamedTuple

import bench_steps
import layout
import prep
import prep_blocking
import rows
import stats
from report_machine import CASE_WORDS, escape, plural

ratio = stats.ratio
RESOLVED = 0.02   # a ratio counts as different from 1 when its whole interval is at least this far away


class Long(str):
    """A table for the appendix."""

    def __new__(cls, title, text):
        made = super().__new__(cls, text)
        made.title = title
        return made


class Comparison(NamedTuple):
    """One quantity of gossamer against one contender; smaller is better."""
    what: str
    contender: str
    ours: stats.Estimate
    theirs: stats.Estimate
    ratio: stats.Estimate
    words: object   # formats an estimate of this quantity
    margin: float   # by what part the ratio must be more than 1, or less, to count

    def is_lost(self):
        return self.ratio.high < 1 / (1 + self.margin)

    def is_level(self):
        return self.ratio.low <= 1 + self.margin and not self.is_lost()


def interval(cost, text):
    """`median [low, high]`, or the bare value where the ends of the interval read the same."""
    if cost is None:
        return "–"
    middle, low, high = text(cost.median), text(cost.low), text(cost.high)
    if low == high:
        return middle + ("" if cost.n > 1 else " (one sample)")
    return f"{middle} [{low}, {high}]"


def duration(cost):
    """An interval of times, in the unit of its median."""
    if cost is None:
        return "–"
    factor, unit = layout.time_unit(cost.median)
    number, *rest = interval(cost, lambda value: layout.short(value / factor)).split(" ", 1)
    return " ".join([number, unit, *rest])


def amount(cost):
    """An interval of whole numbers."""
    return interval(cost, whole)


def whole(value):
    return f"{round(value):,}"


def times(ratio):
    return interval(ratio, layout.short) if ratio else "–"


def markdown(header, lines, names=1):
    """A table whose first columns hold names, to the left, and whose others hold numbers, to the right."""
    rule = ["---"] * names + ["---:"] * (len(header) - names)
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def name_of(contender):
    return f"**{rows.label(contender)}**" if contender == rows.US else escape(rows.label(contender))


def reached(met, words):
    """The sentence that says whether an aim is reached; None: this run cannot tell."""
    found = "Not resolved" if met is None else "Reached" if met else "Not reached"
    return f"**{found}**: {words}."


# ---- comparisons -------------------------------------------------------------------------------------------------

def ratio_to_us(run, case, contender, metric="ns_per_op", **fields):
    """The contender's value over gossamer's, paired by turn or launch; None when one of them has no value."""
    paired = run.ratios(case, contender, metric=metric, **fields)
    if paired:
        return stats.estimate(list(paired.values()))
    ours, theirs = (run.per_launch(case, contender=name, metric=metric, **fields) for name in (rows.US, contender))
    return ratio(ours, theirs) if ours and theirs else None


def timed(run, what, case, metric="ns_per_op", **fields):
    """Comparisons with gossamer of one timed quantity."""
    ours = run.estimate(case, contender=rows.US, metric=metric, **fields)
    place = {name: fields[name] for name in ("variant", "n", "threads") if name in fields}
    for name in run.of_case(case):
        theirs = run.estimate(case, contender=name, metric=metric, **fields)
        if name != rows.US and ours and theirs:
            found = ratio_to_us(run, case, name, metric, **fields)
            yield Comparison(what, name, ours, theirs, found, duration, resolution(run, found.n, case, **place))


def memory_comparisons(run):
    ours = run.memory_slopes(rows.US)
    for name in run.of_case("memory"):
        theirs = run.memory_slopes(name)
        if name != rows.US and ours and theirs:
            yield Comparison("bytes per parked unit", name, stats.estimate(list(ours.values())),
                             stats.estimate(list(theirs.values())), ratio(ours, theirs), amount, RESOLVED)


def spawn_places(run, contender, variant):
    """{threads: sizes} of a contender's samples."""
    places = {}
    for row in run.values("spawn", contender=contender, variant=variant):
        places.setdefault(row["threads"], set()).add(row["n"])
    return places


def spawn_comparisons(run, variant):
    """On each number of threads, at the largest number of units that both started."""
    ours = spawn_places(run, rows.US, variant)
    for name in run.of_case("spawn"):
        theirs = spawn_places(run, name, variant)
        for threads in sorted(ours.keys() & theirs.keys()):
            n = max(ours[threads] & theirs[threads], default=0)
            what = f"spawn, {variant}, {n:,} units on {plural(threads, 'thread')}"
            yield from (found for found in timed(run, what, "spawn", variant=variant, n=n, threads=threads)
                        if n and found.contender == name)


def comparisons(run):
    """Every quantity of gossamer against every contender that has it."""
    if run.comparisons is not None:
        return run.comparisons
    found = list(memory_comparisons(run))
    for variant in ("warm", "cold"):
        found += spawn_comparisons(run, variant)
    for case, variant, _, _, meaning in prep.SWITCHES:
        found += timed(run, meaning, case, variant=variant)
    for what, case, metric, fields in prep_blocking.quantities(run):
        found += timed(run, what, case, metric, **fields)
    run.comparisons = found
    return found


def ratio_of(run, found, contender):
    """Cell: the contender's value over gossamer's."""
    if contender == rows.US:
        return "1"
    return next((times(item.ratio) for item in found if item.contender == contender), "–")


# ---- sections ----------------------------------------------------------------------------------------------------

def memory(run):
    """C4, C7, C8: slopes by part, the sum, the ratio, and how far each contender went."""
    lines, found = [], list(memory_comparisons(run))
    single = []
    for name in run.of_case("memory"):
        cost, is_slope = prep.unit_cost(run, name)
        if not cost:
            continue
        parts = [run.memory_slopes(name, part) for part in rows.MEMORY_PARTS]
        cells = [whole(stats.median(list(part.values()))) if part else "–" for part in parts]
        pss, maps = (run.metric_slope(name, metric) for metric in ("pss_bytes", "mappings"))
        cells += ["–" if pss is None else whole(pss), "–" if maps is None else layout.short(max(0, round(maps, 2)))]
        most, stop = run.most_units("memory", name)
        lines.append([name_of(name), interval(cost, whole) + ("" if is_slope else "†"), *cells,
                      ratio_of(run, found, name), f"{most:,}, " + ("stopped" if stop else "largest tried")])
        single += [] if is_slope else [name]
    text = markdown(["contender", "bytes per parked unit", "RSS", "page tables", "kernel stack", "(Pss)",
                     "(mappings)", "× gossamer", "most units"], lines)
    if single:
        text += "\n\n† measured at one size only: its mean, which contains the fixed costs, in place of a slope."
    return text


def retained(run):
    """What stays resident after all units have ended, at each contender's largest size."""
    lines = []
    for name in run.of_case("memory"):
        points = run.values("memory", contender=name, metric="retained_rss_bytes")
        if not points:
            continue
        n = max(row["n"] for row in points)
        cost = run.estimate("memory", contender=name, metric="retained_rss_bytes", n=n)
        maps = run.estimate("memory", contender=name, metric="mappings", n=n)
        lines.append([name_of(name), whole(n), interval(cost, lambda value: f"{value / 1e6:,.1f}"),
                      amount(maps)])
    return markdown(["contender", "units", "RSS kept, MB", "mappings while parked"], lines) \
        if lines else ""


def notes(run, cases):
    """Where, and why, contenders stopped, failed or did not run."""
    lines, seen = [], set()
    for case in cases:
        for contender, variant, status, why, fewest, most in run.notes(case):
            what = case + (f", {variant}" if variant else "")
            place = status.replace("-", " ")
            if status == "stopped":
                place = f"at {most:,} units" if fewest == most else f"at {fewest:,} to {most:,} units"
            line = [name_of(contender), what, place, escape(why) or "no reason given"]
            alike = next((one for one in lines if one[1] == what and one[3] == line[3]), None)
            if status == "stopped" and why.startswith("time cap") and alike:
                alike[0], alike[2] = f"{alike[0]}, {line[0]}", "as the table says"
            elif tuple(line) not in seen:
                seen.add(tuple(line))
                lines.append(line)
    return markdown(["contender", "case", "stopped", "why"], lines, 4) if lines else ""


def spawn_short(run, size):
    """Each contender on one thread, at the largest size that all have."""
    lines = []
    for name in run.of_case("spawn") if size else ():
        cells = []
        for variant in ("warm", "cold"):
            fields = {"variant": variant, "n": size, "threads": 1}
            cost = run.estimate("spawn", contender=name, metric="ns_per_op", **fields)
            cells += [duration(cost), ratio_of(run, timed(run, "", "spawn", **fields), name) if cost else "–"]
        if any(cell != "–" for cell in cells):
            lines.append([name_of(name), *cells])
    header = [f"one thread, {size:,} units" if size else "", "warm", "× gossamer", "cold", "× gossamer"]
    return markdown(header, lines) if lines else ""


def spawn(run):
    """Cold and warm, at the smallest and the largest size of each contender, ratios at the largest common one."""
    lines = []
    for name in run.of_case("spawn"):
        for threads in run.threads("spawn", name):
            sizes = {n for variant in ("warm", "cold") for n in spawn_places(run, name, variant).get(threads, ())}
            for n in sorted({min(sizes), max(sizes)}):
                cells = [name_of(name), str(threads), whole(n)]
                for variant in ("warm", "cold"):
                    fields = {"variant": variant, "n": n, "threads": threads}
                    cost = run.estimate("spawn", contender=name, metric="ns_per_op", **fields)
                    cells += [duration(cost), ratio_of(run, timed(run, "", "spawn", **fields), name) if cost else "–"]
                lines.append(cells)
    return markdown(["contender", "threads", "units", "warm", "× gossamer", "cold", "× gossamer"], lines)


def switch(run):
    """Yield and hand-over, then the bounds."""
    lines = []
    names = [name for name in run.contenders if any(name in run.of_case(case) for case in ("yield", "handover"))]
    for name in names:
        cells, any_value = [name_of(name)], False
        for case, variant, *_ in prep.SWITCHES:
            cost = run.estimate(case, contender=name, variant=variant, metric="ns_per_op")
            ratio = ratio_of(run, timed(run, "", case, variant=variant), name) if cost else "–"
            cells += [duration(cost), ratio]
            any_value = any_value or cost is not None
        if any_value:
            lines.append(cells)
    header = ["contender"]
    for *_, meaning in prep.SWITCHES:
        header += [meaning, "× gossamer"]
    return markdown(header, lines)


def bounds(run):
    found = sorted({row["variant"] for row in run.values("bound", contender=rows.RAW, metric="ns_per_op")})
    costs = [(name, run.estimate("bound", contender=rows.RAW, variant=name, metric="ns_per_op")) for name in found]
    costs.sort(key=lambda item: item[1].median)
    return markdown(["bound", "time"], [[escape(prep.BOUNDS.get(name, name)), duration(cost)]
                                        for name, cost in costs]) if costs else ""


def check(run):
    """Plain against checked, in instructions and time."""
    lines = []
    for variant in prep.check_variants(run):
        cells = [f"{variant}: {prep.CHECK_VARIANTS[variant]}" if variant in prep.CHECK_VARIANTS else escape(variant)]
        for metric, _ in prep.CHECK_METRICS:
            both = [run.estimate("check", contender=build, variant=variant, metric=metric)
                    for build in prep.CHECK_BUILDS]
            cells += [counted(cost, metric) if cost else "–"
                      for cost in (*both, prep.check_added(run, variant, metric))]
        lines.append(cells)
    return markdown(["calls", "instructions, plain", "checked", "added", "ns, plain", "checked", "added"], lines)


def controls(run):
    """{(case, variant, n, threads): (words, Estimate)} of ratios whose true value is 1: gossamer against itself in
    every row that is measured in turns, and one build of the check against itself."""
    found = {}
    for case in bench_steps.CASES:
        places = {(row["variant"], row["n"] if case == "spawn" else None, row["threads"])
                  for row in run.values(case, contender=rows.AGAIN)}
        for variant, n, threads in sorted(places, key=str):
            fields = {"variant": variant, "threads": threads, **({"n": n} if n else {})}
            same = run.ratios(case, rows.AGAIN, metric="ns_per_op", **fields)
            if same:
                words = f"{CASE_WORDS[case]}" + (f", {variant}" if variant else "") + (f", {n:,} units" if n else "")
                found[case, variant, n, threads] = (words, stats.estimate(list(same.values())))
    one, other = (run.per_launch("check", variant="aa", contender=arm, metric="ns_per_op")
                  for arm in ("plain-a", "plain-b"))
    if one and other:
        found["check", "aa", None, 1] = ("the same calls in one process", ratio(one, other))
    return found


def slowed(run, key):
    """The ratio of a control that was made slower on purpose; None where there is none."""
    case, variant, n, threads = key
    fields = {"variant": variant, "threads": threads, **({"n": n} if n else {})}
    found = run.ratios(case, rows.SLOWED, metric="ns_per_op", **fields)
    return stats.estimate(list(found.values())) if found else None


def error_of(same):
    """By what part more than 1, or less, a control's interval reaches."""
    return max(same.high, 1 / same.low) - 1


def bias_of(same):
    """The same of its median: what is left of its error when launches differ as they do in every row."""
    return max(same.median, 1 / same.median) - 1


def resolution(run, samples, case=None, variant="", n=None, threads=1):
    """By what part a ratio must be more than 1, or less, to count: the least effect of interest, or the error of the
    row's own control. For rows without one the bias of any warm control, since the row's own interval says how
    launches differ; of a single pair, or of none, which has no such interval, the error of any."""
    found = controls_once(run)
    own = found.get((case, variant, n if case == "spawn" else None, threads))
    if own:
        return max(RESOLVED, error_of(own[1]))
    off = error_of if samples <= 1 else bias_of
    return max([RESOLVED] + [off(same) for key, (_, same) in found.items() if key[1] != "cold"])


def row_words(what):
    """A row of Results.steady in words."""
    case, *fields = what
    found = dict(fields)
    place = [str(found[name]) for name in ("variant", "n", "threads") if found.get(name)]
    return f"{case} of {rows.label(found.get('contender', ''))}" + (f" ({', '.join(place)})" if place else "")


def controls_once(run):
    if run.controls is None:
        run.controls = controls(run)
    return run.controls


def counted(cost, metric):
    """Instructions are exact, so one count is as good as many; times are not."""
    if metric == "instructions_per_call" and cost.low == cost.high:
        return layout.exact(cost.median)
    return interval(cost, layout.call_words(metric))
