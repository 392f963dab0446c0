#!/usr/bin/env python3
"""check.py: spin goes through every interleaving of the models in this folder, and of their mutants.

usage: tests/model/check.py [--results] [MODEL...]    all by default; environment: CC, V=1 shows spin's commands

Lines in a model's head comment say what is to be done with it:
    config: [live] -DNAME=VALUE...                   no error may be found; live: nor a cycle without progress
    mutant: N [live] -DNAME=VALUE...  what is broken   an error must be found with -DMUTANT=N
--results: adds what was done to results/reliability/models.jsonl (docs/RELIABILITY.md).
Prints the states gone through and the time; exit 1 when a config has an error or a mutant has none, 77 without spin.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
IS_MODEL = re.compile(r"^ \* config:", re.M)
LINE = re.compile(r"^ \* (config|mutant):(?: (\d+))?( live)?((?: -D\w+=\w+)*)(?:  (.*))?$")
SKIP = 77
DEPTH, SECONDS, MEGABYTES = 1000000, 300, 3000


class Check:
    """One run of spin: a config of a model, or a mutant of it."""

    def __init__(self, model, match):
        kind, number, live, defines, what = match.groups()
        self.model = model
        self.mutant = int(number) if kind == "mutant" else 0
        self.live = bool(live)
        self.defines = defines.split()
        self.what = what or ""
        self.name = f"{model.stem} {'mutant %d' % self.mutant if self.mutant else ' '.join(self.defines)}".strip()


def read_checks(model):
    checks = [Check(model, match) for line in model.read_text().splitlines() if (match := LINE.match(line))]
    if not checks:
        sys.exit(f"check.py: {model.name} has no line ' * config:': it says what to check")
    return checks


def call(command, folder):
    if os.environ.get("V"):
        print("+", *command, flush=True)
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=SECONDS, check=False)


def verify(check):
    """Gives (why it failed or None, states, seconds, output)."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="model.") as folder:
        for source in HERE.glob("*.pml"):
            shutil.copy(source, folder)
        mode = ["-DNP"] if check.live else ["-DSAFETY"]
        # A mutant's error comes within a few states: what counts there is the time to compile.
        mode.append("-O0" if check.mutant else "-O1")
        steps = [["spin", "-a", f"-DMUTANT={check.mutant}", *check.defines, check.model.name],
                 [os.environ.get("CC", "cc"), "-w", *mode, f"-DMEMLIM={MEGABYTES}", "-o", "pan", "pan.c"],
                 ["./pan", "-n", f"-m{DEPTH}", *(["-l", "-f"] if check.live else [])]]
        output = ""
        for step in steps:
            try:
                done = call(step, folder)
            except subprocess.TimeoutExpired:
                return f"{step[0]}: no end within {SECONDS} s", 0, time.monotonic() - start, output
            output += done.stdout
            if done.returncode and step[0] != "./pan":
                return f"{step[0]} failed", 0, time.monotonic() - start, output
        trail = Path(folder, check.model.name + ".trail")
        if not check.mutant and trail.exists():
            output += call(["spin", "-t", "-p", "-g", *check.defines, "-DMUTANT=0", check.model.name], folder).stdout
    return judge(check, output), count(output), time.monotonic() - start, output


def count(output):
    match = re.search(r"^\s*(\d+) states, stored", output, re.M)
    return int(match[1]) if match else 0


def judge(check, output):
    errors = re.search(r"errors: (\d+)", output)
    if not errors:
        return "spin gave no result"
    if "search depth too small" in output or "out of memory" in output:
        return "the search was cut short"
    if check.mutant and errors[1] == "0":
        return f"no error found although: {check.what}"
    if not check.mutant and errors[1] != "0":
        return "an error"
    return None


def main():
    keeps = "--results" in sys.argv[1:]
    models = [HERE / f"{name.removesuffix('.pml')}.pml" for name in sys.argv[1:] if name != "--results"]
    for model in models:
        if not model.exists():
            sys.exit(f"check.py: no model {model.name} in {HERE.name}/")
    if not shutil.which("spin"):
        print("skipped: spin is not installed; run `make setup`")
        return SKIP
    models = models or sorted(model for model in HERE.glob("*.pml") if IS_MODEL.search(model.read_text()))
    checks = [check for model in models for check in read_checks(model)]
    failed, caught, states, start = 0, 0, 0, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for check, (why, n, seconds, output) in zip(checks, pool.map(verify, checks)):
            states += n
            caught += check.mutant > 0 and not why
            print(f"{'FAIL' if why else 'ok  '} {check.name:52} {n:9} states {seconds:6.1f} s  {check.what}",
                  flush=True)
            if why:
                failed += 1
                print(f"     {why}\n     | " + "\n     | ".join(output.splitlines()[-200:]))
    if keeps:
        mutants = sum(check.mutant > 0 for check in checks)
        sys.path.insert(0, str(HERE.parents[1] / "scripts"))
        import reliability
        name = " ".join(word for word in sys.argv[1:] if word != "--results") or "all"
        reliability.append({"kind": "models", "name": name, "count": states, "found": failed,
                            "configs": len(checks) - mutants, "mutants": mutants, "caught": caught})
    print(f"{states} states in {time.monotonic() - start:.0f} s")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
