"""REPORT.md's paragraphs about the price of a crossing, and of the check over code layouts."""
import prep_check
import report_cases as cases
import rows
import stats

SPLIT = """The *hot split* is a loop in which each call needs another stack and comes back: the worst that can happen to
split stacks, and what gave them their name. The same object file runs over gossamer's `__morestack` and over libgcc's,
whose stacks are kept as well, so that neither allocates in the loop."""

CROSSING_NS, TIMES_LIBGCC = 5.0, 5.0    # aims


def hot_split(run):
    ours = prep_check.added(run, "checked")
    if not ours:
        return ""
    text = [cases.reached(ours.median <= CROSSING_NS, f"a crossing and back adds {cases.duration(ours)} to a call; "
                          f"the aim is at most {CROSSING_NS:g} ns")]
    for build, words in (("libgcc", "a crossing of libgcc, as it is,"),
                         ("libgcc-signals", "a crossing of libgcc that does not block signals")):
        theirs, times = prep_check.added(run, build), prep_check.times_ours(run, build)
        if times:
            what = f"{words} adds {cases.duration(theirs)}, {times:.3g} times as much"
            text.append(cases.reached(times >= TIMES_LIBGCC, f"{what}; the aim is at least {TIMES_LIBGCC:g} times")
                        if build == "libgcc" else what[0].upper() + what[1:] + ".")
    return "\n\n".join(text)


def fib(run):
    """The range of fib's time over code layouts, beside the exact count of instructions."""
    found = prep_check.fib_layouts(run)
    if not found:
        return ""
    medians = {name: {build: stats.median(values) for build, values in builds.items()}
               for name, builds in found.items()}
    ratios = sorted(builds["checked"] / builds["plain"] for builds in medians.values())
    times = {build: [builds[build] for builds in medians.values()] for build in rows.BUILDS}
    spread = {build: (min(values), max(values)) for build, values in times.items()}
    text = (f"fib in {len(found)} code layouts (alignment of functions and padding): the checked build takes "
            f"{ratios[0]:.2f} to {ratios[-1]:.2f} times the plain build's time, median {stats.median(ratios):.2f}; "
            f"plain {spread['plain'][0]:.2f} to {spread['plain'][1]:.2f} ns a call, checked "
            f"{spread['checked'][0]:.2f} to {spread['checked'][1]:.2f} ns.")
    counts = [run.estimate("check", contender=build, variant="fib", metric="instructions_per_call")
              for build in rows.BUILDS]
    if all(counts):
        more = counts[1].median - counts[0].median
        text += "\n\n" + cases.reached(abs(more - 2) < 0.01, f"the check adds {more:.2f} instructions to a call of "
                                       "fib; the aim is exactly 2")
    return text
