"""REPORT.md's section about select, buffered channels and locks, and what they are to reach."""
import layout
import report_blocking
import report_cases as cases
import rows

WORDS = """*A word* goes to and fro between two units on one CPU through channels without room, received plainly or by
a select over two channels, of which one stays silent; or one way through a channel with room for 64. *A lock* is
taken and left by one unit; by a hundred units in loops, on all threads; and by a hundred of which each yields while
it has it, so that the others always wait for it. Threads of the kernel use the calls of pthread; Go its channels and
sync.Mutex."""

AIMS = "What these are to reach, and what they reached:"

# Variant of the case sync -> its name in the table.
LINES = {"recv": "a word, received", "select": "a word, by a select of two", "buffered": "a word, buffered",
         "mutex": "a lock, by one unit", "crowd": "a lock, by 100 units in loops",
         "held": "a lock, by 100 units that yield while they have it"}

OTHERS = ("pthread", "go")


def per_launch(run, variant, contender=rows.US):
    return run.per_launch("sync", contender=contender, variant=variant, metric="ns_per_op")


def cost(run, variant, contender):
    return cases.duration(run.estimate("sync", contender=contender, variant=variant, metric="ns_per_op"))


def ratio(over, under):
    """Median of over / under, or None without both."""
    return cases.ratio(under, over).median if over and under else None


def table(run):
    lines = []
    for variant, words in LINES.items():
        cells = [cost(run, variant, rows.US)]
        for name in OTHERS:
            pair = per_launch(run, variant), per_launch(run, variant, name)
            cells += [cost(run, variant, name), cases.times(cases.ratio(*pair)) if all(pair) else "–"]
        if set(cells) != {"–"}:
            lines.append([words, *cells])
    header = ["what", rows.label(rows.US)]
    for name in OTHERS:
        header += [rows.label(name), "× gossamer"]
    return cases.markdown(header, lines) if lines else ""


def aims(run):
    handover = {"variant": "same", "metric": "ns_per_op"}
    ours = run.per_launch("handover", contender=rows.US, **handover)
    raw = run.per_launch("bound", contender=rows.RAW, variant="switch", metric="ns_per_op")
    buffered = run.estimate("sync", contender=rows.US, variant="buffered", metric="ns_per_op")
    ns, times = layout.nanoseconds, (lambda value: f"{value:.1f} times")
    found = [
        ("hand-over on one CPU, over a raw register switch", ratio(ours, raw), 3, times, False),
        ("hand-over on one CPU: Go's time over gossamer's, at least",
         ratio(run.per_launch("handover", contender="go", **handover), ours), 5, times, True),
        ("a word, buffered", buffered and buffered.median, 10, ns, False),
        ("a word by a select of two, over one received", ratio(per_launch(run, "select"), per_launch(run, "recv")),
         2.5, times, False),
        ("a lock by one unit, over pthread's", ratio(per_launch(run, "mutex"), per_launch(run, "mutex", "pthread")),
         1.5, times, False),
        ("a lock by 100 units in loops: pthread's time over gossamer's, at least",
         ratio(per_launch(run, "crowd", "pthread"), per_launch(run, "crowd")), 5, times, True),
        ("a lock that others always wait for: pthread's time over gossamer's, at least",
         ratio(per_launch(run, "held", "pthread"), per_launch(run, "held")), 5, times, True),
    ]
    lines = [[what, text(aim), text(value), report_blocking.verdict(value >= aim if least else value <= aim)]
             for what, value, aim, text, least in found if value is not None]
    return cases.markdown(["quantity", "aim", "measured", "verdict"], lines, 1) if lines else ""


def sections(run):
    found = aims(run)
    return [("C1, C10: words and locks", "sync", WORDS,
             [table(run), f"{AIMS}\n\n{found}" if found else "", cases.notes(run, ["sync"])])]
