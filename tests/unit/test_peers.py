#!/usr/bin/env python3
# timeout: 300
"""Libraries of others as contenders: those that are installed do the suite's work, and the counts agree."""
import json
import os
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("plots", "scripts")]
import bench  # noqa: E402
import bench_peers  # noqa: E402
import rows  # noqa: E402

BUILD = os.environ.get("BUILD", "")
ENV = {key: value for key, value in os.environ.items() if not key.startswith("GOS_")}


def installed():
    for program, peer in bench_peers.PEERS.items():
        path = os.path.join(BUILD, program)
        if os.access(path, os.X_OK):
            yield from ((path, name, peer["cases"]) for name in peer["contenders"])


class Peers(unittest.TestCase):
    def launch(self, path, name, case, **options):
        named = [f"--{key}={value}" for key, value in options.items()]
        done = subprocess.run([path, f"--case={case}", f"--contender={name}", "--reps=1", *named], env=ENV,
                              capture_output=True, text=True, check=False, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""), (name, case, done.stdout))
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(found, (name, case))
        for row in found:
            rows.check_row(row, f"{case} of {name}")
            self.assertEqual((row["contender"], row["status"], row["units_made"]), (name, "ok", row["units_asked"]))

    def test_each_does_the_work_of_its_cases(self):
        work = {"memory": {"n": 100}, "spawn": {"n": 100}, "yield": {"n": 100}, "handover": {"n": 100},
                "scale": {"n": 100, "variant": "skynet"}}
        for path, name, cases in installed():
            for case in cases:
                options = dict(work[case])
                if case == "scale" and name in bench_peers.SCALE:
                    options["variant"] = "skynet-chan"
                self.launch(path, name, case, **options)

    def test_those_with_threads_use_two(self):
        for path, name, cases in installed():
            if name not in bench_peers.ONE_THREAD:
                self.launch(path, name, "spawn", n=1000, threads=2)

    def test_an_absent_one_is_a_row_that_says_how_to_install_it(self):
        for name in bench_peers.NAMES:
            row = bench.not_installed_row(bench.Job("spawn", name, n=10), 0)
            self.assertEqual(row["status"], "not-run")
            self.assertRegex(row["why"], "apt-get install|use gcc|make setup-peers")

    def test_figures_and_tables_know_their_names(self):
        self.assertLessEqual(set(bench_peers.NAMES), set(rows.CONTENDERS))


if __name__ == "__main__":
    unittest.main()
