"""REPORT.md's sections about blocking and its price for others, sleeps, wake-ups, and programs of many units."""
import layout
import prep_blocking as blocking
import report_cases as cases
import rows

PROGRESS = """Units that compute for a microsecond and yield, two for each thread; then others enter a raw
read(2) on an empty pipe, by syscall(2), which no runtime is told of (Go's scheduler is: it has no other way).
The work of those that do not block is counted in bins of 10 ms by a thread that no contender can hold up.
*Keeps* is the speed once all are in their call, over the speed before, in the same process; without blocked
units it shows what the machine's noise does. Where not all came to their call in time, the table says how many
did. A line ends where its run ended: whoever lets all of them block
sooner ends sooner. Above 100 % are those whose competitors on the machine went away, or whose yields became
cheaper."""

HANDOFF = """On one CPU and one worker a unit computes for up to 100 microseconds and enters a call that blocks; the
time runs until another unit, ready all the while, runs on that worker. An *unknown call* is raw: the runtime has to
notice the *first* one, each of a new unit here, and may remember when one unit blocks *again* and again. A *hint*
says it (gos_block_begin). A *read of a pipe* is plain POSIX, which parks the unit. With a thread for each unit it is
the kernel's switch."""

LATENESS = """A unit sleeps again and again; the time is that of the whole sleep. Threads of the kernel have its
default timer slack of 50 microseconds. *Busy*: beside one unit for each thread that computes and yields; and a
sleep of 1 ms beside a thousand that compute and do not yield."""

WAKEUP = """Events are due at random times (Poisson, 2,000 a second), whether or not the last one was taken; the
time runs from when an event was *due*. Their source has the other CPU for itself. *Pipe*: another process
writes, a unit reads; *channel*: a foreign thread sends (a condition variable, for threads). A tail of
milliseconds that all contenders share is the machine's: the CPU was away."""

SCALE = """Whole programs, each proved by its result: skynet is a tree of units, ten to each, that adds up a
million numbers; a ring passes 16 tokens; one unit feeds a hundred, which feed one; fib(25) makes a unit for the
larger half of each node. Threads run smaller sizes, since their figures are per unit. *Go, no collector*
switches garbage collection off."""

AIMS = "What the scheduler is to reach on this machine (two CPUs where the words say so), and what it reached:"


def verdict(met):
    return "reached" if met else "**not reached**"


def median(run, case, metric, **fields):
    cost = run.estimate(case, contender=rows.US, metric=metric, **fields)
    return cost.median if cost else None


# ---- tables ----------------------------------------------------------------------------------------------------

def kept_words(run, name, n):
    """Speed kept with n blocked units, and how many really were, where it was not all of them."""
    entered = run.estimate("progress", contender=name, n=n, metric="units_blocked")
    text = cases.interval(blocking.speed_kept(run, name, n), lambda share: f"{share * 100:.0f} %")
    return text + (f" ({entered.median:,.0f} blocked)" if entered and entered.median < n else "")


def progress_table(run):
    sizes = run.sizes("progress")
    lines = []
    for name in run.of_case("progress"):
        if any(blocking.speed_kept(run, name, n) for n in sizes):
            lines.append([cases.name_of(name)] + [kept_words(run, name, n) for n in sizes])
    return cases.markdown(["speed kept, with blocked units:"] + [f"{n:,}" for n in sizes], lines)


def told(found, share):
    return layout.nanoseconds(blocking.quantile(found, share)) if found else "–"


def distribution_table(run, case, metric, lines, panels):
    text = []
    for suffix, words, fields in panels:
        for line in lines:
            found = blocking.samples(run, case, metric, contender=line.contender, variant=line.variant + suffix,
                                     **fields)
            if found:
                text.append([cases.name_of(line.contender), line.meaning + (f", {words}" if words else "")]
                            + [told(found, share) for share in (0.5, 0.9, 0.99, 0.999)] + [f"{len(found):,}"])
    return cases.markdown(["contender", "what", "median", "90 %", "99 %", "99.9 %", "samples"], text, 2) if text else ""


def lateness_table(run):
    panels = [(suffix, f"{layout.tick_ns(n)}{words}", {"n": n}) for n in run.sizes("lateness")
              for suffix, words in (("", ""), ("-busy", ", busy"), ("-hogs", ", 1,000 that do not yield")) if n]
    return distribution_table(run, "lateness", "sleep_ns", blocking.SLEEP_LINES, panels)


def scale_table(run):
    threads, lines = blocking.scale_threads(run), []
    for program, (title, per) in blocking.PROGRAMS.items():
        for name in run.of_case("scale"):
            costs = [blocking.scale_cost(run, program, name, t) for t in threads]
            if any(costs):
                size = next(row["n"] for row in run.values("scale", contender=name, variant=program))
                lines.append([f"{program} ({per})", cases.name_of(name), cases.whole(size)]
                             + [cases.duration(cost) for cost in costs])
    return cases.markdown(["program", "contender", "size"] + [f"threads: {t}" for t in threads], lines, 2)


