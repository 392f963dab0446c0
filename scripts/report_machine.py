"""The machine and the method of a run, told from env.json, topology.xml and the rows themselves."""
import re
import xml.etree.ElementTree as ElementTree

import bench_plan
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
    parts = [", ".join(dict.fromkeys(models)) or "processor not named", ", ".join(counts)]
    parts += ["caches " + ", ".join(caches)] if caches else []
    return "; ".join(parts)


def plural(n, name):
    return f"{n} {name}" + ("" if n == 1 else "s")


def size(n):
    for factor, unit in ((2 ** 30, "GiB"), (2 ** 20, "MiB"), (2 ** 10, "KiB")):
        if n >= factor:
            return f"{n / factor:g} {unit}"
    return f"{n} B"


def machine(run):
    """The machine in one sentence: hwloc's view, and the memory that the kernel has."""
    memory = run.env.get("kernel", {}).get("memory_total_kib") if isinstance(run.env.get("kernel"), dict) else None
    return topology(run.topology) + (f"; {int(memory) / 2 ** 20:.1f} GiB of memory" if memory else "")


# What of env.json a reader needs to judge the numbers; a path names nested fields.
SHOWN = ("distribution", "kernel.release", "cpu.model", "cpu.mhz", "cpu.microcode", "cpu.hypervisor", "cpu.governor",
         "cpu.boost", "cpu.clocksource", "kernel.transparent_hugepage", "kernel.overcommit_memory",
         "kernel.max_map_count", "kernel.pid_max", "kernel.threads_max", "kernel.randomize_va_space", "tools.gcc",
         "tools.clang", "tools.lld", "tools.glibc", "tools.hwloc", "tools.valgrind", "binary.flags", "binary.sha256",
         "git.commit", "git.changed_files", "profile", "seed", "start", "end", "steal_percent")


def lookup(env, path):
    for key in path.split("."):
        env = env.get(key) if isinstance(env, dict) else None
    return env


def escape(text):
    """Text for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def environment_table(env):
    lines = ["| recorded | value |", "|---|---|"]
    for path in SHOWN:
        value = lookup(env, path)
        if value is not None and value != "":
            value = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
            value = " ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"| {escape(path.replace('.', ': ').replace('_', ' '))} | {escape(value)} |")
    faults = lookup(env, "cpu.mitigations")
    if isinstance(faults, dict):
        words = [f"{name}: {state}" for name, state in faults.items() if state != "Not affected"]
        lines.append(f"| cpu: mitigations | {escape('; '.join(words)) or 'none'} |")
    return "\n".join(lines)


OVER_TIME = ("burst",)    # one repetition, looked at again and again


def sampled(run, case):
    """[{launch: samples}] of each row of the report, without those that were taken again."""
    groups = {}
    for row in run.select(case):
        if row["value"] is not None and not row.get("rejected"):
            key = (row["contender"], row["variant"], row["threads"], row["metric"], row.get("depth"),
                   row.get("layout"), 0 if case in rows.CALIBRATED else row["n"])
            launches = groups.setdefault(key, {})
            launches[row["launch"]] = launches.get(row["launch"], 0) + 1
    return list(groups.values())


def design_table(run):
    """Which case was sampled how often, and the confidence that its intervals therefore have: over the launches of a
    row, or over the repetitions of its only one."""
    lines = ["| case | launches | repetitions a launch | samples | interval |", "|---|---|---|---|---|"]
    present = {row["case"] for row in run.rows}
    for case in [name for name in CASE_WORDS if name in present] + sorted(present - set(CASE_WORDS)):
        groups = sampled(run, case)
        if not groups:
            continue
        launches = sorted({len(group) for group in groups})
        reps = sorted({n for group in groups for n in group.values()})
        behind = sorted({len(group) if len(group) > 1 or case in OVER_TIME else sum(group.values())
                         for group in groups})
        worth = [interval_words(n) for n in behind]
        worth = worth if len(worth) <= 3 else [*worth[:2], "…", worth[-1]]
        often = f"1, of {span(reps)} samples over time" if case in OVER_TIME else span(reps)
        lines.append(f"| {CASE_WORDS.get(case, case)} (`{case}`) | {span(launches)} | {often} | "
                     f"{sum(sum(group.values()) for group in groups):,} | {'; '.join(worth)} |")
    return "\n".join(lines)


def left_out(run):
    """A sentence on the rows that a full run would have beside these; '' where there are none."""
    profile, cases = run.env.get("profile"), {row["case"] for row in run.rows}
    if profile not in bench_plan.PROFILES:
        return ""
    contenders = dict.fromkeys({row["contender"] for row in run.rows}, 0)
    cpus = max(row["threads"] for row in run.rows)
    parts = []
    for (case, variant, n), names in bench_plan.left_out(profile, contenders, cpus).items():
        if case in cases:
            what = " ".join([f"`{case}`", *([variant] if variant else []), *([f"with {n:,} connections"] if n else [])])
            parts.append(f"{what}: {', '.join(rows.label(name) for name in names)}")
    return f"What only the full profile measures: {'; '.join(parts)}." if parts else ""


def span(values):
    return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"


def interval_words(n):
    if n == 1:
        return "of 1: none"
    rank = stats.interval_rank(n)
    ends = "[min, max]" if rank == 1 else f"[{ordinal(rank)} smallest, {ordinal(rank)} largest]"
    return f"{ends} of {n}: {stats.confidence(n, rank) * 100:.1f} %"


def ordinal(n):
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
