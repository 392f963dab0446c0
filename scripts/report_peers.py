"""The section of REPORT.md about what users would pick instead: one table, a row a peer."""
import report_cases as cases
import rows

WORDS = """What a user would pick instead, in the same run: libraries linked with the suite's own units, and programs in
other languages that do the same work ([how, and with which settings](baselines/peers/README.md)). Each cell is the
peer's cost over gossamer's, so above 1 gossamer is cheaper. Stackless units have no stack to pay for: nothing that they
call may wait. Programs of many units are compared per unit; peers whose stacks would not fit run fewer of them (sizes
in the table of programs). A dash: not offered, or not measured."""

# Contender -> what kind of unit it has. Tables show them in this order.
KINDS = {"go": "stack, copied to grow", "boost-fiber": "stack of fixed size",
         "boost-fiber-pool": "stack of fixed size", "st": "stack of fixed size", "pth": "stack of fixed size",
         "fcontext": "stack of fixed size, simplest scheduler",
         "erlang": "heap of its own, virtual machine", "tokio": "stackless", "cxx20": "stackless, one thread",
         "tbb": "job that cannot wait"}
STACKLESS = ("tokio", "cxx20", "tbb")


def costs(run, case, **fields):
    return {name: run.per_launch(case, contender=name, metric="ns_per_op", **fields) for name in (rows.US, *KINDS)}


def spawn_costs(run):
    """Warm, on one thread, each against gossamer at the largest size that both have."""
    found = {}
    sizes = {name: {row["n"] for row in run.values("spawn", contender=name, variant="warm", threads=1)}
             for name in (rows.US, *KINDS)}
    for name in KINDS:
        n = max(sizes[rows.US] & sizes[name], default=0)
        pair = [run.per_launch("spawn", contender=who, variant="warm", threads=1, n=n, metric="ns_per_op")
                for who in (rows.US, name)]
        found[name] = cases.ratio(*pair) if n and all(pair) else None
    return found


def program_costs(run, program):
    """Each against gossamer on as many threads as both ran it on."""
    found = {}
    threads = {name: {row["threads"] for row in run.values("scale", contender=name, variant=program)}
               for name in (rows.US, *KINDS)}
    for name in KINDS:
        most = max(threads[rows.US] & threads[name], default=0)
        pair = [run.per_launch("scale", contender=who, variant=program, threads=most, metric="ns_per_op")
                for who in (rows.US, name)]
        found[name] = cases.ratio(*pair) if all(pair) else None
    return found


def ratios(found):
    ours = found[rows.US]
    return {name: cases.ratio(ours, found[name]) if ours and found[name] else None for name in KINDS}


def columns(run):
    """[(heading, {contender: ratio})]"""
    memory = {name: run.memory_slopes(name) for name in (rows.US, *KINDS)}
    found = [("memory, parked", ratios(memory)), ("start + run + finish", spawn_costs(run)),
             ("yield", ratios(costs(run, "yield"))),
             ("hand-over, one CPU", ratios(costs(run, "handover", variant="same"))),
             ("two CPUs", ratios(costs(run, "handover", variant="across"))),
             ("skynet", program_costs(run, "skynet")),
             ("skynet by channels", program_costs(run, "skynet-chan"))]
    return [(title, values) for title, values in found if any(values.values())]


def verdicts(table):
    """What the table says of the peers with stacks, and of Tokio."""
    ahead, behind = 0, []
    for title, values in table:
        for name, ratio in values.items():
            if ratio and name not in STACKLESS:
                ahead += ratio.low > 1
                if ratio.high < 1:
                    behind.append(f"{title} against {rows.label(name)} ({cases.times(ratio)})")
    text = f"Against peers whose units can wait anywhere, gossamer is cheaper in {ahead} of these ratios"
    text += ", dearer in " + "; ".join(behind) if behind else " and dearer in none"
    tokio = {title: values.get("tokio") for title, values in table}
    if tokio.get("memory, parked"):
        text += (f". A parked task of Tokio takes {cases.times(tokio['memory, parked'])} of gossamer's memory "
                 "(aim: at least 0.5)")
    return text + "."


def table(run):
    found = columns(run)
    lines = []
    for name, kind in KINDS.items():
        cells = [cases.times(values[name]) for _, values in found]
        if any(values[name] for _, values in found):
            lines.append([cases.name_of(name), kind, *cells])
    if not lines:
        return ""
    header = ["peer", "its unit"] + [title for title, _ in found]
    return verdicts(found) + "\n\n" + cases.markdown(header, lines, 2)
