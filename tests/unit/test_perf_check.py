#!/usr/bin/env python3
"""The gate: every verdict from synthetic numbers, and the machinery on the example program; no time is judged."""
# timeout: 120
import json
import os
import subprocess
import sys
import tempfile
import unittest
from types import SimpleNamespace

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import perf_aa  # noqa: E402
import perf_build  # noqa: E402
import perf_exact  # noqa: E402
import perf_lockstep  # noqa: E402
import perf_report  # noqa: E402
import perf_timed  # noqa: E402
from perf_verdict import INCONCLUSIVE, PASS, REGRESSED, UNKNOWN, Seen  # noqa: E402
from perf_verdict import judge_exact, judge_row, overall, seen  # noqa: E402

CHECK = os.path.join(ROOT, "scripts", "perf_check.py")
STILL = Seen(0.0, -0.002, 0.002)


def row(head=STILL, aa=STILL, slow=Seen(0.08, 0.075, 0.085)):
    return {"kind": "single", "ns": 10.0, "head": head, "aa": aa, "slow": slow}


class OneRow(unittest.TestCase):
    def verdict(self, anchors=None, **arms):
        return judge_row(row(**arms), {"alu": STILL} if anchors is None else anchors).verdict

    def test_alike(self):
        self.assertEqual(self.verdict(), PASS)

    def test_slower_by_more_than_the_limit(self):
        self.assertEqual(self.verdict(head=Seen(0.07, 0.051, 0.09)), REGRESSED)
        self.assertEqual(self.verdict(head=Seen(0.07, 0.049, 0.09)), PASS)

    def test_disturbed(self):
        slower = Seen(0.2, 0.15, 0.3)
        self.assertEqual(self.verdict(head=slower, aa=Seen(0.021, -0.01, 0.03)), INCONCLUSIVE)
        self.assertEqual(self.verdict(head=slower, aa=Seen(-0.021, -0.03, 0.01)), INCONCLUSIVE)
        self.assertEqual(self.verdict(head=slower, anchors={"alu": Seen(0.03, 0.0, 0.05)}), INCONCLUSIVE)

    def test_a_row_that_cannot_see_is_no_pass(self):
        self.assertEqual(self.verdict(slow=Seen(0.08, 0.04, 0.12)), INCONCLUSIVE)
        self.assertEqual(self.verdict(aa=Seen(0.07, 0.06, 0.08)), INCONCLUSIVE)

    def test_launches_make_the_interval(self):
        got = seen([0.06] * 8 + [-1.0])
        self.assertGreater(got.low, 0.05)
        self.assertLess(seen([0.06] * 7 + [-1.0] * 2).low, 0.0)

    def test_the_worst_counts(self):
        self.assertEqual(overall([PASS, UNKNOWN, REGRESSED, INCONCLUSIVE]), REGRESSED)
        self.assertEqual(overall([PASS, UNKNOWN, INCONCLUSIVE]), INCONCLUSIVE)
        self.assertEqual(overall([PASS, UNKNOWN]), UNKNOWN)
        self.assertEqual(overall([PASS]), PASS)


class Passes(unittest.TestCase):
    """perf_timed.timed over made-up launches: which pass follows which, and what comes of it."""

    ARGS = SimpleNamespace(launches=9, rounds=1, seed=1)

    def run_timed(self, *passes, relinked=lambda: {"base": "b", "head": "h"}):
        """passes: for each pass the head's slowdown of the only row, or a dict of arms, or a str that is an error."""
        left = list(passes)

        def fake_pass(_programs, rows, launches, *_):
            now = left.pop(0)
            arms = now if isinstance(now, dict) else {"head": now}
            one = dict({"head": 0.0, "aa": 0.0, "slow": 0.077, "ns": 10.0}, **({} if isinstance(now, str) else arms))
            return {name: [now] if isinstance(now, str) and name == "r" else
                    [one if name == "r" else dict(one, head=0.0)] * launches for name in rows}

        saved = perf_timed.run_pass, perf_timed.rows_of
        perf_timed.run_pass, perf_timed.rows_of = fake_pass, lambda _: {"r": "single", "alu": "anchor"}
        try:
            result = perf_timed.timed(self.ARGS, {"base": "b", "head": "h"}, relinked, lambda _: None)
        finally:
            perf_timed.run_pass, perf_timed.rows_of = saved
        self.assertEqual(left, [])
        return result["verdict"]

    def test_pass(self):
        self.assertEqual(self.run_timed(0.0), PASS)

    def test_regressed_needs_a_second_layout(self):
        self.assertEqual(self.run_timed(0.1, 0.1), REGRESSED)
        self.assertEqual(self.run_timed(0.1, 0.0), PASS)
        self.assertEqual(self.run_timed(0.1, relinked=lambda: None), INCONCLUSIVE)

    def test_a_disturbed_row_is_run_again(self):
        noisy = {"head": 0.1, "aa": 0.1}
        self.assertEqual(self.run_timed(noisy, 0.0), PASS)
        self.assertEqual(self.run_timed(noisy, noisy), INCONCLUSIVE)
        self.assertEqual(self.run_timed(noisy, 0.1, 0.1), REGRESSED)
        self.assertEqual(self.run_timed({"slow": 0.0}, {"slow": 0.0}), INCONCLUSIVE)

    def test_a_tool_error_is_never_a_regression(self):
        self.assertEqual(self.run_timed("no answer"), UNKNOWN)
        self.assertEqual(self.run_timed(0.1, "no answer"), UNKNOWN)


