#!/usr/bin/env python3
# timeout: 240
"""The cases about blocking, wake-ups, words, locks and programs of many units: small sizes of gosbench, and of gobench
if built."""
import json
import os
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "plots"))
import rows  # noqa: E402

BUILD = os.environ.get("BUILD", "")
GOSBENCH, GOBENCH = os.path.join(BUILD, "gosbench"), os.path.join(BUILD, "gobench")
PROGRAMS = {"skynet": 1000, "skynet-chan": 1000, "ring": 3200, "fan": 2000, "tree": 12}
SYNC = {"recv": 200, "select": 200, "buffered": 1000, "mutex": 1000, "crowd": 1000, "held": 200}
ENV = {key: value for key, value in os.environ.items() if not key.startswith("GOS_")}


def call(program, *options):
    return subprocess.run([program, *options, "--reps=1"], env=ENV, capture_output=True, text=True, check=False,
                          timeout=100)


class Cases(unittest.TestCase):
    def rows_of(self, case, contender, **options):
        """{metric: row} of one launch, each row checked against the schema."""
        program = GOBENCH if contender.startswith("go-") or contender == "go" else GOSBENCH
        named = [f"--{name}={value}" for name, value in options.items()]
        done = call(program, f"--case={case}", f"--contender={contender}", *named)
        self.assertEqual((done.returncode, done.stderr), (0, ""), (case, contender, options, done.stdout))
        found = {}
        for line in done.stdout.splitlines():
            row = json.loads(line)
            rows.check_row(row, f"{case} of {contender}")
            self.assertEqual((row["case"], row["contender"]), (case, contender))
            found[row["metric"], row["n"]] = row
        return {metric if case != "lateness" else n: row for (metric, n), row in found.items()}

    def contenders(self):
        return ["gossamer", "pthread"] + (["go"] if os.access(GOBENCH, os.X_OK) else [])

    def test_everybody_blocks_where_workers_are_handed_off(self):
        for name in self.contenders():
            found = self.rows_of("progress", name, n=20, threads=2)
            self.assertEqual(found["units_blocked"]["value"], 20, name)
            self.assertEqual(found["work_blocked"]["status"], "ok")

    def test_one_blocked_unit_stops_a_single_thread(self):
        found = self.rows_of("progress", "fixed-bare", n=3)
        self.assertEqual((found["units_blocked"]["value"], found["work_blocked"]["value"]), (1, 0))
        found = self.rows_of("handoff", "fixed-bare", variant="raw")
        self.assertEqual(found["latency_ns"]["status"], "not-run")
        self.assertIn("only thread", found["latency_ns"]["why"])

    def test_hand_offs_are_counted_and_take_time(self):
        for name in self.contenders():
            for variant in ("raw", "posix") + {"gossamer": ("first", "hint"), "pthread": ("first",)}.get(name, ()):
                samples = self.rows_of("handoff", name, variant=variant)["latency_ns"]["samples"]
                self.assertEqual(len(samples), 301)
                self.assertGreater(min(samples), 0)

    def test_no_sleep_is_short(self):
        for name in self.contenders():
            for variant in ("own", "posix-busy") if name != "pthread" else ("posix",):
                for asked, row in self.rows_of("lateness", name, variant=variant, threads=2).items():
                    self.assertGreaterEqual(min(row["samples"]), asked, (name, variant))

    def test_events_arrive_after_they_are_due(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("the source of events needs a CPU of its own")
        for name in self.contenders():
            more = {"source": GOSBENCH} if name == "go" else {}
            for variant in ("pipe",) if name == "go" else ("pipe", "chan"):
                samples = self.rows_of("wakeup", name, variant=variant, **more)["latency_ns"]["samples"]
                self.assertEqual(len(samples), 800)
                self.assertGreaterEqual(min(samples), 0)

    def test_one_cpu_is_not_enough_for_two_sides(self):
        usable = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(usable)})
        try:
            for name in self.contenders():
                more = {"source": GOSBENCH} if name == "go" else {}
                for variant in ("pipe",) if name == "go" else ("pipe", "chan"):
                    row = self.rows_of("wakeup", name, variant=variant, **more)["latency_ns"]
                    self.assertEqual((row["status"], row["why"][:14]), ("not-run", "needs two CPUs"), name)
            row = self.rows_of("handover", "gossamer", variant="pinned", threads=2)["ns_per_op"]
            self.assertEqual((row["status"], row["why"][:14]), ("not-run", "needs two CPUs"))
        finally:
            os.sched_setaffinity(0, usable)

    def test_programs_prove_their_work(self):
        for name in [*self.contenders(), "fixed-bare"]:
            for program, n in PROGRAMS.items():
                row = self.rows_of("scale", name, variant=program, n=n, threads=1 if name == "fixed-bare" else 2)
                self.assertEqual(row["ns_per_op"]["status"], "ok")
                self.assertGreater(row["ns_per_op"]["ops"], 0)

    def test_words_and_locks_are_counted(self):
        for name in self.contenders():
            for variant, n in SYNC.items():
                row = self.rows_of("sync", name, variant=variant, n=n, threads=2)["ns_per_op"]
                offered = (name, variant) != ("pthread", "select")
                self.assertEqual((row["status"], row.get("ops")), ("ok", n) if offered else ("not-run", None))

    def test_rows_that_cannot_be_written_fail(self):
        done = call(GOSBENCH, "--case=yield", "--contender=gossamer", "--n=1000", "--rows=/dev/full")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
        self.assertIn("cannot write rows to '/dev/full': No space left", done.stderr)

    def test_bad_variants_are_refused(self):
        for case in ("handoff", "lateness", "wakeup", "scale", "sync"):
            done = call(GOSBENCH, f"--case={case}", "--contender=gossamer", "--variant=nothing")
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
            self.assertIn("use", done.stderr)


if __name__ == "__main__":
    if os.environ.get("SAN") or not os.access(GOSBENCH, os.X_OK):
        print("skipped: benches are measured in the plain build")
        sys.exit(77)
    unittest.main()
