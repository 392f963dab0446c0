#!/usr/bin/env python3
"""Numbers in the fixed words of REPORT.md and README.md: only settings of the method, each equal to what sets it.

A result in prose would be true of one run only. What a number with a unit, or a percentage, may be in prose stands in
SETTINGS, with the file and the expression that makes it true.
"""
import ast
import glob
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUMBER = re.compile(r"(?<![\w.{/\-])\d[\d,.]*(?: ?(?:ns|µs|us|ms|kB|KiB|MiB|GiB|MB|GB|B|%|×)(?!\w)"
                    r"| (?:nano|micro|milli)?seconds?\b| bytes\b| times\b| per cent\b| a second\b)")
# Text -> (file, pattern that must be in it).
SETTINGS = {
    "16 KiB": ("scripts/bench_memory.py", r"KERNEL_STACK = 16384"),
    "768 bytes": ("runtime/base/config.h", r"GOS_NURSERY_SIZE = 768\b|GOS_NURSERY_SIZE 768\b"),
    "3 seconds": ("benches/workload_timers.h", r"TIMERS_LEAST_MS = 2000, TIMERS_SPREAD_MS = 1000"),
    "10 ms": ("benches/case_units.c", r"SAMPLE_NS = 10000000\b"),
    "1 MiB": ("scripts/bench_stacks.py", r"BURST_DEPTH = 1 << 20"),
    "50 ms": ("benches/server/loadgen.c", r"SPAN = 50000000\b"),
    "50 µs": ("benches/case_latency.c", r"\b50000\b"),
    "50 microseconds": ("scripts/report_blocking.py", r"default timer slack of 50 microseconds"),    # the kernel's
    "1 ms": ("benches/case_latency.c", r"HOGS_SLEEP_NS = 1000000\b"),
    "100 microseconds": ("benches/case_latency.c", r"100000"),
    "2,000 a second": ("benches/case_latency.c", r"\b2000\b"),
    "124 KiB": ("runtime/base/config.h", r"GOS_REGION_SIZE \(128 \* 1024\)"),    # less the guard
    "4032 bytes": ("runtime/base/config.h", r"GOS_NURSERY_MAX 4032\b"),
    "256 bytes": ("scripts/report.py", r"256 bytes or more"),    # the compiler's, counted by the case check
    "2 %": ("scripts/report_cases.py", r"RESOLVED = 0\.02"),
    "24 GiB": ("scripts/report_stacks.py", r"AIM_UNITS = "),
    "5 %": ("scripts/report_programs.py", r"worst <= 1\.05"),
    "100 %": ("plots/prep_blocking.py", r"speed_kept"),    # the speed before
    # Names of quantiles, in table heads.
    "90 %": ("scripts/report_blocking.py", r"0\.5, 0\.9, 0\.99, 0\.999"),
    "99 %": ("scripts/report_blocking.py", r"0\.5, 0\.9, 0\.99, 0\.999"),
    "99.9 %": ("scripts/report_blocking.py", r"0\.5, 0\.9, 0\.99, 0\.999"),
}


def fixed_texts():
    """(where, text) of every string of the report scripts that is no docstring, and README.md outside its markers."""
    for path in sorted(glob.glob(os.path.join(ROOT, "scripts", "report*.py"))):
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        docs = {id(node.body[0].value) for node in ast.walk(tree)
                if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and node.body
                and isinstance(node.body[0], ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield f"{os.path.basename(path)}:{node.lineno}", node.value
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    yield "README.md", re.sub(r"<!-- generated:begin -->.*<!-- generated:end -->|```.*?```", "", text, flags=re.S)


class Prose(unittest.TestCase):
    def test_numbers_are_settings(self):
        for where, text in fixed_texts():
            for found in NUMBER.findall(text):
                self.assertIn(found.strip(), SETTINGS, f"{where}: '{found}' is a result, or no setting yet")

    def test_settings_are_what_the_sources_say(self):
        for number, source in SETTINGS.items():
            with open(os.path.join(ROOT, source[0]), encoding="utf-8") as file:
                self.assertRegex(file.read(), source[1], f"{number} is not what {source[0]} sets")

    def test_a_result_in_prose_is_caught(self):
        for text in ("a yield takes 10.9 ns", "costs 770 bytes", "is 37 times as much", "within 3 %"):
            self.assertTrue([found for found in NUMBER.findall(text) if found.strip() not in SETTINGS], text)


if __name__ == "__main__":
    sys.exit(unittest.main())
