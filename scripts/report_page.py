"""results/<run>/report.html: one page without a network, to hover over and to filter by contender and quantity."""
import json
import os

import prep
import prep_stacks
import report_cases as cases
import report_claims
import report_machine as machine
import rows

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page", "report.html")
# Title, unit, case, metric, what goes along x (None: one value a contender), words.
MEMORY = ("Memory of a parked unit", "bytes", "parked units", "Resident memory, page tables and kernel stack a unit; "
          "a cross: where a limit stopped the contender.")


def point(cost, x=None, stopped=""):
    return {"x": x, "median": cost.median, "low": cost.low, "high": cost.high, "n": cost.n,
            **({"stopped": stopped} if stopped else {})}


def chart(title, unit, along, words, series, band=None):
    """A chart, or None where no contender has a value."""
    series = [{"name": name, "points": points} for name, points in series if points]
    made = {"title": title, "unit": unit, "x": along, "words": words, "series": series, "band": band}
    return made if series else None


def memory(run):
    series = []
    for name in run.of_case("memory"):
        most, stop = run.most_units("memory", name)
        found = [run.memory_per_unit(name, n) for n in run.sizes("memory", contender=name)]
        points = sorted((units, cost) for units, cost in filter(None, found))
        series.append((name, [point(cost, units, stop["why"] if stop and units > 0.99 * most else "")
                              for units, cost in points]))
    return chart(MEMORY[0], MEMORY[1], MEMORY[2], MEMORY[3], series)


def along(run, title, unit, case, metric, field, x_words, words, **fields):
    """A line a contender over one field of the rows."""
    series = []
    for name in run.of_case(case):
        places = sorted({row[field] for row in run.values(case, contender=name, metric=metric, **fields)})
        found = [(x, run.estimate(case, contender=name, metric=metric, **{field: x}, **fields)) for x in places]
        series.append((name, [point(cost, x) for x, cost in found if cost]))
    return chart(title, unit, x_words, words, series)


def single(run, title, case, metric, words, **fields):
    """One value a contender, with what gossamer differs from itself by as a band round its value."""
    found = [(name, run.estimate(case, contender=name, metric=metric, **fields)) for name in run.of_case(case)]
    ours = next((cost.median for name, cost in found if name == rows.US and cost), None)
    same = run.ratios(case, rows.AGAIN, metric=metric, **fields) if ours else None
    band = [min(same.values()) * ours, max(same.values()) * ours] if same else None
    return chart(title, "ns", None, words + (" Grey: gossamer, measured once more." if band else ""),
                 [(name, [point(cost)]) for name, cost in found if cost], band)


def charts(run):
    threads = sorted({row["threads"] for row in run.values("spawn")})
    found = [memory(run)]
    for variant, words in (("warm", "memory used before"), ("cold", "first touch of its memory")):
        for t in threads:
            found.append(along(run, f"Start + run + finish, {variant}, {machine.plural(t, 'thread')}", "ns", "spawn",
                               "ns_per_op", "n", "units started", f"Time a unit; {words}.", variant=variant, threads=t))
    for case, variant, _, _, meaning in prep.SWITCHES:
        found.append(single(run, meaning[0].upper() + meaning[1:], case, "ns_per_op", "Time an operation.",
                            variant=variant))
    for program in sorted({row["variant"] for row in run.values("scale")}):
        for t in sorted({row["threads"] for row in run.values("scale", variant=program)}):
            found.append(single(run, f"Program {program}, {machine.plural(t, 'thread')}", "scale", "ns_per_op",
                                "Time a unit, hop or word.", variant=program, threads=t))
    for variant, words in (("at", "at that depth"), ("after", "after coming back")):
        series = [(name, [point(cost, depth) for depth in prep_stacks.depths(run, "depth")
                          for cost in [prep_stacks.depth_bytes(run, name, variant, depth)] if cost])
                  for name in run.of_case("depth")]
        found.append(chart(f"Memory of a unit parked {words}", "bytes", "bytes of stack touched", "Bytes a unit.",
                           series))
    for variant, words in (("first", "the first time"), ("warm", "again")):
        found.append(along(run, f"A call in a recursion, {words}", "ns", "descent", "ns_per_op", "depth",
                           "bytes of stack touched", "Time a call, down and up.", variant=variant))
    for metric, words, unit in (("requests_per_s", "Server: requests a second", "/s"),
                                ("p99_ns", "Server: 99th percentile of latency", "ns")):
        found.append(along(run, words, unit, "server", metric, "n", "connections", "Closed loop, wrk.",
                           variant="closed"))
    return [one for one in found if one]


def notes(run):
    lines = []
    for case in sorted({row["case"] for row in run.rows if row["status"] != "ok"}):
        for contender, variant, status, why, fewest, most in run.notes(case):
            far = f"stopped at {most:,} units" if status == "stopped" else status.replace("-", " ")
            lines.append([rows.label(contender), case + (f", {variant}" if variant else ""), far, why])
    return sorted(map(list, {tuple(line) for line in lines}))


def claims(run):
    body = []
    for name, claim in report_claims.load().items():
        for test in claim["test"]:
            cost = report_claims.TESTS[test["test"]](run)
            body.append([f"{name} {claim['claim']}", f"{test['measure']} {report_claims.threshold(test)}",
                         report_claims.measured(cost), report_claims.verdict(test, cost).strip("*")])
    return {"head": ["claim", "it holds if", "measured", "verdict"], "body": body}


def page(run):
    """The text of the page."""
    data = {"machine": machine.machine(run) + f". {run.env.get('start', '')}, profile {run.env.get('profile', '–')}.",
            "contenders": [{"name": name, "label": rows.label(name)} for name in run.contenders],
            "charts": charts(run), "claims": claims(run), "notes": notes(run)}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=float)
    return rows.read_text(TEMPLATE).replace("@DATA@", text.replace("</", "<\\/"), 1)
