"""REPORT.md's section on real programs: what checks, doors and crossings add to each, and their geometric mean."""
import math

import bench_programs
import layout
import report_cases as cases
import stats

WORDS = """Programs that nobody here wrote, in four builds of the same source: *plain*; with *checks*, which all find
room; *wrapped*: with the doors for libc's functions as well, linked as pkg-config says; in *tasks*: the same objects in
a task that starts on a nursery, crossings included. Processor time of a round over that of *plain*, paired by launch,
in which all builds take turns on one CPU, each launch with another order of the programs' functions; instructions are
slopes under callgrind. Sought: a geometric mean of at most +2 % time, no program above +5 %."""
METRICS = (("ns_per_op", "time"), ("instructions_per_round", "instructions"))


def ratio(run, program, build, metric):
    """A build over plain, paired by launch, or None."""
    plain, other = (run.per_launch("programs", contender=name, variant=program, metric=metric)
                    for name in ("plain", build))
    return stats.paired_ratio(plain, other) if plain and other else None


def percent(value):
    return f"{(value - 1) * 100:+.1f} %".replace("-", "−")


def cell(found):
    if not found:
        return "–"
    text = percent(found.median)
    return text if found.low == found.high else f"{text} [{percent(found.low)}, {percent(found.high)}]"


def table(run):
    lines, product = [], {}
    for program in bench_programs.PROGRAMS:
        plain = run.estimate("programs", contender="plain", variant=program, metric="ns_per_op")
        line = [program, cases.duration(plain)]
        for metric, _ in METRICS:
            for build in bench_programs.BUILDS[1:]:
                found = ratio(run, program, build, metric)
                line.append(cell(found))
                if found:
                    product.setdefault((metric, build), []).append(math.log(found.median))
        lines.append(line)
    means = [product.get((metric, build)) for metric, _ in METRICS for build in bench_programs.BUILDS[1:]]
    lines.append(["**geometric mean**", ""]
                 + [f"**{percent(math.exp(sum(logs) / len(logs)))}**" if logs else "–" for logs in means])
    header = ["program", "plain, a round"] + [f"{build}, {title}" for _, title in METRICS
                                              for build in bench_programs.BUILDS[1:]]
    return cases.markdown(header, lines) + "\n\n" + verdict(product)


def verdict(product):
    """Whether what was sought was reached, by build."""
    text = []
    for build in bench_programs.BUILDS[1:]:
        logs = product.get(("ns_per_op", build))
        if logs:
            mean, worst = math.exp(sum(logs) / len(logs)), math.exp(max(logs))
            reached = "reached" if mean <= 1.02 and worst <= 1.05 else "not reached"
            text.append(f"*{build}*: geometric mean {percent(mean)}, at most {percent(worst)}: {reached}")
    return "; ".join(text) + "." if text else ""
