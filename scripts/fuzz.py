#!/usr/bin/env python3
"""fuzz.py: runs the targets of tests/fuzz for so long, and keeps what they find.

usage: scripts/fuzz.py [--time SECONDS] [--only PART] [--results] [--keep]        (make fuzz TIME=60 ONLY=api)

A target is tests/fuzz/test_NAME.c or .py. Those in C are built by clang with libFuzzer (`make setup-fuzz`) and address
sanitizer, and start from tests/fuzz/corpus/NAME and what earlier runs left in build/fuzz/corpus; without libFuzzer
their own drivers run random inputs. An input that breaks a promise is kept in build/fuzz and named; give it to the
program as its argument to see it again. --results adds a line for each target to results/reliability/fuzz.jsonl; --keep
adds to tests/fuzz/corpus, which `make check` replays, the fewest inputs that cover what all of these together do.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import reliability

ROOT = Path(__file__).resolve().parent.parent
B = ROOT / "build/fuzz"
LONGEST = 1024  # of an input, FUZZ_MOST of tests/fuzz/fuzz.h
CLANG = ["CC=clang", "SAN=address", "CFLAGS=-O1 -g -fsanitize=fuzzer-no-link -DFUZZ_LIBFUZZER",
         "LDFLAGS=-fsanitize=fuzzer"]


def fail(message):
    print(f"fuzz.py: {message}", file=sys.stderr)
    sys.exit(2)


def has_libfuzzer():
    if not shutil.which("clang"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.c"
        source.write_text("int LLVMFuzzerTestOneInput(const char *a, unsigned long n) { return a == (char *)n; }\n")
        return subprocess.run(["clang", "-fsanitize=fuzzer,address", source, "-o", Path(folder) / "a"],
                              capture_output=True, check=False).returncode == 0


def build(sources, libfuzzer):
    """{source: program}"""
    folder = B if libfuzzer else ROOT / "build/fuzz-plain"
    words = CLANG if libfuzzer else []
    programs = {source: folder / source.relative_to(ROOT).with_suffix("") for source in sources}
    if not programs:
        return {}
    names = [program.relative_to(ROOT) for program in programs.values()]
    done = subprocess.run(["make", f"-j{os.cpu_count()}", f"B={folder.relative_to(ROOT)}", *words, *names], cwd=ROOT,
                          check=False)
    if done.returncode:
        fail("the targets cannot be built (above)")
    return programs


def quiet():
    """Tasks that a run ends with leave what they had allocated."""
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")}


def run_libfuzzer(program, name, seconds):
    """(executions, found)"""
    corpus, seeds = B / "corpus" / name, ROOT / "tests/fuzz/corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    prefix = B / f"found-{name}-"
    command = [program, f"-max_len={LONGEST}", f"-max_total_time={seconds}", "-timeout=60", "-print_final_stats=1",
               "-verbosity=1", f"-artifact_prefix={prefix}", corpus, *([seeds] if seeds.is_dir() else [])]
    log = B / f"{name}.log"
    with open(log, "w", encoding="utf-8") as file:
        status = subprocess.run(command, stdout=file, stderr=file, env=quiet(), check=False).returncode
    text = log.read_text(errors="replace")
    counts = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(r"^#(\d+)\t", text, re.MULTILINE)
    if status:
        print(f"fuzz: {name}: found something: {prefix}*, and {log} says what")
    return int(counts[-1]) if counts else 0, int(status != 0)


def keep(program, name):
    kept = ROOT / "tests/fuzz/corpus" / name
    kept.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "-set_cover_merge=1", f"-max_len={LONGEST}", kept, B / "corpus" / name],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet(), check=False)
    for new in kept.iterdir():
        if not new.suffix:
            new.rename(new.with_name(f"{new.name[:6]}.bin"))
    print(f"fuzz: {name}: {len(list(kept.iterdir()))} inputs are kept in {kept.relative_to(ROOT)}")


def run_driver(command, name, seconds):
    env = {**os.environ, "FUZZ_SECONDS": str(seconds), "BUILD": str(B), "SEED": os.environ.get("SEED") or
           str(time.time_ns() % (1 << 32)), "PYTHONDONTWRITEBYTECODE": "1"}
    B.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=env, check=False)
    count = re.search(r"^(\d+) executions", done.stdout, re.MULTILINE)
    if done.returncode:
        (B / f"{name}.log").write_text(f"{done.stdout}{done.stderr}status {done.returncode}\n")
        print(f"fuzz: {name}: found something: {B / name}.log says what")
    return int(count[1]) if count else 0, int(done.returncode != 0)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("   ")[0])
    parser.error = lambda message: fail(f"{message}; see --help")
    parser.add_argument("--time", type=int, default=60, help="seconds for all targets together")
    parser.add_argument("--only", default="")
    parser.add_argument("--results", action="store_true")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    sources = [source for source in sorted((ROOT / "tests/fuzz").glob("test_*")) if source.suffix in (".c", ".py") and
               args.only in source.stem]
    if args.time < 1 or not sources:
        fail(f"--time={args.time}: expected seconds" if sources else f"no target's name has '{args.only}' in it")
    libfuzzer = has_libfuzzer()
    if not libfuzzer:
        print("fuzz: clang's libFuzzer is not here: random inputs, without coverage (make setup-fuzz installs it)")
    programs = build([source for source in sources if source.suffix == ".c"], libfuzzer)
    seconds, failed = max(1, args.time // len(sources)), 0
    for source in sources:
        name = source.stem.removeprefix("test_")
        if source.suffix == ".py":
            count, found = run_driver([sys.executable, source], name, seconds)
        else:
            run = run_libfuzzer if libfuzzer else run_driver
            count, found = run(programs[source] if libfuzzer else [programs[source]], name, seconds)
        if args.keep and libfuzzer and source.suffix == ".c":
            keep(programs[source], name)
        corpus = len(list((B / "corpus" / name).glob("*")))
        print(f"fuzz: {name}: {count} executions in {seconds} s, {found} found", flush=True)
        failed += found
        if args.results:
            reliability.append({"kind": "fuzz", "name": name, "count": count, "found": found, "seconds": seconds,
                                "corpus": corpus})
    print(f"{len(sources) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
