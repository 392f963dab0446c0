#!/usr/bin/env python3
# timeout: 300
"""Runtimes of others as contenders: those that are installed do the suite's work, the counts agree, and those that are
not are rows that say how to install them."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("plots", "scripts")]
import bench  # noqa: E402
import bench_memory  # noqa: E402
import bench_peers  # noqa: E402
import bench_server  # noqa: E402
import rows  # noqa: E402

BUILD = os.environ.get("BUILD", "")
GOSBENCH = os.path.join(BUILD, "gosbench")
ENV = {key: value for key, value in os.environ.items() if not key.startswith("GOS_")}
INSTALL = "apt-get install|use gcc|make setup-peers|segmented-stacks"
WORK = {"memory": {"n": 100}, "spawn": {"n": 100}, "yield": {"n": 100}, "handover": {"n": 100},
        "scale": {"n": 100, "variant": "skynet"}, "descent": {"depth": 65536}}


def installed():
    for program, peer in bench_peers.PEERS.items():
        path = os.path.join(BUILD, program)
        if os.access(path, os.X_OK):
            yield from ((path, name, peer["cases"]) for name in peer["contenders"])


def options_of(case, name):
    options = dict(WORK[case])
    if case == "scale":
        own = bench_peers.SCALE.get(bench_peers.base(name), ("skynet",))
        options["variant"] = own[0]
    return options


class Peers(unittest.TestCase):
    def launch(self, path, name, case, **options):
        """The rows of one launch, checked; memory is read from outside, as bench.py does."""
        named = [f"--{key}={value}" for key, value in options.items()]
        code, out, err, seen = bench_memory.run(
            [path, f"--case={case}", f"--contender={name}", "--reps=1", *named], 100, ENV)
        self.assertEqual((code, err), (0, ""), (name, case, out))
        found = bench_memory.rows_of([json.loads(line) for line in out.splitlines()], seen)
        self.assertTrue(found, (name, case))
        for row in found:
            rows.check_row(row, f"{case} of {name}")
            self.assertEqual((row["contender"], row["status"], row["units_made"]), (name, "ok", row["units_asked"]))
        return {row["metric"]: row["value"] for row in found}

    def test_each_does_the_work_of_its_cases(self):
        for path, name, cases in installed():
            for case in (case for case in cases if case in WORK):
                if name != bench_peers.base(name) and case not in ("memory", "yield"):
                    continue    # tuned: the same code
                self.launch(path, name, case, **options_of(case, name))

    def test_parked_units_take_memory(self):
        for path, name in ((GOSBENCH, "gossamer"), *((path, name) for path, name, cases in installed()
                                                     if "memory" in cases and name == bench_peers.base(name))):
            found = self.launch(path, name, "memory", n=1000)
            self.assertLessEqual({"rss_bytes", "pte_bytes", "kernel_stack_bytes", "retained_rss_bytes"}, set(found))
            self.assertGreater(found["rss_bytes"] + found["kernel_stack_bytes"], 40 * 1000, name)

    def test_timers_all_fire(self):
        for path, name in ((GOSBENCH, "gossamer"), *((path, name) for path, name, _ in installed()
                                                     if name in bench_peers.TIMERS)):
            found = self.launch(path, name, "timers", n=200, threads=1, variant=bench_peers.TIMERS[name][0])
            self.assertGreaterEqual(found["late_ns"], 0, name)
            self.assertLessEqual({"ns_per_op", "cpu_ns_per_op", "rss_bytes"}, set(found))

    def test_others_go_on_or_the_row_says_who_blocked(self):
        for path, name, cases in installed():
            if "progress" in cases:
                found = self.launch(path, name, "progress", n=3, threads=2)
                self.assertGreaterEqual(3, found["units_blocked"], name)

    def test_those_with_threads_use_two(self):
        for path, name, _ in installed():
            if name == bench_peers.base(name) and name not in bench_peers.ONE_THREAD:
                self.launch(path, name, "spawn", n=1000, threads=2)

    def test_bad_options_are_one_line(self):
        for path, name, _ in installed():
            for words in (["--case=nothing"], ["--case=spawn", "--n=x"]):
                done = subprocess.run([path, f"--contender={name}", *words], env=ENV, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, check=False, timeout=60)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), (name, done))

    def test_an_absent_one_is_a_row_that_says_how_to_install_it(self):
        for name in bench.PEER_OF:
            row = bench.not_installed_row(bench.Job("spawn", name, n=10), 0)
            self.assertEqual(row["status"], "not-run")
            self.assertRegex(row["why"], INSTALL + "|no __morestack")
        for name in set(bench_server.CONTENDERS) - {"gossamer", "epoll", "pthread"}:
            self.assertRegex(bench_server.ABSENT[name], INSTALL)

    def test_nobody_is_silently_absent(self):
        """A build folder that holds gosbench alone, as where no peer is installed."""
        wanted = [name for name in bench_peers.NAMES if "yield" in bench.PEERS[bench.PEER_OF[name]]["cases"]
                  and name == bench_peers.base(name)]
        with tempfile.TemporaryDirectory(prefix="gossamer-peers-") as folder:
            os.symlink(os.path.abspath(GOSBENCH), os.path.join(folder, "gosbench"))
            done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "bench.py"), "--profile", "quick",
                                   "--gosbench", os.path.join(folder, "gosbench"), "--only", "yield", "--contenders",
                                   ",".join(wanted), "--out", os.path.join(folder, "results")], env=ENV,
                                  capture_output=True, text=True, check=False, timeout=100)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            with open(os.path.join(folder, "results", "latest", "rows.jsonl"), encoding="utf-8") as file:
                found = {row["contender"]: row for row in map(json.loads, file)}
        self.assertEqual(set(found), set(wanted))
        for name, row in found.items():
            self.assertEqual((row["status"], row["value"]), ("not-run", None))
            self.assertRegex(row["why"], INSTALL, name)

    def test_a_jdk_without_virtual_threads_is_none(self):
        find = os.path.join(ROOT, "baselines", "peers", "java", "find-java")
        with tempfile.TemporaryDirectory(prefix="gossamer-jdk-") as folder:
            for name, version in (("old", "17.0.15"), ("new", "21.0.2")):
                os.makedirs(os.path.join(folder, name, "bin"))
                with open(os.path.join(folder, name, "release"), "w", encoding="utf-8") as file:
                    file.write(f'JAVA_VERSION="{version}"\n')
                with open(os.path.join(folder, name, "bin", "javac"), "w", encoding="utf-8") as file:
                    os.chmod(file.fileno(), 0o755)
            env = {"PATH": os.environ["PATH"], "JVM_FOLDER": os.path.join(folder, "old")}

            def found(**more):
                done = subprocess.run(["sh", find], env=dict(env, **more), capture_output=True, text=True, check=False)
                return done.returncode, done.stdout.strip()
            # The javac in PATH may be a later one: it is left out of the question by what has to be there instead.
            self.assertEqual(found(JAVA_HOME=os.path.join(folder, "new")), (0, os.path.join(folder, "new")))
            self.assertNotEqual(found(JAVA_HOME=os.path.join(folder, "old"))[1], os.path.join(folder, "old"))

    def test_figures_and_tables_know_their_names(self):
        self.assertLessEqual(set(bench_peers.NAMES), set(rows.CONTENDERS))
        self.assertLessEqual(set(rows.TUNED), set(bench_peers.NAMES))


if __name__ == "__main__":
    if os.environ.get("SAN") or not os.access(GOSBENCH, os.X_OK):
        print("skipped: peers are measured in the plain build")
        sys.exit(77)
    unittest.main()
