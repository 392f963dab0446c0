#!/usr/bin/env python3
# timeout: 240
"""The cases about stacks in use: small sizes of gosbench, gobench and libgcc-split."""
import json
import os
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("plots", "scripts")]
import bench_memory  # noqa: E402
import rows  # noqa: E402

BUILD = os.environ.get("BUILD", "")
GOSBENCH, GOBENCH, LIBGCC = (os.path.join(BUILD, name) for name in ("gosbench", "gobench", "libgcc-split"))
ENV = {key: value for key, value in os.environ.items() if not key.startswith("GOS_")}
UNITS, PHASES = 2000, ["spawn", "shallow", "burst", "after", "second", "deep"]


def call(program, *options):
    return subprocess.run([program, *options], env=ENV, capture_output=True, text=True, check=False, timeout=100)


@unittest.skipIf(os.environ.get("SAN"), "sanitizers change what a stack costs")
class Stacks(unittest.TestCase):
    def rows_of(self, case, contender, **options):
        program = GOBENCH if contender == "go" else GOSBENCH
        named = [f"--{name}={value}" for name, value in options.items()]
        command = [program, f"--case={case}", f"--contender={contender}", *named]
        code, out, err, seen = bench_memory.run(command, 100, ENV)
        self.assertEqual((code, err), (0, ""), (case, contender, options, out))
        found = bench_memory.rows_of([json.loads(line) for line in out.splitlines()], seen)
        for row in found:
            rows.check_row(row, f"{case} of {contender}")
            self.assertEqual((row["case"], row["contender"], row["depth"]), (case, contender, options["depth"]))
        return found

    def contenders(self):
        return ["gossamer", "gossamer-fixed", "fixed", "pthread"] + (["go"] if os.access(GOBENCH, os.X_OK) else [])

    def per_unit(self, contender, depth, variant):
        found = self.rows_of("depth", contender, n=UNITS, depth=depth, variant=variant, threads=1)
        self.assertEqual({row["units_made"] for row in found}, {UNITS})
        return sum(row["value"] for row in found) / UNITS

    def test_what_is_touched_is_there(self):
        for name in self.contenders():
            self.assertGreater(self.per_unit(name, 16384, "at"), 16384, name)

    def test_the_steps_at_which_a_task_needs_a_larger_nursery_and_leaves_it(self):
        shallow = self.per_unit("gossamer", 0, "at")
        self.assertGreater(self.per_unit("gossamer", 512, "at"), shallow + 300)
        self.assertLess(self.per_unit("gossamer", 512, "at"), shallow + 2000)
        self.assertGreater(self.per_unit("gossamer", 6000, "at"), shallow + 6000)
        self.assertLess(self.per_unit("gossamer", 512, "after"), shallow + 500)

    def test_every_contender_recurses_as_deep_as_asked(self):
        for name in self.contenders():
            for depth in (128, 1 << 20):
                found = self.rows_of("descent", name, depth=depth, reps=3)
                self.assertEqual([row["variant"] for row in found], ["first"] + 3 * ["warm"], name)
                self.assertGreater(found[0]["n"], depth // 200)
                self.assertTrue(all(row["status"] == "ok" and row["value"] >= 0 for row in found))

    def test_who_cannot_says_so(self):
        found = self.rows_of("descent", "ucontext", depth=4096)
        self.assertEqual([row["status"] for row in found], ["not-run"])
        done = call(GOSBENCH, "--case=descent", "--contender=gossamer", "--depth=x")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))

    def test_a_burst_goes_through_its_phases(self):
        for name in ("gossamer", "fixed") + (("go",) if os.access(GOBENCH, os.X_OK) else ()):
            found = self.rows_of("burst", name, n=600, depth=100000)
            seen = list(dict.fromkeys(row["variant"] for row in found))
            self.assertEqual([phase for phase in PHASES if phase in seen], seen, name)
            self.assertLessEqual({"shallow", "after", "deep"}, set(seen))
            self.assertEqual(sorted(row["at_ms"] for row in found), [row["at_ms"] for row in found])
            last = {row["variant"]: row["value"] for row in found}
            if name == "fixed":
                self.assertGreater(last["after"], 600 * 100000)

    def test_the_crossing_loop_runs_over_libgcc(self):
        if not os.access(LIBGCC, os.X_OK):
            self.skipTest("this libgcc has no __morestack")
        done = call(LIBGCC, "--case=check", "--reps=1")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((done.returncode, {row["contender"] for row in found}), (0, {"libgcc", "libgcc-signals"}))
        traced = subprocess.run(["nm", LIBGCC], capture_output=True, text=True, check=False).stdout
        self.assertIn("__generic_morestack", traced)    # and not ours

    def test_fib_counts_its_calls(self):
        for build in ("plain", "checked"):
            done = call(GOSBENCH, "--callgrind-loop=fib", f"--variant={build}", "--n=3")
            self.assertEqual((done.returncode, done.stdout), (0, f"{3 * 8361}\n"))


if __name__ == "__main__":
    unittest.main()
