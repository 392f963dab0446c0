#!/usr/bin/env python3
# timeout: 120
"""scripts/bench.py and what it starts processes with: programs that break off, hang or say nothing end no run."""
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from types import SimpleNamespace
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("plots", "scripts")]
import bench  # noqa: E402
import bench_counts  # noqa: E402
import bench_memory  # noqa: E402
import bench_programs  # noqa: E402
import bench_server  # noqa: E402
import bench_steps  # noqa: E402
import bench_summary  # noqa: E402
import perf_exact  # noqa: E402
from perf_lockstep import ToolError  # noqa: E402


def row(case, metric, value, **more):
    return dict(bench.empty_row(case, "gossamer", more.pop("variant", ""), 0, metric), value=value, n=1000,
                units_made=1000, **more)


class Summary(unittest.TestCase):
    def test_rows_without_a_value_are_not_summed_up(self):
        for case in ("depth", "burst", "memory", "timers"):
            rows = [row(case, "rss_bytes", 8000, variant="after", depth=128),
                    row(case, "pte_bytes", None, status="failed", why="broke off", depth=128)]
            self.assertIn("FAILED: broke off", bench_summary.told(rows))
            self.assertNotIn("no summary", bench_summary.told(rows))
        self.assertEqual(bench_summary.told([row("depth", "rss_bytes", 8000)]), "8 B/unit")

    def test_timers_that_broke_off(self):
        started = row("timers", "ns_per_op", 12.0)
        self.assertEqual(bench_summary.told([started]), "12 ns to start")
        whole = [started, row("timers", "cpu_ns_per_op", 90.0), row("timers", "rss_bytes", 90000),
                 row("timers", "pte_bytes", 10000)]
        self.assertEqual(bench_summary.told(whole), "12 ns to start, 90 ns of CPU, 100 B each")

    def test_it_never_raises(self):
        self.assertEqual(bench_summary.told([]), "no rows")
        self.assertIn("no summary", bench_summary.told([row("server", "p99_ns", 1.0)]))
        self.assertIn("stopped at 1000: full", bench_summary.told([row("memory", "rss_bytes", None, status="stopped",
                                                               why="full")]))


class Memory(unittest.TestCase):
    def run_it(self, script, limit=60):
        begin = time.monotonic()
        try:
            return bench_memory.run(["sh", "-c", script], limit)
        finally:
            self.assertLess(time.monotonic() - begin, 30)

    def test_what_ends_while_it_is_looked_at(self):
        for _ in range(5):
            code, _, err, _ = self.run_it("echo stop; exit 3")
            self.assertEqual((code, err), (3, ""))

    def test_what_ends_before_it_is_told_to_go_on(self):
        code, _, err, seen = self.run_it("exec 0<&-; echo stop; sleep 0.3; exit 3")
        self.assertEqual((code, err, len(seen)), (3, "", 1))

    def test_what_cannot_be_read_is_not_waited_for(self):
        with mock.patch.object(bench_memory, "text_of", side_effect=FileNotFoundError("smaps_rollup")):
            code, out, err, seen = self.run_it("echo row; echo stop; read line; exec sleep 60")
        self.assertEqual((code, out, seen), (-signal.SIGKILL, "row\n", []))
        self.assertIn("cannot be read: FileNotFoundError: smaps_rollup", bench.why_ended(code, 60, err))

    def test_an_interrupt_ends_the_program(self):
        def interrupt(_number, _frame):
            raise bench.Interrupted
        saved = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with self.assertRaises(bench.Interrupted):
                self.run_it("echo stop; read line; exec sleep 60")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, saved)

    def test_a_stop_that_did_not_come(self):
        seen = {"rss_bytes": 100, "pte_bytes": 10, "kernel_stack_bytes": 0, "pss_bytes": 90, "mappings": 5, "cpu_ns": 1}
        for case, metric in (("memory", "retained_rss_bytes"), ("timers", "cpu_ns_per_op")):
            found = {one["metric"]: one for one in bench_memory.rows_of([row(case, "units", 1000)], [seen, seen])}
            self.assertEqual((found[metric]["status"], found[metric]["value"]), ("failed", None))
            self.assertEqual((found["rss_bytes"]["status"], found["rss_bytes"]["value"]), ("ok", 0))
            whole = {one["metric"]: one for one in bench_memory.rows_of([row(case, "units", 1000)], [seen] * 3)}
            self.assertEqual({one["status"] for one in whole.values()}, {"ok"})


