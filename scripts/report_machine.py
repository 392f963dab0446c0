"""The machine and the method of a run, told from env.json, topology.xml and the rows themselves."""
import re
import xml.etree.ElementTree as ElementTree

import rows
import stats

CASE_WORDS = {"memory": "parked units", "spawn": "start, run, finish", "yield": "yield", "handover": "hand-over",
              "check": "stack check", "bound": "bounds"}


def topology(text):
    """One sentence on processors, caches and memory, from hwloc's XML."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        raise rows.ResultsError("topology.xml: not XML; run `make bench` again") from None
    objects, models = {}, []
    for item in root.iter("object"):
        objects.setdefault(item.get("type"), []).append(item)
        models += [info.get("value") for info in item.findall("info") if info.get("name") == "CPUModel"]
    counts = [plural(len(objects[kind]), name) for kind, name in
              (("Package", "package"), ("Core", "core"), ("PU", "hardware thread"), ("NUMANode", "NUMA node"))
              if kind in objects]
    caches = [f"{len(objects[kind])} × {size(int(objects[kind][0].get('cache_size', 0)))} {name}"
              for kind, name in (("L1Cache", "L1d"), ("L2Cache", "L2"), ("L3Cache", "L3")) if kind in objects]
    memory = sum(int(node.get("local_memory", 0)) for node in objects.get("NUMANode", []))
    parts = [", ".join(dict.fromkeys(models)) or "processor not named", ", ".join(counts)]
    parts += ["caches " + ", ".join(caches)] if caches else []
    parts += [f"{memory / 2 ** 30:.1f} GiB of memory"] if memory else []
    return "; ".join(parts)


def plural(n, name):
    return f"{n} {name}" + ("" if n == 1 else "s")


def size(n):
    for factor, unit in ((2 ** 30, "GiB"), (2 ** 20, "MiB"), (2 ** 10, "KiB")):
        if n >= factor:
            return f"{n / factor:g} {unit}"
    return f"{n} B"


def flatten(value, prefix=""):
    """[(dotted key, text)] of a JSON value; lists of plain values become one text."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flatten(inner, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list):
        if any(isinstance(inner, (dict, list)) for inner in value):
            return [pair for place, inner in enumerate(value) for pair in flatten(inner, f"{prefix}.{place}")]
        return [(prefix, " ".join(map(str, value)))]
    return [(prefix, {True: "yes", False: "no", None: "unknown"}.get(value, value)
             if value is None or isinstance(value, bool) else str(value))]


def escape(text):
    """Text for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def environment_table(env):
    lines = ["| recorded | value |", "|---|---|"]
    for key, text in flatten(env):
        if escape(text):
            lines.append(f"| {escape(key.replace('_', ' '))} | `{escape(text).replace('`', chr(39))}` |")
    return "\n".join(lines)


def design_table(run):
    """Which case was sampled how often, and the confidence that its intervals therefore have."""
    lines = ["| case | launches | repetitions a launch | samples | interval |", "|---|---|---|---|---|"]
    for case in sorted({row["case"] for row in run.rows}, key=lambda name: (name not in CASE_WORDS, list(
            CASE_WORDS).index(name) if name in CASE_WORDS else 0, name)):
        values = run.values(case) or [row for row in run.select(case) if row["value"] is not None]
        launches = len({row["launch"] for row in values})
        if not launches:
            continue
        reps = {}
        for row in values:
            key = (row["contender"], row["variant"], row["n"] if case in ("memory", "spawn") else 0, row["metric"],
                   row["launch"])
            reps[key] = reps.get(key, 0) + 1
        low, high = min(reps.values()), max(reps.values())
        n = launches if launches > 1 else high
        rank = stats.interval_rank(n)
        worth = max(0.0, stats.confidence(n, rank))
        lines.append(f"| {CASE_WORDS.get(case, case)} (`{case}`) | {launches} | {low if low == high else f'{low}–{high}'}"
                     f" | {len(values):,} | {interval_words(n, rank, worth)} |")
    return "\n".join(lines)


def interval_words(n, rank, worth):
    if n == 1:
        return "none: a single sample"
    ends = "[min, max]" if rank == 1 else f"[{ordinal(rank)} smallest, {ordinal(rank)} largest]"
    return f"{ends} of {n}: {worth * 100:.1f} %"


def ordinal(n):
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
