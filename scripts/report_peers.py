"""The sections of REPORT.md about what users would pick instead: peers side by side, and a million timers."""
import layout
import prep_peers as peers
import report_cases as cases
import rows
import stats

WORDS = """What a user would pick instead, in the same run: libraries linked with the suite's own units, and programs
in other languages that do the same work ([how, and with which settings](baselines/peers/README.md)), each as its users
write it and tuned. Each cell is the peer's cost over gossamer's, so above 1 gossamer is cheaper. Stackless
units have no stack to pay for: nothing that they call may wait. Programs of many units are compared per unit; peers
whose stacks would not fit run fewer of them (sizes in the table of programs). A dash: not offered, or not measured."""

TIMERS = """Timers are started one after the other, each due between 2 and 3 seconds later, and all of them fire.
*Timer*: the runtime's own object, which runs a function; *sleep*: a unit each that sleeps. Bytes are those of all that
are pending. Processor time is that of the process from before the first until all have fired; *late* is the median
from when a timer was due until its function ran. Where a virtual machine or a library counts in milliseconds, that is
what it is late by."""

HEADINGS = {"memory, parked": "memory, parked", "start + finish": "start + run + finish"}
MEMORY_AIM, FAST = 2, ("yield", "hand-over, one CPU", "hand-over, two CPUs")
ONE_THREAD = "fixed-bare"    # the runtime's own switch under the scheduler that Boost.Context's has


def behind(found, names):
    """Ratios, of some peers, whose whole interval is below 1; and how many there are in all."""
    all_of = [(title, name, value) for title, values in found.items() for name, value in values.items()
              if name in names]
    return [item for item in all_of if item[2].high < 1], len(all_of)


def told(items):
    return "; ".join(f"{title} against {rows.label(name)} ({cases.times(value)})" for title, name, value in items)


def class_verdict(found, names, whom):
    worse, number = behind(found, names)
    if not number:
        return ""
    words = f"ahead of {whom} in {number - len(worse)} of {number} ratios"
    return cases.reached(not worse, words + (f"; behind in {told(worse)}" if worse else ""))


def raw_verdict(run):
    """Register switch against register switch, under one and the same scheduler."""
    pair = [run.per_launch("yield", contender=name, metric="ns_per_op") for name in (ONE_THREAD, "fcontext")]
    if not all(pair):
        return ""
    value = stats.ratio(*pair)
    return cases.reached(value.low > 1, "raw switch against raw switch, under one and the same scheduler: "
                         f"Boost.Context's takes {cases.times(value)} times the time of gossamer's")


def tokio_verdict(found):
    memory = found.get("memory, parked", {}).get("tokio")
    faster = {title: found[title]["tokio"] for title in FAST if "tokio" in found.get(title, {})}
    if not memory or not faster:
        return ""
    met = memory.median >= 1 / MEMORY_AIM and all(value.low > 1 for value in faster.values())
    words = "; ".join(f"{title} {cases.times(value)}" for title, value in faster.items())
    return cases.reached(met, f"a parked task takes {layout.short(1 / memory.median)} times the memory of one of "
                         f"Tokio's (aim: at most {MEMORY_AIM}), and Tokio's time over gossamer's is: {words} (aim: "
                         "above 1)")


def verdicts(run, found):
    libraries = [name for name in peers.STACKFUL if name not in ("go", "fcontext")]
    return "\n\n".join(text for text in (
        class_verdict(found, ("go",), "Go"),
        class_verdict(found, libraries, "the other peers whose units can wait anywhere"),
        raw_verdict(run), tokio_verdict(found)) if text)


def table(run):
    found = peers.ratios(run)
    lines = []
    for name, kind in peers.KINDS.items():
        cells = [cases.times(values.get(name)) for values in found.values()]
        if any(name in values for values in found.values()):
            lines.append([cases.name_of(name), kind, *cells])
    if not lines:
        return ""
    header = ["peer", "its unit"] + [HEADINGS.get(title, title) for title in found]
    return verdicts(run, found) + "\n\n" + cases.markdown(header, lines, 2)


def timers_table(run):
    lines = []
    for name in run.of_case("timers"):
        for variant in ("timer", "sleep"):
            for n in run.sizes("timers", contender=name, variant=variant):
                cost = {metric: run.estimate("timers", contender=name, variant=variant, n=n, metric=metric)
                        for metric in ("ns_per_op", "cpu_ns_per_op", "late_ns", *rows.MEMORY_PARTS)}
                if not cost["ns_per_op"]:
                    continue
                parts = [cost[part] for part in rows.MEMORY_PARTS]
                lines.append([cases.name_of(name), variant, f"{n:,}", cases.duration(cost["ns_per_op"]),
                              cases.duration(cost["cpu_ns_per_op"]),
                              cases.whole(sum(part.median for part in parts) / n) if all(parts) else "–",
                              cases.duration(cost["late_ns"])])
    header = ["contender", "what", "timers", "to start one", "processor time of one", "bytes of one", "late"]
    return cases.markdown(header, lines, 2) if lines else ""


def sections(run, figure):
    """(title, case, words, parts) of each section, as report.py puts them together."""
    side_by_side = table(run)
    found = [("C4: many timers", "timers", TIMERS, [timers_table(run), cases.notes(run, ["timers"])])]
    return found + ([("Peers, side by side", "yield", WORDS,
                      [figure("peers", "Each peer's cost over gossamer's, quantity by quantity."), side_by_side])]
                    if side_by_side else [])