class Exact(unittest.TestCase):
    def judge(self, metric, value, budget):
        return judge_exact({metric: value}, {metric: budget})[metric]

    def test_more_than_one_instruction_and_one_per_cent(self):
        self.assertEqual(self.judge("instructions/yield", 80.9, 80.0).verdict, PASS)
        self.assertEqual(self.judge("instructions/yield", 82.0, 80.0).verdict, REGRESSED)
        self.assertEqual(self.judge("instructions/spawn", 502.0, 500.0).verdict, PASS)
        better = self.judge("instructions/yield", 70.0, 80.0)
        self.assertEqual(better.verdict, PASS)
        self.assertIn("make perf-budget", better.why)

    def test_no_more_system_calls_at_all(self):
        self.assertEqual(self.judge("system_calls/pipe", 6.01, 6.0).verdict, REGRESSED)
        self.assertEqual(self.judge("futexes/chan", 0.0, 0.0).verdict, PASS)

    def test_memory(self):
        self.assertEqual(self.judge("pss_bytes/parked", 775.0, 770.0).verdict, PASS)
        self.assertEqual(self.judge("pss_bytes/parked", 779.0, 770.0).verdict, REGRESSED)
        self.assertEqual(self.judge("code_bytes/gos__resume", 260, 259).verdict, REGRESSED)

    def test_without_a_budget(self):
        self.assertEqual(judge_exact({"instructions/new": 1.0}, {})["instructions/new"].verdict, UNKNOWN)
        self.assertEqual(judge_exact({}, {"instructions/old": 1.0})["instructions/old"].verdict, UNKNOWN)

    def test_a_budget_of_other_tools_says_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "b.json")
            self.assertIn("make perf-budget", perf_exact.load(path, "gcc")[1])
            perf_exact.save(path, "gcc", {"instructions/yield": 1.0})
            self.assertEqual(perf_exact.load(path, "gcc"), ({"instructions/yield": 1.0}, ""))
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            data["made_with"]["libc"] = "glibc 1.0"
            with open(path, "w", encoding="utf-8") as file:
                json.dump(data, file)
            budget, why = perf_exact.load(path, "gcc")
            self.assertIsNone(budget)
            self.assertIn("glibc 1.0", why)
            with open(path, "w", encoding="utf-8") as file:
                file.write("{")
            self.assertIn("damaged", perf_exact.load(path, "gcc")[1])
            for text in ('{"made_with": null, "budget": {}}', "[]", '{"made_with": {}, "budget": {"a": "b"}}'):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.assertIn("damaged", perf_exact.load(path, "gcc")[1])