class Rows(unittest.TestCase):
    """Launches of made-up programs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gossamer-bench-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.suite = bench.Suite.__new__(bench.Suite)
        self.suite.args = SimpleNamespace(gosbench=os.path.join(self.folder, "gosbench"))
        self.suite.folder, self.suite.hung, self.suite.unfinished = self.folder, set(), ()
        self.suite.profile, self.suite.env, self.suite.random = {"cap": 5}, dict(os.environ), random.Random(1)
        self.suite.failures = []

    def launch(self, script, case="scale"):
        """script: with $ROWS, the file that rows go to."""
        with open(self.suite.args.gosbench, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nfor word; do case $word in --rows=*) ROWS=${word#--rows=};; esac; done\n' + script)
        os.chmod(self.suite.args.gosbench, 0o755)
        return self.suite.launch(0, bench.Job(case, "gossamer", n=10, reps=1))

    def test_lost_rows_are_failures(self):
        good = json.dumps(row("scale", "ns_per_op", 1.0))
        for script, statuses, why in ((f"echo '{good}' >$ROWS", ["ok"], ""),
                                      ("exit 0", ["failed"], "wrote no row"),
                                      (f"(echo '{good}'; echo '{good[:30]}') >$ROWS", ["ok", "failed"], "1 lines that"),
                                      (f"(echo '{good}'; echo '{good[:30]}') >$ROWS; exit 3", ["ok", "failed"],
                                       "exit code 3")):
            found = self.launch(script)
            self.assertEqual([one["status"] for one in found], statuses, script)
            self.assertIn(why, found[-1]["why"])

    def test_a_full_disk_leaves_whole_lines(self):
        path, one = os.path.join(self.folder, "rows.jsonl"), row("scale", "ns_per_op", 1.0)
        self.suite.keep([dict(one)] * 2)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        self.assertEqual(before.count("\n"), 2)
        saved = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10000, saved[1]))
        try:
            with self.assertRaises(OSError):
                self.suite.keep([dict(one)] * 1000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, saved)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), before)


class Silent(unittest.TestCase):
    """Programs that hang, or say something else: an error in words, within the limit, and no process stays."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gossamer-bench-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.patience(60)
        self.started, popen = [], subprocess.Popen

        def start(*words, **more):
            self.started.append(popen(*words, **more))
            return self.started[-1]
        patch = mock.patch.object(subprocess, "Popen", start)
        patch.start()
        self.addCleanup(patch.stop)

    def patience(self, seconds):
        """How long a program is waited for: short only for one that never answers."""
        for module, name in ((bench_server, "PATIENCE"), (bench_programs, "PATIENCE"), (perf_exact, "LIMIT")):
            patch = mock.patch.object(module, name, seconds)
            patch.start()
            self.addCleanup(patch.stop)

    def program(self, script):
        path = os.path.join(self.folder, "program")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return path

    def gone(self):
        self.assertTrue(self.started)
        self.assertNotIn(None, [child.returncode for child in self.started])

    def test_servers(self):
        cpus = sorted(os.sched_getaffinity(0))
        for script, words in (("exec sleep 20", "no answer within"), ("echo hello", "did not start: hello"),
                              ("printf listen; exec sleep 20", "no answer within"),
                              ("echo 'no port' >&2; exit 1", "did not start: no port")):
            self.patience(0.3 if "sleep" in script else 60)
            with self.assertRaisesRegex(OSError, words):
                bench_server.Server(self.program(script), {}, cpus)
            self.gone()
        self.patience(60)
        mute = self.program("trap '' USR1; echo listening 80; for i in 1 2 3 4 5; do sleep 4; done")
        server = bench_server.Server(mute, {}, cpus)
        self.patience(0.3)
        with self.assertRaisesRegex(OSError, "no answer within"):
            server.counts(signal.SIGUSR1)
        server.end()
        self.gone()

    def test_one_cpu_is_not_enough_for_a_server_and_its_driver(self):
        suite = SimpleNamespace(args=SimpleNamespace(gosbench=os.path.join(self.folder, "gosbench")))
        with mock.patch.object(bench_server, "program_of", return_value=self.program("exit 1")):
            with mock.patch.object(os, "sched_getaffinity", return_value={1}):
                found = bench_server.launch(suite, bench.Job("server", "epoll", n=100, variant="closed"), 0,
                                            bench.empty_row)
        self.assertEqual([(one["status"], one["why"][:14]) for one in found], [("not-run", "needs two CPUs")])

    def test_programs(self):
        server = bench_programs.Server(self.program("read line; exec sleep 20"), None, max(os.sched_getaffinity(0)))
        self.patience(0.3)
        with self.assertRaisesRegex(OSError, "no answer within"):
            server.ask(3)
        server.child.kill()
        server.child.wait()
        with self.assertRaises(OSError):
            server.ask(3)
        server.end()
        self.gone()
        anchor = bench_steps.Anchor(self.program("exit 0"))
        anchor.child.wait()
        self.assertEqual(anchor.read(), 0)
        anchor.end()
        self.gone()

    def test_counts(self):
        for script in ("exec sleep 20", "echo 1 2; echo 3 4; exec sleep 20"):
            self.patience(0.3)
            with self.assertRaisesRegex(ToolError, "no answer within"):
                bench_counts.kernel_account(self.program(script), "yield", 10, "")
            self.gone()
        self.patience(60)
        found = bench_counts.kernel_account(self.program("cat >/dev/null; echo 1 2; echo 3 4"), "yield", 10, "")
        self.assertEqual(found[2], 4)
        with mock.patch.dict(os.environ, GOS_PROCS="7"):    # what bench.py says is not passed on
            program = self.program("cat >/dev/null; echo 1 2; echo 3 ${GOS_PROCS:-4}")
            found = bench_counts.kernel_account(program, "yield", 10, "")
        self.assertEqual(found[2], 4)