# ---- aims ------------------------------------------------------------------------------------------------------

def whole_program(run, program):
    """Milliseconds of a program on all threads: what a unit costs, times their number."""
    threads = max(blocking.scale_threads(run), default=0)
    each = median(run, "scale", "ns_per_op", variant=program, threads=threads)
    ops = next((row["ops"] for row in run.values("scale", contender=rows.US, variant=program, threads=threads)), 0)
    return each * ops / 1e6 if each else None


def go_ratio(run, program):
    threads = max(blocking.scale_threads(run), default=0)
    pair = [run.per_launch("scale", contender=name, variant=program, threads=threads, metric="ns_per_op")
            for name in (rows.US, "go")]
    return cases.ratio(*pair).median if all(pair) else None


def pinned_ratio(run):
    """Estimate: over a cache line's way between the same two CPUs in the same milliseconds, or None."""
    return run.estimate("handover", contender=rows.US, variant="pinned", metric="over_line")


def aims(run):
    most = max(run.sizes("progress"), default=0)
    kept = blocking.speed_kept(run, rows.US, most) if most >= 1000 else None
    pinned = pinned_ratio(run)
    ns, ms, times = layout.nanoseconds, (lambda value: f"{value:.1f} ms"), (lambda value: f"{value:.1f} times")
    found = [
        (f"speed of the others with {most:,} blocked units, at least", kept and kept.median, 0.95,
         lambda value: f"{value * 100:.0f} %", True),
        ("hand-off of a first unknown call, median",
         median(run, "handoff", "latency_ns", variant="first"), 60000, ns, False),
        ("sleep of 50 µs, median", median(run, "lateness", "sleep_ns", variant="own", n=50000), 70000, ns, False),
        ("the same by nanosleep", median(run, "lateness", "sleep_ns", variant="posix", n=50000), 70000, ns, False),
        ("yield, one way", median(run, "yield", "ns_per_op"), 10, ns, False),
        ("start + run + finish, 1,000,000 tasks, one thread",
         median(run, "spawn", "ns_per_op", variant="warm", n=1000000, threads=1), 25, ns, False),
        ("hand-over started on two workers, one way", median(run, "handover", "ns_per_op", variant="across"), 35, ns,
         False),
        ("hand-over pinned apart, over a cache line's way to the other CPU", pinned and pinned.median, 3, times,
         False),
        ("skynet, 1,000,000 leaves, fork and join, all threads", whole_program(run, "skynet"), 20, ms, False),
        ("skynet by channels, all threads", whole_program(run, "skynet-chan"), 30, ms, False),
        ("skynet by channels: Go's time over gossamer's, at least", go_ratio(run, "skynet-chan"), 20, times, True),
    ]
    lines = [[what, text(aim), text(value), verdict(value >= aim if least else value <= aim)]
             for what, value, aim, text, least in found if value is not None]
    return cases.markdown(["quantity", "aim", "measured", "verdict"], lines, 1) if lines else ""


def sections(run, figure):
    """(title, case, words, parts) of each section, as report.py puts them together."""
    whole, busy = ("", "", {}), ("-busy", "busy", {})
    found = [
        ("C2: others go on while units block", "progress", PROGRESS,
         [figure("progress", "Work of the units that do not block, over time."), progress_table(run),
          cases.notes(run, ["progress"])]),
        ("C2: how soon another unit runs", "handoff", HANDOFF,
         [figure("handoff", "Time from a blocking call until another unit runs: shares of calls."),
          distribution_table(run, "handoff", "latency_ns", blocking.HANDOFF_LINES, (whole,)),
          cases.notes(run, ["handoff"])]),
        ("C1: sleeps", "lateness", LATENESS,
         [figure("lateness", "How long a sleep of 50 µs takes: shares of sleeps."),
          cases.Long("Sleeps: every length", lateness_table(run)),
          cases.notes(run, ["lateness"])]),
        ("C1, C2: wake-ups by events", "wakeup", WAKEUP,
         [figure("wakeup", "Time from when an event is due until its unit runs: shares of events."),
          cases.Long("Wake-ups: quantiles",
                     distribution_table(run, "wakeup", "latency_ns", blocking.WAKEUP_LINES, (whole, busy))),
          cases.notes(run, ["wakeup"])]),
        ("C1: programs of many units, from one thread to all", "scale", SCALE,
         [figure("scale", "Time per unit, hop or word of whole programs."),
          cases.Long("Programs of many units: every number of threads", scale_table(run)),
          cases.notes(run, ["scale"])]),
    ]
    table = aims(run)
    return found + ([("Aims of scheduling and blocking", "yield", AIMS, [table])] if table else [])
