#!/usr/bin/env python3
# timeout: 240
"""A further contender takes one file, or a program and a line; one that cheats fails its rows; both show in figures."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "")
CONTENDERS = "gossamer,dummy,dummy-lazy,dummy-inlined,dummy-py,dummy-py-lazy"


def call(*command, **more):
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, **more)


class Contender(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gossamer-contender-")
        more = os.path.join(cls.folder, "more")
        os.mkdir(more)
        shutil.copy(os.path.join(ROOT, "tests/contender/dummy.c"), more)
        with open(os.path.join(more, "programs.list"), "w", encoding="utf-8") as file:
            file.write("# name threads cases program\n")
            file.writelines(f"{name} 1 spawn tests/contender/dummy.py\n" for name in ("dummy-py", "dummy-py-lazy"))
        cls.program = os.path.join(BUILD, "peer-dummy")
        made = call("make", f"MORE={more}", f"B={BUILD}", os.path.relpath(cls.program, ROOT))
        assert made.returncode == 0, made.stderr
        cls.run_ = call(sys.executable, "scripts/bench.py", "--gosbench", os.path.join(BUILD, "gosbench"),
                        "--more", more, "--profile", "quick", "--only", "spawn,memory", "--contenders", CONTENDERS,
                        "--out", os.path.join(cls.folder, "results"))
        cls.results = os.path.join(cls.folder, "results", "latest")
        with open(os.path.join(cls.results, "rows.jsonl"), encoding="utf-8") as file:
            cls.rows = [json.loads(line) for line in file]

    @classmethod
    def tearDownClass(cls):
        os.remove(cls.program)
        shutil.rmtree(cls.folder)

    def of(self, name, case="spawn", n=1000):
        found = [row for row in self.rows if (row["contender"], row["case"], row["n"]) == (name, case, n)]
        self.assertTrue(found, self.run_.stdout + self.run_.stderr)
        return found

    def test_one_file_is_a_contender(self):
        self.assertEqual({row["status"] for row in self.of("dummy")}, {"ok"})
        self.assertEqual({row["units_made"] % 1000 for row in self.of("dummy")}, {0})
        self.assertEqual({(row["status"], row["why"]) for row in self.of("dummy", "memory")},
                         {("not-run", "a call cannot wait")})

    def test_a_program_and_a_line_are_a_contender(self):
        found = self.of("dummy-py")
        self.assertEqual({row["status"] for row in found}, {"ok"})
        # In turn with the others: some repetitions may have been taken again.
        self.assertEqual({row["round"] for row in found}, set(range(6)))

    def test_cheats_fail_loudly(self):
        for name, why in (("dummy-lazy", "units did their work"), ("dummy-inlined", "contender says that it made 1"),
                          ("dummy-py-lazy", "made 999 of 1000 units")):
            found = self.of(name)
            self.assertEqual({(row["status"], row["value"]) for row in found}, {("failed", None)}, name)
            self.assertIn(why, found[0]["why"])
            self.assertIn(f"FAILED: spawn {name}", self.run_.stdout)

    def test_both_are_in_figures_and_tables(self):
        drawn = call(sys.executable, "plots/plots.py", "--results", self.results)
        self.assertEqual((drawn.returncode, drawn.stderr), (0, ""))
        with open(os.path.join(self.results, "figures", "spawn.svg"), encoding="utf-8") as file:
            picture = file.read()
        shutil.copy(os.path.join(ROOT, "README.md"), self.folder)
        report = call(sys.executable, "scripts/report.py", "--results", self.results, "--into", self.folder)
        self.assertEqual((report.returncode, report.stderr), (0, ""))
        with open(os.path.join(self.folder, "REPORT.md"), encoding="utf-8") as file:
            text = file.read()
        for name in ("dummy", "dummy-py"):
            self.assertIn(f">{name}<", picture)
            self.assertIn(f"| {name} |", text)
        self.assertNotIn(">dummy-lazy<", picture)
        self.assertRegex(text, r"\| dummy-lazy \| spawn.*units did their work")

    def test_a_bad_line_is_refused(self):
        more = os.path.join(self.folder, "bad")
        os.mkdir(more)
        with open(os.path.join(more, "programs.list"), "w", encoding="utf-8") as file:
            file.write("mine 1 program\n")
        done = call(sys.executable, "scripts/bench.py", "--gosbench", os.path.join(BUILD, "gosbench"), "--more", more)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
        self.assertIn("programs.list:1: not four words", done.stderr)


if __name__ == "__main__":
    if os.environ.get("SAN") or not os.access(os.path.join(BUILD, "gosbench"), os.X_OK):
        print("skipped: benches are measured in the plain build")
        sys.exit(77)
    unittest.main()
