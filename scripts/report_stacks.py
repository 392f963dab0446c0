"""REPORT.md's sections about stacks in use: memory and time against depth, and a burst of recursion."""
import layout
import prep_stacks as stacks
import report_cases as cases
import rows

DEPTH = """Each unit first recurses through small frames, all of them touched, and then parks: at the deepest point,
or when it has come back. A step shows where a stack takes another page or another piece; the first one of gossamer
is where a task's frames no longer fit the smallest nursery: tasks of a function that parks so deep start on larger
ones, up to 4032 bytes. What does not fit those borrows a deep region and keeps it for as long as it is parked there.
What a stack of its own has touched stays; a borrowed region goes back, so that a task which has come back costs what
it cost before."""

DESCENT = """One unit recurses to a depth and comes back; the time is that per call, down and up together. *The
first time* includes first touch of memory and all growing of the stack (Go copies it, by doubling); *again* is the
same on the same unit. Stacks that cannot grow were made large enough before."""

BURST = """Units park shallow, each recurses 1 MiB deep, 500 of them at the same moment, and parks shallow again;
then every second one recurses again, comes back to a depth of 16 KiB and parks there. Resident memory is sampled
all the while by a thread beside them. Contenders that keep what a stack has touched run fewer units, so that memory
suffices; the figures are per unit."""

STEP_WORDS = """Where gossamer's line steps: at {nursery}, the frames no longer fit the smallest nursery, and each
descent borrows a deep region, once; beyond 124 KiB of depth a large region is borrowed as well. Beyond the processor's
caches all contenders slow down together."""
MILLION, AIM_BYTES, AIM_UNITS = 1000000, 800, 20000000
SHOWN = (128, 8192, 32768, 131072, 2 << 20, 8 << 20, 32 << 20, 64 << 20)    # in the table
WITHIN = 0.10   # of the shallow size, after the burst


def parked_verdicts(run):
    """A million parked tasks in few bytes each; twenty million alive at once."""
    text = []
    found = run.memory_per_unit(rows.US, MILLION)
    if found:
        words = (f"at {found[0]:,.0f} parked tasks, {cases.amount(found[1])} bytes per task; the aim is at most "
                 f"{AIM_BYTES}")
        go = run.memory_per_unit("go", MILLION)
        words += f" (Go in the same run: {cases.amount(go[1])})" if go else ""
        text.append(cases.reached(found[1].median <= AIM_BYTES, words))
    most, stop = run.most_units("memory", rows.US)
    if most > MILLION:
        cost = run.memory_per_unit(rows.US, max(run.sizes("memory", contender=rows.US)))
        words = (f"{most:,} parked tasks alive at once" + (f", {cases.amount(cost[1])} bytes each" if cost else "")
                 + (f", stopped by {layout.reason(stop['why'])}" if stop else ""))
        if most < AIM_UNITS and stop and stop["why"].startswith("time cap"):
            text.append(f"{words[0].upper()}{words[1:]}: this profile gives them no more ({stop['why']}). The aim is "
                        f"{AIM_UNITS:,} in 24 GiB.")
        else:
            text.append(cases.reached(most >= AIM_UNITS, f"{words}; the aim is {AIM_UNITS:,} in 24 GiB"))
    return "\n\n".join(text)


def depth_table(run):
    depths = stacks.depths(run, "depth")
    lines = []
    for name in run.of_case("depth"):
        for variant in ("at", "after"):
            cells = [stacks.depth_bytes(run, name, variant, depth) for depth in depths]
            if any(cells):
                lines.append([cases.name_of(name), "there" if variant == "at" else "after"]
                             + [cases.whole(cost.median) if cost else "–" for cost in cells])
    header = ["contender", "parked"] + [stacks.binary(depth) if depth else "0" for depth in depths]
    return cases.markdown(header, lines, 2)


def descent_table(run):
    chosen = [depth for depth in stacks.depths(run, "descent") if depth in SHOWN]
    lines = []
    for name in run.of_case("descent"):
        for variant in ("first", "warm"):
            cells = [stacks.depth_ns(run, name, variant, depth) for depth in chosen]
            if any(cells):
                lines.append([cases.name_of(name), "first" if variant == "first" else "again"]
                             + [layout.short(cost.median) if cost else "–" for cost in cells])
    return cases.markdown(["contender, ns per call", "time"] + [stacks.binary(depth) for depth in chosen], lines, 2)


def descent_words(run):
    step = stacks.nursery_left(run)
    nursery = f"{stacks.binary(step[0])} to {stacks.binary(step[1])}" if step else "some depth"
    return STEP_WORDS.format(nursery=nursery)


def descent_verdict(run):
    """64 MiB, or the deepest measured, no slower than Go's."""
    text = []
    deepest = max(stacks.depths(run, "descent"), default=0)
    for variant, words in (("first", "the first time"), ("warm", "again")):
        pair = [run.per_launch("descent", contender=name, variant=variant, depth=deepest, metric="ns_per_op")
                for name in (rows.US, "go")]
        if not all(pair):
            continue
        ratio = cases.ratio(*pair)
        text.append(cases.reached(ratio.median >= 1, f"{stacks.binary(deepest)} deep, {words}, Go takes "
                                  f"{cases.times(ratio)} times gossamer's time; the aim is at least 1"))
    return "\n\n".join(text)


def burst_table(run):
    lines = []
    for name in run.of_case("burst"):
        found = stacks.burst_figures(run, name)
        if found:
            units = next(row["n"] for row in run.values("burst", contender=name))
            lines.append([cases.name_of(name), cases.whole(units)]
                         + [cases.whole(found[phase]) for phase in ("shallow", "peak", "after")]
                         + [f"{found['after'] / found['shallow']:.2f}", cases.whole(found["deep"])])
    return cases.markdown(["contender, bytes per unit", "units", "parked shallow", "most", "after the burst",
                           "after / before", "half parked 16 KiB deep"], lines) if lines else ""


def burst_verdict(run):
    found = stacks.burst_figures(run, rows.US)
    if not found:
        return ""
    grown = found["after"] / found["shallow"] - 1
    least = cases.whole(found["shallow"] + (16 << 10) / 2)
    text = cases.reached(grown <= WITHIN, f"after the burst gossamer's memory is {grown * 100:.0f} % above what it "
                         f"was; the aim is within {WITHIN * 100:.0f} %")
    return (text + "\n\nHalf of the tasks hold 16 KiB above their stack pointers: "
            f"{least} bytes per task would be the least; it is {cases.whole(found['deep'])}.")


def sections(run, figure):
    """(title, case, words, parts) of each section, as report.py puts them together."""
    return [
        ("C4, C5: memory of stacks in use", "depth", DEPTH,
         [figure("depth-memory", "Bytes per parked unit against the depth of stack that it touched."), depth_table(run),
          cases.notes(run, ["depth"])]),
        ("C5: what a call costs against depth", "descent", DESCENT,
         [figure("depth-cost", "Nanoseconds per call of a recursion against its depth."), descent_table(run),
          descent_words(run), descent_verdict(run), cases.notes(run, ["descent"])]),
        ("C5: memory through a burst of recursion", "burst", BURST,
         [figure("rss-time", "Resident memory per unit through a burst of recursion."), burst_table(run),
          burst_verdict(run), cases.notes(run, ["burst"])]),
    ]
