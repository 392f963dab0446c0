"""The claims table: what benches/claims.toml demands, what the run shows, and the verdict."""
import math
import os
import tomllib

import layout
import prep
import prep_blocking
import prep_check
import prep_stacks
import report_blocking
import report_cases as cases
import report_stacks
import rows
import stats

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "benches", "claims.toml")
HOLDS, FAILS, OPEN, ABSENT = "holds", "**does not hold**", "not resolved", "not measured"


def load():
    with open(PATH, "rb") as file:
        return tomllib.load(file)


def exact(value):
    """An estimate of what is counted, not sampled."""
    return stats.Estimate(value, value, value, 1, 1.0) if value is not None else None


def ratio_by_launch(over, under):
    return cases.ratio(under, over) if over and under else None


def costs(run, case, contender=rows.US, metric="ns_per_op", **fields):
    return run.per_launch(case, contender=contender, metric=metric, **fields)


def scaling(run):
    most = max(prep_blocking.scale_threads(run), default=1)
    one, all_threads = (costs(run, "scale", variant="skynet", threads=t) for t in (1, most))
    return ratio_by_launch(all_threads, one) if most > 1 else None


def speed_kept(run):
    most = max(run.sizes("progress"), default=0)
    return prep_blocking.speed_kept(run, rows.US, most) if most else None


def scaled(cost, factor):
    return cost and stats.Estimate(cost.median * factor, cost.low * factor, cost.high * factor, *cost[3:])


def depth_over_go(run):
    deepest = max(prep_stacks.depths(run, "descent"), default=0)
    return ratio_by_launch(*(costs(run, "descent", name, variant="first", depth=deepest) for name in ("go", rows.US)))


def after_burst(run):
    found = prep_stacks.burst_figures(run, rows.US)
    return exact(found["after"] / found["shallow"]) if found else None


def check_instructions(run):
    added = []
    for variant in prep.check_variants(run):
        plain, checked = (run.estimate("check", contender=build, variant=variant, metric="instructions_per_call")
                          for build in prep.CHECK_BUILDS)
        added += [checked.median - plain.median] if plain and checked else []
    return exact(max(added)) if added else None


def threads_over_tasks(run):
    threads, stop = run.most_units("memory", "pthread")
    tasks, _ = run.most_units("memory", rows.US)
    return exact(threads / tasks) if stop and tasks else None


def api_names_tasks(run):
    found = run.values("api", contender=rows.US, metric="functions_that_name_tasks")
    return exact(found[0]["value"]) if found else None


# Test of claims.toml -> Estimate, or None without samples.
TESTS = {
    "scaling": scaling,
    "speed_kept": speed_kept,
    "handoff_us": lambda run: scaled(
        run.estimate("handoff", contender=rows.US, variant="first", metric="latency_ns"), 1e-3),
    "server_over_threads": lambda run: ratio_by_launch(*(
        costs(run, "server", name, "requests_per_s", variant="closed", n=100) for name in (rows.US, "pthread"))),
    "bytes_per_task": lambda run: prep.unit_cost(run, rows.US)[0],
    "after_burst": after_burst,
    "depth_over_go": depth_over_go,
    "check_instructions": check_instructions,
    "crossing_ns": lambda run: prep_check.added(run, "checked"),
    "most_tasks": lambda run: exact(run.most_units("memory", rows.US)[0] or None),
    "spawn_million_ns": lambda run: run.estimate("spawn", contender=rows.US, variant="warm", threads=1,
                                                 n=report_stacks.MILLION, metric="ns_per_op"),
    "threads_over_tasks": threads_over_tasks,
    "api_names_tasks": api_names_tasks,
    "pinned_over_threads": lambda run: ratio_by_launch(*(
        costs(run, "handover", name, variant="pinned") for name in ("pthread", rows.US))),
    "pinned_over_line": report_blocking.pinned_ratio,
}


def verdict(test, cost):
    """By the whole interval: what straddles the threshold is not resolved."""
    if cost is None:
        return ABSENT
    low, high = test.get("least", -math.inf), test.get("most", math.inf)
    if low <= cost.low and cost.high <= high:
        return HOLDS
    return FAILS if cost.high < low or cost.low > high else OPEN


def threshold(test):
    return f"≥ {test['least']:,}" if "least" in test else f"≤ {test['most']:,}"


def measured(cost):
    if cost is None:
        return "–"
    return cases.interval(cost, layout.short).replace(" (one sample)", "")


def minutes(run, wanted):
    seconds = run.env.get("seconds") if isinstance(run.env.get("seconds"), dict) else {}
    if not all(case in seconds for case in wanted):
        return "–"
    return f"{sum(seconds[case] for case in wanted) / 60:.1f}"


def table(run, figure_of):
    """One line a test; figure_of(name) is the place of a figure or ''."""
    lines = []
    for name, claim in load().items():
        for place, test in enumerate(claim["test"]):
            cost = TESTS[test["test"]](run)
            shown = [f"**{name}** {claim['claim']}", "make bench CASES=" + ",".join(claim["cases"]),
                     minutes(run, claim["cases"])] if place == 0 else ["", "", ""]
            picture = figure_of(claim["figure"]) if place == 0 else ""
            lines.append([shown[0], f"{test['measure']} {threshold(test)}", measured(cost), verdict(test, cost),
                          f"[{claim['figure']}]({picture})" if picture else "",
                          f"`{shown[1]}`" if shown[1] else "", shown[2]])
    return cases.markdown(["claim", "it holds if", "measured", "verdict", "figure", "again by", "minutes"], lines, 7)


def tally(run):
    """How many claims hold, in words."""
    found = []
    for claim in load().values():
        verdicts = {verdict(test, TESTS[test["test"]](run)) for test in claim["test"]}
        found.append(next(word for word in (FAILS, OPEN, ABSENT, HOLDS) if word in verdicts))
    words = [f"{found.count(word)} {text}" for word, text in
             ((HOLDS, "held"), (FAILS, "not, or not in every test"), (OPEN, "not to be told"), (ABSENT, "not measured"))
             if word in found]
    return f"Of {len(found)} claims, each with a threshold: " + ", ".join(words) + "."
