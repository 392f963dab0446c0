#!/usr/bin/env python3
"""Random damage to the files of a run, and what reads them: each reader does its work, or says in one line what is
wrong and gives a status that is not 0. The run is a random part of results/reference, damaged as text or as data.

usage: test_results.py [--keep FOLDER]     FUZZ_COUNT=n: so many inputs; FUZZ_SECONDS=s: for so long; SEED: the draws
"""
# timeout: 180
import contextlib
import copy
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results/reference"
for folder in ("scripts", "plots"):
    sys.path.insert(0, str(ROOT / folder))
import bench_steps  # noqa: E402
import compare  # noqa: E402
import merge_results  # noqa: E402
import prep  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402

COUNT = 40
MEMORY = 4 << 30   # a reader that wants more has lost count: that is a finding, and not the end of other processes
VALUES = [None, "", "x", "\n", -1, 0, 1, 1 << 70, 0.5, 1e308, -0.0, float("nan"), float("inf"), True, [], {}, [1],
          {"a": 1}, "gossamer", "ok", "failed", "stopped"]


# ---- damage ----

def damage_text(draw, data):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at = draw.randrange(len(data) + 1)
        how = draw.randrange(6)
        if how == 0:
            del data[at:]
        elif how == 1:
            del data[at:at + draw.randrange(1, 40)]
        elif how == 2:
            data[at:at] = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 9)))
        elif how == 3:
            data[at:at] = data[at:at + draw.randrange(1, 400)]
        elif data and at < len(data):
            data[at] = draw.randrange(256) if how == 4 else data[at] ^ 1 << draw.randrange(8)
    return bytes(data)


def places(value, found):
    """Every (container, key) in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            places(value[key], found)
    return found


def damage_value(draw, value):
    for _ in range(draw.choice((1, 1, 2, 4))):
        container, key = draw.choice(places(value, []) or [({0: 0}, 0)])
        if draw.randrange(4) == 0:
            del container[key]
        else:
            container[key] = copy.deepcopy(draw.choice(VALUES))   # what is damaged further must hold nothing twice
    return value


def lines_of(found):
    return "".join(json.dumps(row) + "\n" for row in found).encode()


def make_run(draw, folder, samples, env, topology):
    """A part of the reference, in which at most one file is damaged."""
    cases = draw.sample(sorted({row["case"] for row in samples}), draw.randrange(1, 5))
    part = [row for row in samples if row["case"] in cases]
    part = draw.sample(part, min(len(part), draw.choice((1, 10, 100, 400))))
    how = draw.randrange(8)
    if how < 2:
        part = damage_value(draw, json.loads(json.dumps(part)))
    if how in (2, 3):
        env = damage_value(draw, json.loads(env))
        env = json.dumps(env if draw.randrange(20) else draw.choice(VALUES)).encode()
    files = {"rows.jsonl": lines_of(part), "env.json": env, "topology.xml": topology}
    if how in (4, 5, 6):
        name = draw.choice(sorted(files))
        files[name] = damage_text(draw, files[name])
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, data in files.items():
        if draw.randrange(200):
            (folder / name).write_bytes(data)


# ---- readers ----

def call(main, *words):
    sys.argv = [main.__module__ + ".py", *map(str, words)]
    return main()


def figures(run):
    try:
        found = rows.Results(run)
        with rows.guard(run):
            for make in prep.FIGURES.values():
                make(found)
    except rows.ResultsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def protocol(run):
    """The rows of a contender's process, as the suite reads them while it runs."""
    arm = bench_steps.Arm.__new__(bench_steps.Arm)
    arm.path, arm.read, arm.series, arm.refused, arm.excused = run / "rows.jsonl", 0, None, 0, False
    for row in arm.rows():
        rows.check_row(row, "")
    return 0


def readers(run, scratch):
    shutil.copy(ROOT / "README.md", scratch)
    into = scratch / "merged"
    shutil.rmtree(into, ignore_errors=True)
    return {
        "compare": lambda: call(compare.main, REFERENCE_PART, run, "--all", "--across-machines"),
        "merge": lambda: call(merge_results.main, "--into", into, run),
        "report": lambda: call(report.main, "--results", run, "--into", scratch),
        "figures": lambda: figures(run),
        "protocol": lambda: protocol(run),
    }


def judge(reader):
    """What is wrong with how it ended, or None."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = reader()
    except SystemExit as end:
        status = end.code
    except Exception:  # whatever it is: it should have been one line
        return traceback.format_exc()
    said = err.getvalue()
    if status in (0, None):
        return f"status 0, but said: {said}" if said else None
    return None if said.count("\n") == 1 and len(said) < 900 else f"status {status!r}, and said: {said!r}"


# ---- all of it ----

REFERENCE_PART = None


def fuzz(scratch, draw):
    """(inputs, findings)"""
    global REFERENCE_PART
    samples = [json.loads(line) for line in open(REFERENCE / "rows.jsonl", encoding="utf-8")]
    env, topology = (REFERENCE / "env.json").read_bytes(), (REFERENCE / "topology.xml").read_bytes()
    REFERENCE_PART = scratch / "whole"
    os.makedirs(REFERENCE_PART)
    (REFERENCE_PART / "rows.jsonl").write_bytes(lines_of(draw.sample(samples, 300)))
    (REFERENCE_PART / "env.json").write_bytes(env)
    seconds, count = float(os.environ.get("FUZZ_SECONDS") or 0), int(os.environ.get("FUZZ_COUNT") or COUNT)
    end, inputs, findings = time.monotonic() + seconds, 0, {}
    while inputs < count if not seconds else time.monotonic() < end:
        run = scratch / "run"
        make_run(draw, run, samples, env, topology)
        for name, reader in readers(run, scratch).items():
            wrong = judge(reader)
            if wrong:
                findings.setdefault((name, wrong.strip().splitlines()[-1][:60], wrong.count("File")), wrong)
        inputs += 1
    return inputs, findings


def main():
    seed = os.environ.get("SEED") or "1"
    print(f"seed {seed}", file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as scratch:
        inputs, findings = fuzz(Path(scratch), random.Random(seed))
    for (name, _, _), wrong in findings.items():
        print(f"{name}: {wrong}", file=sys.stderr)
    print(f"{inputs} executions")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
