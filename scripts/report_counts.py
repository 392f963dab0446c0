"""REPORT.md's table of what operations cost in things that can be counted."""
import bench_counts
import layout
import report_cases as cases
import rows

WORDS = """Beside time, what an operation does can be counted, and such counts repeat on any machine with the same
compiler and C library: instructions under callgrind, system calls under strace, faults and switches by the kernel's
account, each as the slope between two lengths of one loop of gossamer on one worker. `make perf-check` holds them to a
committed budget. Rows that say `clear` are with `GOS_DEBUG=clear`: what a task leaves on its stacks is wiped before
another gets them."""

HEADS = ("operation", "instructions", "system calls", "futex calls", "page faults", "context switches")


def table(run):
    variants = dict.fromkeys(row["variant"] for row in run.select("counts") if row["variant"])
    lines = []
    for variant in variants:
        found = [run.estimate("counts", contender=rows.US, variant=variant, metric=metric)
                 for metric in bench_counts.METRICS]
        lines.append([variant, *(layout.short(one.median) if one else "–" for one in found)])
    return cases.markdown(HEADS, lines) if lines else ""


def sections(run):
    found = table(run)
    return [("C1, C6: what can be counted", "counts", WORDS, [found])] if found else []
