"""REPORT.md's table of what it costs to record what the workers do."""
import bench_trace
import layout
import report_cases as cases
import rows

WORDS = """Each worker records what it does, for a flight recorder that always runs, and more of it while a trace is
written to a file. Times of gossamer on one worker and one CPU, over those of the same program that records nothing
(`GOS_DEBUG=noflight`); the processes took turns, a millisecond each, and the thread that writes the file had the same
CPU. The first column is that program once more: what differs from 1 there is error."""

HEADS = ("operation", "nothing recorded, again", "flight recorder (the default)", "trace in a file")


def table(run):
    variants = dict.fromkeys(row["variant"] for row in run.select("trace") if row["variant"])
    lines = []
    for variant in variants:
        found = [run.estimate("trace", contender=rows.US, variant=variant, metric=metric)
                 for metric in bench_trace.METRICS.values()]
        lines.append([variant, *(layout.short(one.median) if one else "–" for one in found)])
    return cases.markdown(HEADS, lines) if lines else ""


def sections(run):
    found = table(run)
    return [("C10: what traces cost", "trace", WORDS, [found])] if found else []