class Interrupts(unittest.TestCase):
    """The suite itself, with a made-up gosbench that hangs where the test says."""

    GOSBENCH = """#!/bin/sh
case $1 in
--list) printf 'contender\\tgossamer\\t0\\tx\\ty\\n' ;;
--anchor) while read line; do echo 1000; done ;;
--topology*) [ $WHERE = start ] && echo >$MARK && exec sleep 30 >/dev/null 2>&1 ;;
*) echo >$MARK; exec sleep 30 >/dev/null 2>&1 ;;
esac
"""

    def interrupted(self, where, number):
        """(exit status, output, env.json or None without a folder) when the signal comes while gosbench hangs."""
        with tempfile.TemporaryDirectory() as folder:
            gosbench, mark = os.path.join(folder, "gosbench"), os.path.join(folder, "mark")
            with open(gosbench, "w", encoding="utf-8") as file:
                file.write(self.GOSBENCH)
            os.chmod(gosbench, 0o755)
            out = os.path.join(folder, "results")
            with subprocess.Popen([sys.executable, os.path.join(ROOT, "scripts", "bench.py"), "--gosbench", gosbench,
                                   "--profile", "quick", "--only", "bound", "--out", out, "--more", folder],
                                  env=dict(os.environ, WHERE=where, MARK=mark), text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT) as suite:
                while not os.path.exists(mark) and suite.poll() is None:
                    time.sleep(0.01)
                suite.send_signal(number)
                said = suite.stdout.read()
            runs = os.listdir(out)
            if not runs:
                return suite.returncode, said, None
            with open(os.path.join(out, runs[0], "env.json"), encoding="utf-8") as file:
                return suite.returncode, said, json.load(file)

    def test_before_the_first_launch(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, said, env = self.interrupted("start", number)
            self.assertEqual((status, env), (130, None), said)
            self.assertIn("nothing was measured yet", said)
            self.assertNotIn("Traceback", said)

    def test_places_that_cannot_be_written(self):
        for script, words in (("bench.py", ("--gosbench", "/bin/true", "--only", "api", "--out")),
                              ("merge_results.py", (os.path.join(ROOT, "results", "reference"), "--into"))):
            done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", script), *words, "/proc/none/x"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn("No such file", done.stderr)

    def test_in_a_launch(self):
        status, said, env = self.interrupted("run", signal.SIGTERM)
        self.assertEqual((status, env["complete"]), (130, False), said)
        self.assertIn("finished rows are kept", said)


class Turns(unittest.TestCase):
    def ended(self, script, number=None):
        """Statuses of a program that ends in its turn `number` of three; None: before the first."""
        tools = SimpleNamespace(limit=10, why_ended=bench.why_ended, failed_row=bench.failed_row, link=bench.link_of)
        job = bench.Job("yield", arms=(("gossamer", ""),), reps=3)
        suite = SimpleNamespace(anchor=SimpleNamespace(read=lambda: 0), may_retake=lambda: False)
        group = bench_steps.Group(suite, 0, job, tools)
        with tempfile.NamedTemporaryFile(suffix=".part") as file:
            arm = bench_steps.Arm("gossamer", "", ["sh", "-c", script, "x", file.name], None, file.name, 0)
            group.arms = [arm]
            if number is None:
                self.assertIs(arm.ready(10), False)
                group.dropped(arm, True)
            else:
                self.assertIs(arm.ready(10), True)
                group.turn(arm, number, True)
            arm.child.stdin.close()
        self.assertEqual(group.arms, [])
        return [one["status"] for one in group.found]

    def test_who_ends_early_has_failed(self):
        good = f"echo '{json.dumps(row('yield', 'ns_per_op', 1.0))}' >$1"
        cannot = f"echo '{json.dumps(row('yield', 'ns_per_op', None, status='not-run', why='cannot'))}' >$1"
        self.assertEqual(self.ended("exit 0"), ["failed"])
        self.assertEqual(self.ended(cannot), ["not-run"])
        self.assertEqual(self.ended(f"echo ready; read line; {good}", 0), ["ok", "failed"])
        self.assertEqual(self.ended("exec 0<&-; echo ready", 0), ["failed"])
        self.assertEqual(self.ended("echo ready; read line", 2), ["failed"])
        # Where turns were taken again, the last turn is its last one.
        self.assertEqual(self.ended(f"echo ready; read line; {good}", 2), ["ok"])


if __name__ == "__main__":
    unittest.main()
