"""Reads a results folder (results/README.md) and turns its raw samples into estimates.

An estimate is the median over launches of each launch's median over its repetitions, since launches differ more than
repetitions do; a run of a single launch falls back on the repetitions. Three things are left out, and counted: turns
that were taken again because the machine was disturbed, disturbed turns of a launch that has others, and repetitions
before a steady state.
"""
import argparse
import contextlib
import json
import math
import os
import re
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import stats  # noqa: E402

US = "gossamer"
AGAIN, SLOWED = "aa", "aa-slow"   # gossamer once more, and made slower on purpose: controls, no contenders
NO_CONTENDERS = ("check", "bound", "programs")   # cases whose `contender` is a build or a bound
REPEATED = ("yield", "handover", "spawn", "bound", "scale", "sync", "programs")   # the same thing again and again
# Whose `n` is a number of operations that each launch finds anew; elsewhere it is what was asked for.
CALIBRATED = ("yield", "handover", "check", "bound", "api")
BUILDS = ("plain", "checked")   # of the same code, in the case check
RAW = "raw"   # bounds that no contender takes part in

# Contender -> (line style of style.gp, name in figures and tables). The order is the order in tables; a contender
# that is not here is plotted all the same, under its own name and with a spare style.
CONTENDERS = {
    US: (1, "gossamer"),
    "gossamer-cold": (22, "gossamer, cold tasks packed"),
    "gossamer-fixed": (2, "gossamer, fixed stacks"),
    "fixed-bare": (3, "fixed stacks, no guard"),
    "fixed": (4, "fixed stacks, guarded"),
    "ucontext": (5, "ucontext"),
    "pthread": (6, "pthread"),
    "pthread-min": (7, "pthread, smallest stack"),
    "pool": (8, "pthread pool"),
    "go": (11, "Go"),
    "go-nogc": (10, "Go, no collector"),
    "epoll": (12, "epoll loop by hand"),
    "libuv": (9, "libuv loop"),
    "fcontext": (13, "Boost.Context switch"),
    "boost-fiber": (14, "Boost.Fiber"),
    "boost-fiber-pool": (15, "Boost.Fiber, pooled"),
    "may": (23, "may"),
    "may-tuned": (23, "may, tuned"),
    "java": (24, "Java virtual threads"),
    "java-tuned": (24, "Java virtual threads, tuned"),
    "st": (16, "State Threads"),
    "st-small": (16, "State Threads, small stacks"),
    "pth": (17, "GNU Pth"),
    "pth-small": (17, "GNU Pth, small stacks"),
    "split-context": (13, "split stacks through Boost.Context"),
    "erlang": (21, "Erlang"),
    "erlang-tuned": (21, "Erlang, tuned"),
    "tokio": (20, "Tokio"),
    "tokio-tuned": (20, "Tokio, tuned"),
    "cxx20": (19, "C++20 coroutines"),
    "cxx20-pool": (19, "C++20 coroutines, pooled"),
    "tbb": (18, "oneTBB"),
}
FIRST_SPARE_STYLE, STYLES = 25, 26
# The second, tuned, variant of a peer: in tables and the figure of peers, not in the figures of all.
TUNED = ("boost-fiber-pool", "may-tuned", "java-tuned", "st-small", "pth-small", "erlang-tuned", "tokio-tuned",
         "cxx20-pool")
# Of the README's table: what differs in kind, and what most readers will ask for.
TELLING = (US, "gossamer-cold", "gossamer-fixed", "fixed", "pthread", "go", "java", "may", "boost-fiber", "erlang",
           "tokio", "cxx20")

MEMORY_PARTS = ("rss_bytes", "pte_bytes", "kernel_stack_bytes")
FIELDS = {"case": str, "contender": str, "variant": str, "n": int, "threads": int, "launch": int, "rep": int,
          "metric": str, "units_asked": int, "units_made": int, "status": str, "why": str}
MOST_THREADS = 8192   # as many processors Linux can be built for: some reports go through all numbers up to it
# What some rows have besides.
OPTIONAL = {"depth": (int,), "layout": (str,), "link": (int,), "ops": (int,), "rate": (int,), "rejected": (bool,),
            "round": (int,), "cpu_share": (int, float), "at_ms": (int, float), "samples": (list,), "anchor_ns": (list,)}