class Program(unittest.TestCase):
    """The example program, and programs that break the protocol."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.example = os.path.join(cls.folder.name, "example")
        compiler = (os.environ.get("CC") or "gcc").split()
        subprocess.run([*compiler, "-O2", "-Wall", "-Wextra", "-Werror", os.path.join(ROOT, "benches/gate/example.c"),
                        "-o", cls.example], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def script(self, text):
        path = os.path.join(self.folder.name, "broken")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_launch(self):
        self.assertEqual(perf_lockstep.rows_of(self.example), {"sort": "single", "loop": "anchor"})
        got = perf_lockstep.launch({"base": self.example, "head": self.example}, "sort", 3, 1,
                                   os.sched_getaffinity(0), 0.08)
        self.assertEqual(set(got), {"head", "aa", "slow", "ns", "ops"})
        self.assertGreater(got["ops"], 0)

    def test_the_injected_loop_is_there(self):
        arm = perf_lockstep.Arm(self.example, "sort", os.sched_getaffinity(0), 0)
        self.assertGreater(min(arm.ask(1, 5000000)[0] for _ in range(3)), min(arm.ask(1)[0] for _ in range(9)))
        arm.close()

    def test_what_breaks_is_said(self):
        for text, words in (("exit 3", "listed no rows"), ("echo nothing", "listed no rows")):
            with self.assertRaisesRegex(perf_lockstep.ToolError, words):
                perf_lockstep.rows_of(self.script(text))
        for text, words in (("read x; exit 5", "exit status 5"), ("read x; echo fast", "not NS OPS"),
                            ("read x; echo 5 0", "not NS OPS")):
            arm = perf_lockstep.Arm(self.script(text), "r", os.sched_getaffinity(0), 0)
            with self.assertRaisesRegex(perf_lockstep.ToolError, words):
                arm.ask(1)
            arm.close()

    def check(self, *words):
        return subprocess.run([sys.executable, CHECK, *words], capture_output=True, text=True, check=False)

    def test_the_command_on_other_programs(self):
        path = os.path.join(self.folder.name, "out.json")
        done = self.check("--programs", self.example, self.example, "--only", "timed", "--launches", "6",
                          "--rounds", "3", "--json", path)
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        self.assertEqual(result["exit"], done.returncode)
        self.assertIn(done.returncode, (0, 3))    # a busy machine may hide the injected slowdown
        self.assertEqual(set(result["timed"]["rows"]), {"sort"})
        self.assertIn(result["verdict"], done.stdout)

    def test_a_crash_is_unknown(self):
        path = os.path.join(self.folder.name, "out.json")
        broken = self.script('[ "$1" = --rows ] && printf "r\\tsingle\\tx\\n" && exit\nexit 9')
        done = self.check("--programs", broken, broken, "--only", "timed", "--launches", "6", "--json", path)
        self.assertEqual(done.returncode, 4)
        self.assertIn("exit status 9", done.stdout)

    def test_a_failure_of_the_gate_is_no_regression(self):
        path = os.path.join(self.folder.name, "old.json")
        done = self.check("--programs", self.example, self.example, "--json", "/proc/none/x")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
        self.assertIn("the gate itself failed", done.stderr)
        with open(path, "w", encoding="utf-8") as file:
            file.write("{}")
        mute = self.script('[ "$1" = --rows ] && printf "r\\tsingle\\tx\\n"\nexit 0')
        done = self.check("--programs", mute, mute, "--only", "exact", "--json", path)
        self.assertEqual(done.returncode, 4, done.stderr)
        # The old result is gone also where no new one comes.
        broken = self.script('[ "$1" = --rows ] && printf "r\\tsingle\\tx\\n" && exit\nexit 9')
        os.remove(path)
        os.mkdir(path + ".part")
        with open(path, "w", encoding="utf-8") as file:
            file.write("{}")
        done = self.check("--programs", broken, broken, "--only", "timed", "--launches", "6", "--json", path)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("the gate itself failed", done.stderr.splitlines()[-1])    # after lines of progress
        self.assertIn("exit status 9", done.stdout)
        self.assertFalse(os.path.exists(path))

    def test_answers_that_are_none(self):
        for text in ("", "5 6\n", "1 2\n3 x\n"):
            with self.assertRaisesRegex(perf_lockstep.ToolError, "not twice by NS OPS"):
                perf_exact.operations(text)
        with self.assertRaisesRegex(perf_lockstep.ToolError, "the same number"):
            perf_exact.slope([(5, 1), (5, 2)])

    def test_wrong_use(self):
        for words, what in ((("--launches", "2"), "95 %"), (("--compiler", "no-such"), "name a compiler"),
                            (("--programs", "/none", "/none"), "is not a program"), (("--frob",), "--help")):
            done = self.check(*words)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))
            self.assertIn(what, done.stderr)

    def test_an_unknown_base_is_unknown(self):
        path = os.path.join(self.folder.name, "out.json")
        done = self.check("--base", "no-such-commit", "--only", "timed", "--json", path)
        self.assertEqual(done.returncode, 4)
        self.assertIn("no-such-commit", done.stdout)


class Base(unittest.TestCase):
    def test_choice(self):
        saved = perf_build.git
        answers = {("rev-parse", "HEAD"): "h", ("merge-base", "HEAD", "main"): "m"}
        perf_build.git = lambda *words: answers.get(words)
        try:
            self.assertEqual(perf_build.base_commit("")[0], "m")
            answers[("merge-base", "HEAD", "main")] = "h"
            with self.assertRaisesRegex(perf_build.UnknownBase, "BASE=commit"):
                perf_build.base_commit("")
            answers[("rev-parse", "--verify", "--quiet", "HEAD~1")] = "p"
            self.assertEqual(perf_build.base_commit(""), ("p", "the commit before HEAD"))
            answers.update({("describe", "--tags", "--abbrev=0", "HEAD~1"): "v1", ("rev-parse", "v1^{commit}"): "t"})
            self.assertEqual(perf_build.base_commit("")[0], "t")
        finally:
            perf_build.git = saved


class Record(unittest.TestCase):
    def test_counts(self):
        one = {"head": {"change": 0.001, "low": -0.01, "high": 0.01}}
        record = {"verdict": PASS, "rows": {"r": one}, "launches": 9, "rounds": 20, "load": 1.0, "cpu": "c",
                  "self_test": {"caught": 1, "rows": 1}}
        bad = dict(record, verdict=REGRESSED, rows={"r": {"head": {"change": 0.1, "low": 0.06, "high": 0.2}}})
        text = "\n".join(perf_aa.summary([record, record, bad]))
        self.assertIn("| 3 | **1** | 0 | 0 | 2 |", text)
        self.assertIn("1 of them lay beyond", text)

    def test_page(self):
        result = {"base": "b", "compiler": "gcc", "launches": 9, "rounds": 60, "seed": 1, "verdict": UNKNOWN, "exit": 4,
                  "seconds": 1.0, "exact": None, "timed": {"verdict": UNKNOWN, "why": "no base", "rows": {}}}
        self.assertIn("no base", perf_report.page(result))


if __name__ == "__main__":
    unittest.main()
