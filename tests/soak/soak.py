#!/usr/bin/env python3
"""soak.py: runs soak.c and adds what it did to results/reliability.

usage: tests/soak/soak.py --program FILE [--seconds N] [--period N] [--tasks N] [--seed N] [--results]
"""
import argparse
import random
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import reliability  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description="Runs everything at once, and looks for growth.")
    parser.add_argument("--program", required=True, help="soak.c, built")
    parser.add_argument("--seconds", type=int, default=600, help="how long")
    parser.add_argument("--period", type=int, default=60, help="seconds between two looks at memory and descriptors")
    parser.add_argument("--tasks", type=int, default=1000000, help="of the largest storm")
    parser.add_argument("--seed", default=str(random.randrange(1 << 31)), help="of all draws")
    parser.add_argument("--results", action="store_true", help="add to results/reliability (docs/RELIABILITY.md)")
    return parser.parse_args()


def main():
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    command = [options.program, *map(str, (options.seconds, options.period, options.tasks)), options.seed]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    done = {}
    for line in child.stdout:
        print(line, end="", flush=True)
        if line.startswith("done: "):
            done = {field: float(value) for field, value in re.findall(r"(\w+)=(-?[\d.]+)", line)}
    status = child.wait()
    if status:
        print(f"status {status}")
    if options.results:
        reliability.append({"kind": "soak", "name": f"{options.seconds} s", "count": int(done.pop("operations", 0)),
                            "found": int(status != 0), "seconds": options.seconds, "seed": options.seed, **done})
    print(f"{int(status == 0)} passed, {int(status != 0)} failed")
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