STATUSES = ("ok", "stopped", "not-run", "failed")


class ResultsError(Exception):
    """The folder cannot be used; the message is one line that says what, why and what to do."""


@contextlib.contextmanager
def guard(folder):
    """Data that the schema lets pass and nothing can be made of ends in one line too, which says where."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ResultsError(f"{folder}: holds what no use can be made of ({said}; {os.path.basename(place.filename)}:"
                           f"{place.lineno}): damaged, or of another version; run `make bench` again") from error


class Arguments(argparse.ArgumentParser):
    """A command line whose errors are one line and exit code 2."""

    def error(self, message):
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ResultsError(f"{path}: {reason}; a results folder comes from `make bench`") from None


def check_row(row, where):
    """Refuses what the schema does not allow, so that no figure is ever drawn from half a row."""
    if not isinstance(row, dict):
        raise ResultsError(f"{where}: not an object; run `make bench` again")
    for field, kind in FIELDS.items():
        if type(row.get(field)) is not kind:
            raise ResultsError(f"{where}: field `{field}` is missing or not of type {kind.__name__}; "
                               "see results/README.md")
    for field, kinds in OPTIONAL.items():
        if field in row and type(row[field]) not in kinds:
            raise ResultsError(f"{where}: field `{field}` is not of type {kinds[-1].__name__}; see results/README.md")
    if not 0 <= row["threads"] <= MOST_THREADS:
        raise ResultsError(f"{where}: field `threads` is not from 0 to {MOST_THREADS}; see results/README.md")
    value = row.get("value")
    if "value" not in row or not (value is None or type(value) in (int, float) and math.isfinite(value)):
        raise ResultsError(f"{where}: field `value` is missing or not a number; see results/README.md")
    if row["status"] not in STATUSES:
        raise ResultsError(f"{where}: unknown status {row['status']!r}; see results/README.md")
    if row["status"] == "ok" and value is None:
        raise ResultsError(f"{where}: status ok without a value; run `make bench` again")


def parse_rows(text, path):
    """The rows of rows.jsonl. A damaged or torn line refuses the whole file."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError:
            raise ResultsError(f"{where}: not a whole JSON line; the file is damaged, run `make bench` again") from None
        check_row(row, where)
        rows.append(row)
    if not rows:
        raise ResultsError(f"{path}: holds no samples; run `make bench` again")
    return rows


