#!/usr/bin/env python3
"""scripts/compare.py, merge_results.py and doctor.py on made-up runs and machines."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import compare  # noqa: E402
import doctor  # noqa: E402
import topology_picture  # noqa: E402

ENV = {"cpu": {"model": "m", "usable": [0, 1], "governor": None, "mitigations": {}}, "start": "2026-01-02T03:04:05Z",
       "kernel": {"release": "6.1", "memory_total_kib": 1 << 23}, "tools": {"glibc": "2.36"}, "host": "h",
       "git": {"commit": "0123456789abcdef"}}


def rows(values, metric="ns_per_op", contender="x", case="yield", **more):
    """One a launch; `n` as the harness gives it: how often, found anew in each launch."""
    return [{"case": case, "contender": contender, "variant": "", "n": 1000 + launch, "threads": 1, "launch": launch,
             "rep": 0, "metric": metric, "value": value, "units_asked": 1, "units_made": 1, "status": "ok", "why": "",
             **more} for launch, value in enumerate(values)]


def word(a, b, metric="ns_per_op"):
    first, second = compare.launches(rows(a, metric)), compare.launches(rows(b, metric))
    return list(compare.compare(first, second, compare.Floors(first, second)))[0][-1]


class Words(unittest.TestCase):
    def test_resolved_or_not(self):
        still = [10.0] * 9
        self.assertEqual(word(still, [11.0] * 9), "more")
        self.assertEqual(word(still, [9.0] * 9), "less")
        self.assertEqual(word(still, [10.1] * 9), "not resolved")
        self.assertEqual(word(still, [9, 9, 9, 11, 11, 11, 11, 12, 12]), "not resolved")
        self.assertIn("fewer than 6", word(still[:3], [20.0] * 3))

    def test_exact_counts_need_no_interval(self):
        self.assertEqual(word([80.0], [82.0], "instructions_per_op"), "more")
        self.assertEqual(word([80.0], [80.0], "instructions_per_op"), "same")
        self.assertEqual(word([0.0], [1.0], "system_calls_per_op"), "more")
        self.assertEqual(word([0.0], [0.0], "futexes_per_op"), "same")

    def test_floors_are_those_of_the_controls(self):
        mine = rows([10.0] * 9, contender="gossamer"), rows([11.0] * 9, contender="aa")
        cold = [rows([value] * 9, contender=name, case="spawn", variant="cold", n=5) for name, value in
                (("gossamer", 10.0), ("aa", 20.0))]
        builds = [rows([value] * 9, contender=name, case="check", variant="aa") for name, value in
                  (("plain-a", 10.0), ("plain-b", 10.5))]
        others = rows([10.0] * 9), rows([10.0] * 9, case="scale", n=5)
        values = compare.launches(sum((*mine, *cold, *builds, *others), []))
        floors = compare.Floors(compare.launches(rows([1.0])), values)
        found = {(key[0], key[1]): round(floors.of(key), 4) for key in values}
        self.assertEqual(found["yield", "gossamer"], 0.0953)
        self.assertEqual(found["yield", "x"], 0.0953)
        self.assertEqual(found["spawn", "gossamer"], 0.6931)
        self.assertEqual(found["check", "plain-a"], 0.0488)
        self.assertEqual(found["scale", "x"], 0.0953)    # the largest of the warm ones
        self.assertEqual({line[0].split()[1] for line in compare.compare(values, values, floors)}, {"gossamer", "x"})

    def test_what_was_taken_again_does_not_count(self):
        again = rows([10.0] * 9) + rows([99.0] * 9, rejected=True, bad="busy") + rows([88.0] * 3, bad="busy")
        self.assertEqual(compare.launches(again), compare.launches(rows([10.0] * 9)))


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_of(self, name, env, values):
        path = os.path.join(self.folder.name, name)
        os.makedirs(path)
        with open(os.path.join(path, "env.json"), "w", encoding="utf-8") as file:
            json.dump(env, file)
        with open(os.path.join(path, "rows.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows(values))
        return path

    def start(self, script, *words):
        return subprocess.run([sys.executable, os.path.join(ROOT, "scripts", script), *words], capture_output=True,
                              text=True, check=False)

    def test_other_machines_are_refused_or_labelled(self):
        other = copy.deepcopy(ENV)
        other["cpu"]["model"] = "another"
        a, b = self.run_of("a", ENV, [10.0] * 9), self.run_of("b", other, [12.0] * 9)
        done = self.start("compare.py", a, b)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))
        self.assertIn("m / another", done.stderr)
        done = self.start("compare.py", "--across-machines", a, b)
        self.assertEqual(done.returncode, 0)
        self.assertIn("DIFFERENT MACHINES", done.stdout)
        self.assertIn("1 more", done.stdout)

    def test_no_run_is_one_line(self):
        done = self.start("compare.py", "/none", "/none")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))

    def test_merging_by_machine(self):
        into = os.path.join(self.folder.name, "into")
        other = copy.deepcopy(ENV)
        other["kernel"]["release"] = "6.2"
        a, b = self.run_of("a", ENV, [1.0]), self.run_of("b", other, [1.0])
        for node, run in (("n1", a), ("n2", a), ("n3", b)):
            self.assertEqual(self.start("merge_results.py", "--into", into, "--node", node, run).returncode, 0)
        kinds = {compare.fingerprint(ENV): 3, compare.fingerprint(other): 2}    # runs, and machine.json
        self.assertEqual({kind: len(os.listdir(os.path.join(into, kind))) for kind in os.listdir(into)}, kinds)
        done = self.start("merge_results.py", "--into", into, "--node", "n1", a)
        self.assertEqual(done.returncode, 2)
        self.assertIn("n1-", self.start("merge_results.py", "--list", into).stdout)


class Picture(unittest.TestCase):
    def test_every_processor_and_cache_is_drawn(self):
        core = ('<object type="L2Cache" cache_size="1048576"><object type="Group"><object type="Core" os_index="{0}">'
                '<object type="PU" os_index="{0}"/></object></object></object>')
        text = topology_picture.picture('<topology><object type="Machine"><object type="Package" os_index="0">' +
                                        core.format(0) + core.format(1) + '</object></object></topology>')
        for label, times in (("L2 1 MiB", 2), ("CPU 0", 1), ("CPU 1", 1), ("Core 1", 1), ("Group", 0)):
            self.assertEqual(text.count(label), times, label)
        self.assertEqual(text.count("<rect"), 8)


class Doctor(unittest.TestCase):
    WELL = {"load": 0.0, "cpus": 2, "busy": 0.0, "steal": 0.0, "smt": "0", "turbo": None, "nproc": doctor.UNLIMITED,
            "inherited": [], "gos": [], "tools": {"valgrind": True}, "peers": [],
            "cpu": {"governor": None, "boost": None, "clocksource": "tsc"},
            "kernel": {"memory_available_kib": 1 << 24, "transparent_hugepage": "always [madvise] never",
                       "overcommit_memory": "0", "max_map_count": "65530", "randomize_va_space": "2",
                       "cgroup": {"pids.max": "max"}}}

    def bad(self, change):
        facts = copy.deepcopy(self.WELL)
        change(facts)
        return [one.topic for one in doctor.findings(facts) if not one.good]

    def test_a_good_machine(self):
        self.assertEqual(self.bad(lambda facts: None), [])

    def test_each_trouble_is_named_and_has_a_remedy(self):
        for topic, change in (
                ("load", lambda f: f.update(busy=0.5)), ("steal", lambda f: f.update(steal=0.05)),
                ("processors", lambda f: f.update(cpus=1)),
                ("governor", lambda f: f["cpu"].update(governor="powersave")),
                ("boost", lambda f: f["cpu"].update(boost="1")), ("SMT", lambda f: f.update(smt="1")),
                ("clock", lambda f: f["cpu"].update(clocksource="hpet")),
                ("memory", lambda f: f["kernel"].update(memory_available_kib=1000)),
                ("huge pages", lambda f: f["kernel"].update(transparent_hugepage="[always] madvise never")),
                ("overcommit", lambda f: f["kernel"].update(overcommit_memory="2")),
                ("memory limit", lambda f: f["kernel"]["cgroup"].update({"memory.max": "1000000"})),
                ("mappings", lambda f: f["kernel"].update(max_map_count="1000")),
                ("threads", lambda f: f["kernel"]["cgroup"].update({"pids.max": "100"})),
                ("processor quota", lambda f: f["kernel"]["cgroup"].update({"cpu.max": "50000 100000"})),
                ("ASLR", lambda f: f["kernel"].update(randomize_va_space="0")),
                ("environment", lambda f: f.update(inherited=["LD_PRELOAD"])),
                ("GOS_*", lambda f: f.update(gos=["GOS_PROCS"])),
                ("valgrind", lambda f: f["tools"].update(valgrind=False)), ("peers", lambda f: f.update(peers=["x"]))):
            self.assertEqual(self.bad(change), [topic])
        facts = copy.deepcopy(self.WELL)
        facts["kernel"]["cgroup"] = {}
        self.assertTrue(all(one.remedy for one in doctor.findings(facts)))

    def test_it_runs_here(self):
        done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "doctor.py"), "--seconds", "0.1"],
                              capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.returncode == 1, "BAD" in done.stdout)


if __name__ == "__main__":
    unittest.main()
