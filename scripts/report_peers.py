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


def to_us(run, case, **fields):
    """{peer: its ratio to gossamer or None}"""
    return {name: cases.ratio_to_us(run, case, name, **fields) for name in KINDS}


def spawn_costs(run):
    """Warm, on one thread, each against gossamer at the largest size that both have."""
    found = {}
    sizes = {name: {row["n"] for row in run.values("spawn", contender=name, variant="warm", threads=1)}
             for name in (rows.US, *KINDS)}
    for name in KINDS:
        n = max(sizes[rows.US] & sizes[name], default=0)
        found[name] = cases.ratio_to_us(run, "spawn", name, variant="warm", threads=1, n=n) if n else None
    return found


def program_costs(run, program):
    """Each against gossamer on as many threads as both ran it on."""
    found = {}
    threads = {name: {row["threads"] for row in run.values("scale", contender=name, variant=program)}
               for name in (rows.US, *KINDS)}
    for name in KINDS:
        most = max(threads[rows.US] & threads[name], default=0)
        found[name] = cases.ratio_to_us(run, "scale", name, variant=program, threads=most) if most else None
    return found


def memory_costs(run):
    slopes = {name: run.memory_slopes(name) for name in (rows.US, *KINDS)}
    return {name: cases.ratio(slopes[rows.US], slopes[name]) if slopes[rows.US] and slopes[name] else None
            for name in KINDS}


def columns(run):
    """[(heading, {contender: ratio})]"""
    found = [("memory, parked", memory_costs(run)), ("start + run + finish", spawn_costs(run)),
             ("yield", to_us(run, "yield")),
             ("hand-over, one CPU", to_us(run, "handover", variant="same")),
             ("two CPUs", to_us(run, "handover", variant="across")),
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