class Results:
    """The samples of one run. Cases, contenders and variants appear in a fixed order, whatever the order of rows."""

    def __init__(self, folder):
        self.folder = folder
        rows_path, env_path = os.path.join(folder, "rows.jsonl"), os.path.join(folder, "env.json")
        self.rows = parse_rows(read_text(rows_path), rows_path)
        self.cases = {}
        for row in self.rows:
            for key in (row["case"], (row["case"], row["contender"])):    # to find rows fast
                self.cases.setdefault(key, []).append(row)
        self.known = {}
        try:
            self.env = json.loads(read_text(env_path))
        except ValueError:
            raise ResultsError(f"{env_path}: not JSON; run `make bench` again") from None
        if not isinstance(self.env, dict):
            raise ResultsError(f"{env_path}: not a JSON object; run `make bench` again")
        self.topology = read_text(os.path.join(folder, "topology.xml"))
        known = list(CONTENDERS)
        names = {row["contender"] for row in self.rows if row["case"] not in NO_CONTENDERS} - {AGAIN, SLOWED}
        self.controls = self.comparisons = None   # what report_cases makes of it, once
        self.discarded, self.unsteady = {}, set()   # {row: repetitions a launch}, rows; filled by estimates
        self.contenders = [name for name in known if name in names] + sorted(names - set(known))

    def select(self, case, **fields):
        """The rows of a case whose fields have the given values."""
        some = self.cases.get((case, fields["contender"]) if "contender" in fields else case, ())
        return [row for row in some if all(row[name] == value for name, value in fields.items())]

    def values(self, case, **fields):
        """The samples that hold a number, of a contender that did what was asked."""
        return [row for row in self.select(case, **fields)
                if row["status"] == "ok" and row["value"] is not None and not row.get("rejected")]

    def of_case(self, case):
        """Contenders with at least one row in this case, in table order."""
        names = {row["contender"] for row in self.select(case)}
        return [name for name in self.contenders if name in names]

    def drawn(self, case):
        """The same without tuned variants, for figures that hold everybody."""
        return [name for name in self.of_case(case) if name not in TUNED]

    def sizes(self, case, **fields):
        return sorted({row["n"] for row in self.select(case, **fields)})

    def threads(self, case, contender):
        """Thread counts with a number, the fewest first."""
        return sorted({row["threads"] for row in self.values(case, contender=contender)})

    def per_launch(self, case, **fields):
        """{launch: median of its repetitions}; of a single launch {(launch, rep): value}. Empty without a steady
        state."""
        return by_launch((row["launch"], row["rep"], row["value"]) for row in self.steady(case, **fields))

    def steady(self, case, **fields):
        """The undisturbed samples, without the first repetitions of each launch where these show a trend."""
        key = (case, *sorted(fields.items()))
        if key not in self.known:
            self.known[key] = self.steady_rows(case, **fields)
        return self.known[key]

    def steady_rows(self, case, **fields):
        found = undisturbed(self.values(case, **fields))
        if case not in REPEATED or fields.get("variant") == "cold" or fields.get("metric") != "ns_per_op":
            return found
        launches = {}
        for row in found:
            launches.setdefault(row["launch"], []).append(row)
        longest = max(map(len, launches.values()), default=0)
        what = (case, *sorted(fields.items()))
        for skip in range(max(1, longest - 2)):
            series = [rows[skip:] for rows in launches.values()]
            if not stats.has_trend([[row["value"] for row in rows] for rows in series]):
                if skip:
                    self.discarded[what] = skip
                return [row for rows in series for row in rows]
        self.unsteady.add(what)
        return []

    def ratios(self, case, contender, **fields):
        """{launch: contender's value over gossamer's}: the median over the rounds in which both took a turn, or the
        ratio of the launch's medians where they took none."""
        turns = [self.rounds(case, contender=name, **fields) for name in (US, contender)]
        if all(turns):
            found = {}
            for launch in turns[0].keys() & turns[1].keys():
                ours, theirs = turns[0][launch], turns[1][launch]
                pairs = [theirs[key] / ours[key] for key in ours.keys() & theirs.keys() if ours[key] > 0]
                if pairs:
                    found[launch] = stats.median(pairs)
            if found:
                return dict(sorted(found.items()))
        ours, theirs = stats.alike(*(self.per_launch(case, contender=name, **fields) for name in (US, contender)))
        return {key: theirs[key] / ours[key] for key in ours if key in theirs and ours[key] > 0}

    def rounds(self, case, **fields):
        """{launch: {round: value}} of what was measured in turns."""
        found = {}
        for row in self.steady(case, **fields):
            if "round" in row:
                found.setdefault(row["launch"], {})[row["round"]] = row["value"]
        return found

    def disturbed(self):
        """(timed samples that were looked at, disturbed, of these taken again)."""
        looked = [row for row in self.rows if "anchor_ns" in row]
        return (len(looked), sum("bad" in row for row in looked), sum(bool(row.get("rejected")) for row in looked))

    def estimate(self, case, **fields):
        """Estimate over launches, or None where there is no sample."""
        samples = self.per_launch(case, **fields)
        return stats.estimate(list(samples.values())) if samples else None

    def memory_points(self, contender):
        """{(n, launch, rep): (units, rss, page tables, kernel stack)}: totals, also at the point where it stopped."""
        parts = {}
        for row in self.select("memory", contender=contender):
            if row["metric"] in MEMORY_PARTS and row["value"] is not None and row["units_made"] > 0:
                point = parts.setdefault((row["n"], row["launch"], row["rep"]), {"units": row["units_made"]})
                point[row["metric"]] = row["value"]
        return {key: (point["units"], *(point[part] for part in MEMORY_PARTS))
                for key, point in sorted(parts.items()) if all(part in point for part in MEMORY_PARTS)}

    def memory_per_unit(self, contender, n):
        """(units made, Estimate of bytes per unit) at one size, or None."""
        points = {key: point for key, point in self.memory_points(contender).items() if key[0] == n}
        if not points:
            return None
        samples = by_launch((key[1], key[2], sum(point[1:]) / point[0]) for key, point in points.items())
        return stats.median([point[0] for point in points.values()]), stats.estimate(list(samples.values()))

    def memory_slopes(self, contender, part=None):
        """{launch: bytes a further unit costs}, by least squares over all sizes; of one part or of their sum. Of a
        single launch {(launch, rep): bytes}."""
        points, launches = self.memory_points(contender), {}
        alone = len({launch for _, launch, _ in points}) == 1
        for (_, launch, rep), point in points.items():
            value = sum(point[1:]) if part is None else point[1 + MEMORY_PARTS.index(part)]
            launches.setdefault((launch, rep) if alone else launch, []).append((point[0], value))
        slopes = {launch: stats.slope(points) for launch, points in launches.items()}
        return {launch: value for launch, value in slopes.items() if value is not None}

    def metric_slope(self, contender, metric):
        """What a further parked unit adds to any other metric of the case memory: median over launches, or None."""
        launches = {}
        for row in self.select("memory", contender=contender, metric=metric):
            if row["value"] is not None and row["units_made"] > 0:
                launches.setdefault(row["launch"], []).append((row["units_made"], row["value"]))
        slopes = [stats.slope(points) for points in launches.values()]
        slopes = [slope for slope in slopes if slope is not None]
        return stats.median(slopes) if slopes else None

    def most_units(self, case, contender):
        """(most units made, row that stopped it or None). What it made before it was stopped counts."""
        rows = self.select(case, contender=contender)
        most = max((row["units_made"] for row in rows if row["status"] in ("ok", "stopped")), default=0)
        return most, next((row for row in rows if row["status"] == "stopped"), None)

    def notes(self, case):
        """[(contender, variant, status, why, fewest units, most)] of all in a case that is not ok. Causes that differ
        only in their numbers are one; the words are those of the row that made most."""
        found = {}
        for row in self.select(case):
            if row["status"] != "ok":
                key = (row["contender"], row["variant"], row["status"], re.sub(r"\d+", "#", row["why"]))
                found.setdefault(key, []).append((row["units_made"], row["why"]))
        order = {name: place for place, name in enumerate(self.contenders)}
        return [(*key[:3], max(group)[1], min(group)[0], max(group)[0]) for key, group in
                sorted(found.items(), key=lambda item: (order.get(item[0][0], len(order)), item[0]))]

    def style(self, contender):
        """Line style in style.gp; contenders unknown to this file share the spare ones in turn."""
        if contender in CONTENDERS:
            return CONTENDERS[contender][0]
        spare = [name for name in self.contenders if name not in CONTENDERS].index(contender)
        return FIRST_SPARE_STYLE + spare % (STYLES - FIRST_SPARE_STYLE + 1)


def last_first(names):
    """Drawing order: gossamer last, so that it lies on top."""
    return [name for name in names if name != US] + [name for name in names if name == US]


def is_telling(contender):
    """Whether the README's table shows it; whoever is unknown here is shown."""
    return contender in TELLING or contender not in CONTENDERS


def undisturbed(found):
    """Of each launch the samples that nothing disturbed, or all where there is none."""
    quiet = {row["launch"] for row in found if "bad" not in row}
    return [row for row in found if "bad" not in row or row["launch"] not in quiet]


def by_launch(samples):
    """Medians of (launch, rep, value) by launch, or the samples themselves where there is one launch only."""
    samples = list(samples)
    launches = {}
    for launch, _, value in samples:
        launches.setdefault(launch, []).append(value)
    if len(launches) == 1:
        return {(launch, rep, place): value for place, (launch, rep, value) in enumerate(samples)}
    return {launch: stats.median(values) for launch, values in sorted(launches.items())}


def label(contender):
    """The name that figures and tables print."""
    return CONTENDERS[contender][1] if contender in CONTENDERS else contender
