#!/usr/bin/env python3
# timeout: 240
"""plots/plots.py and scripts/report.py on made-up runs: same bytes twice, nobody dropped, refusals change nothing."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("plots", "scripts")]
import plots  # noqa: E402
import report_losses  # noqa: E402
import rows as run_rows  # noqa: E402

FIGURES = ("headline", "memory", "spawn", "switch", "check")
README = "before\n<!-- generated:begin -->\n<!-- generated:end -->\nafter\n"
TOPOLOGY = """<topology><object type="Machine"><object type="Package"><info name="CPUModel" value="Model | One"/>
<object type="Core"><object type="PU"/></object></object></object></topology>"""


def row(case, contender, variant="", n=1000, launch=0, rep=0, metric="ns_per_op", value=1.0, status="ok", **more):
    return {"case": case, "contender": contender, "variant": variant, "n": n, "threads": 1, "launch": launch,
            "rep": rep, "metric": metric, "value": value, "units_asked": n, "units_made": n, "status": status,
            "why": "", **more}


def memory(contender, each, launch, stop=None):
    """Rows of a contender whose units cost `each` bytes, until it stops."""
    for n in (1000, 10000, 100000):
        made = min(n, stop or n)
        more = {"units_made": made, "status": "ok" if made == n else "stopped", "why": "" if made == n else "pid_max|"}
        for metric, share in (("rss_bytes", 0.75), ("pte_bytes", 0.25), ("kernel_stack_bytes", 0)):
            yield row("memory", contender, n=n, launch=launch, metric=metric, value=5000 + share * each * made, **more)


def small_run():
    """Six launches; gossamer, a pthread that stops, and `O'Reilly's peer`, which no table knows."""
    rows = []
    for launch in range(6):
        drift = 1 + launch / 10
        for place, (name, cost) in enumerate((("gossamer", 10), ("pthread", 1000), ("O'Reilly's peer", 8))):
            rows += memory(name, 1000 * (place + 1), launch, 32000 if name == "pthread" else None)
            rows += [row("spawn", name, variant, launch=launch, value=cost * drift) for variant in ("warm", "cold")]
            rows.append(row("yield", name, launch=launch, value=cost * drift))
        rows += [row("check", build, "shallow", launch=launch, value=value * drift)
                 for build, value in (("plain", 1.0), ("checked", 1.25))]
        rows.append(row("bound", "raw", "switch", launch=launch, value=3.0))
    rows += [row("check", build, "shallow", metric="instructions_per_call", value=value)
             for build, value in (("plain", 11), ("checked", 13))]
    return rows


class Pipeline(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gossamer-report-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.results = os.path.join(self.folder, "results")
        os.mkdir(self.results)
        self.write("README.md", README)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def make(self, rows):
        self.write("results/rows.jsonl", "".join(json.dumps(item) + "\n" for item in rows))
        self.write("results/env.json", json.dumps({"complete": True, "kernel": {"pid_max": 32768}}))
        self.write("results/topology.xml", TOPOLOGY)

    def call(self, script, *arguments):
        return subprocess.run([sys.executable, os.path.join(ROOT, script), *arguments], cwd=self.folder,
                              capture_output=True, text=True, check=False)

    def both(self):
        plots = self.call("plots/plots.py", "--results", "results")
        self.assertEqual((plots.returncode, plots.stderr), (0, ""))
        report = self.call("scripts/report.py", "--results", "results", "--into", ".")
        self.assertEqual((report.returncode, report.stderr), (0, ""))

    def refused(self, code, script, *arguments, says):
        before = (self.read("README.md"), os.path.exists(os.path.join(self.folder, "REPORT.md")))
        done = self.call(script, *arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (code, "", 1), done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual(before, (self.read("README.md"), os.path.exists(os.path.join(self.folder, "REPORT.md"))))

    def tree(self):
        """Every file below the folder, as bytes."""
        found = {}
        for place, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    found[os.path.join(place, name)] = file.read()
        return found

    def test_the_same_data_give_the_same_bytes(self):
        self.make(small_run())
        self.both()
        first = self.tree()
        self.both()
        self.assertEqual(first, self.tree())
        self.assertFalse([name for name in first if name.endswith(".new")])

    def test_numbers_come_from_the_rows(self):
        self.make(small_run())
        self.both()
        report, readme = self.read("REPORT.md"), self.read("README.md")
        self.assertIn("A parked task of gossamer costs 1,000 bytes", report)
        self.assertIn("pthread stopped at 32,000 parked units (pid_max)", report)
        self.assertIn("| pthread | memory | at 32,000 units | pid_max\\| |", report)
        self.assertIn("The stack check adds 2 instructions", report)
        self.assertIn("Model | One", report)
        # Launches differ by half, but each launch has the same ratio: the pairs show it without error.
        loses = report.split("## Where gossamer loses")[1].split("\n## ")[0]
        self.assertIn("| yield, one way | O'Reilly's peer | 10.0 ns [8.00, 12.0] | 12.5 ns [10.0, 15.0] | 0.800 |",
                      loses)
        self.assertNotIn("pthread", loses)
        self.assertTrue(readme.startswith("before\n") and readme.endswith("\nafter\n"))
        self.assertIn("| **gossamer** | 1,000 | 100,000 |", readme)

    def test_each_claim_has_its_verdict(self):
        self.make(small_run() + [row("api", "gossamer", metric="functions_that_name_tasks", value=0)])
        self.both()
        claims = self.read("REPORT.md").split("## Claims")[1].split("\n## ")[0]
        lines = [line.split(" | ") for line in claims.splitlines() if line.startswith("| ")][2:]
        self.assertEqual(len([line for line in lines if line[0].startswith("| **C")]), 10)
        verdicts = {line[1].split(" ≤ ")[0].split(" ≥ ")[0]: (line[2], line[3]) for line in lines}
        self.assertEqual(verdicts["bytes per parked task"], ("1,000", "**does not hold**"))    # 800 was demanded
        self.assertEqual(verdicts["most pthreads over most tasks"], ("0.320", "**does not hold**"))
        self.assertEqual(verdicts["public functions that give, take or name a task"], ("0", "holds"))
        self.assertEqual(verdicts["ns that a crossing to another stack and back adds"], ("–", "not measured"))

    def test_ratios_are_paired_by_turn(self):
        rows = []
        for launch in range(6):
            for turn in range(3):    # each round slower than the last, by far more than the contenders differ
                for name, cost in (("gossamer", 10), ("aa", 10.02), ("fixed", 11)):
                    rows.append(row("yield", name, launch=launch, rep=turn, round=turn, value=cost * 2 ** (turn % 2),
                                    anchor_ns=[1, 1]))
            rows.append(row("yield", "fixed", launch=launch, rep=9, round=1, value=500.0, anchor_ns=[1, 2],
                            bad="the anchor moved", rejected=True))
        self.make(rows)
        self.both()
        report = self.read("REPORT.md")
        self.assertIn("| fixed stacks, guarded | 11.0 ns | 1.10 |", report)
        self.assertIn("| yield | 1.002 [1.002, 1.002] | 2.0 % |", report)
        self.assertIn("Of 60 timed samples 6 were disturbed", report)
        self.assertTrue(os.path.exists(os.path.join(self.results, "figures", "ratios.svg")))
        self.assertNotIn("| aa |", report)

    def test_one_launch_is_paired_with_that_launch(self):
        """Launches differ by half; the peer has the first only, in three repetitions: a ratio, without an interval."""
        ours = [row("sync", "gossamer", "recv", launch=launch, value=10 * (1 + launch / 10)) for launch in range(6)]
        self.make(ours + [row("sync", "go", "recv", rep=rep, value=value) for rep, value in enumerate((19, 20, 21))]
                  + [row("yield", name, launch=launch, round=0, value=10.0) for launch in range(6)
                     for name in ("gossamer", "aa", "fixed")])
        self.both()
        report = self.read("REPORT.md")
        found = report.split("words and locks")[1].split("\n### ")[0].split("\n## ")[0]
        self.assertRegex(found, r"a word.* \| 2\.00 \(one sample\) \|")
        self.assertIn("1 ratios with an interval are compared", report)
        self.assertIn("about 0 may miss", report)

    def test_the_design_is_told_row_by_row(self):
        """Depths and sizes are rows of their own; what was taken again is none; a look over time is no repetition."""
        rows = [row("depth", "gossamer", "at", depth=depth, metric="rss_bytes") for depth in (0, 128, 256)]
        rows += [row("sync", "gossamer", "recv", n=n, rep=rep) for n in (100, 200) for rep in range(3)]
        rows.append(row("sync", "gossamer", "recv", n=100, rejected=True))
        rows += [row("yield", "gossamer", n=1000 + rep, launch=launch, rep=rep) for launch in (0, 1)
                 for rep in range(3)]
        rows += [row("burst", "gossamer", "after", rep=rep, at_ms=40 * rep, depth=4096, metric="rss_bytes")
                 for rep in range(7)]
        self.make(rows)
        self.both()
        report = self.read("REPORT.md")
        for line in ("depth (`depth`) | 1 | 1 | 3 | of 1: none |",
                     "sync (`sync`) | 1 | 3 | 6 | [min, max] of 3: 75.0 % |",
                     "yield (`yield`) | 2 | 3 | 6 | [min, max] of 2: 50.0 % |",
                     "burst (`burst`) | 1 | 1, of 7 samples over time | 7 | of 1: none |"):
            self.assertIn(f"| {line}", report)

    def test_without_a_steady_state_there_is_no_number(self):
        rows = [row("yield", name, launch=launch, rep=rep, value=value) for launch in range(9) for name, series in
                (("gossamer", (30.0, 10.0, 10.1, 9.9, 10.0)), ("fixed", (50.0, 40.0, 30.0, 20.0, 10.0)))
                for rep, value in enumerate(series)]
        self.make(rows)
        self.both()
        report = self.read("REPORT.md")
        self.assertIn("no steady state, and so no number: yield of fixed stacks, guarded", report)
        self.assertIn("| **gossamer** | 10.0 ns", report)

    def test_peers_stand_side_by_side(self):
        ours = [item for item in small_run() if item["case"] == "yield" and item["contender"] == "gossamer"]
        twice = [dict(item, contender="go", value=item["value"] * 2) for item in ours]
        half = [dict(item, contender="tokio", value=item["value"] / 2) for item in ours]
        self.make(ours + twice + half)
        self.both()
        peers = self.read("REPORT.md").split("### Peers, side by side")[1].split("\n## ")[0]
        self.assertIn("| Go | stack, copied to grow | 2.00 |", peers)
        self.assertIn("| Tokio | stackless | 0.500 |", peers)
        self.assertIn("**Reached**: ahead of Go in 1 of 1 ratios.", peers)

    def test_what_is_lost_has_a_reason(self):
        """In the committed run every row of `Where gossamer loses` names one; a row without says so."""
        reference = os.path.join(ROOT, "results", "reference")
        if os.path.isdir(reference):
            self.assertEqual(report_losses.unexplained(run_rows.Results(reference)), [])
        self.make(small_run())
        self.both()
        loses = self.read("REPORT.md").split("## Where gossamer loses")[1].split("\n## ")[0]
        self.assertIn(f"1. {report_losses.UNEXPLAINED}.", loses)

    def test_words_and_locks_have_verdicts(self):
        costs = {"recv": (10, 4000), "select": (20, None), "buffered": (11, 100), "mutex": (10, 10, 5),
                 "crowd": (30, 40), "held": (100, 6000, 2000)}
        self.make([row("sync", name, variant, launch=launch, value=cost) for launch in range(3)
                   for variant, of in costs.items() for name, cost in zip(("gossamer", "pthread", "go"), of) if cost])
        self.both()
        found = self.read("REPORT.md").split("words and locks")[1].split("\n### ")[0].split("\n## ")[0]
        self.assertIn("| a word, by a select of two | 20.0 ns | – | – | – | – |", found)
        self.assertIn("units that yield while they have it | 100 ns | 6.00 µs | 60.0 | 2.00 µs | 20.0 |", found)
        self.assertIn("| a word, buffered | 10.0 ns | 11.0 ns | **not reached** |", found)
        self.assertRegex(found, r"a lock by 100 units in loops: .* \| 5.0 times \| 1.3 times \|")
        self.assertIn("| a word by a select of two, over one received | 2.5 times | 2.0 times | reached |", found)
        self.assertIn("at least | 5.0 times | 60.0 times | reached |", found)
        lost = self.read("REPORT.md").split("## Where gossamer loses")[1].split("\n## ")[0]
        self.assertIn("| a lock, by one unit | Go | 5.00 ns | 10.0 ns |", lost)

    def test_counts_stand_beside_time(self):
        costs = {"instructions_per_op": 118.0, "system_calls_per_op": 0.0, "futexes_per_op": 0.0,
                 "minor_faults_per_op": 0.0, "context_switches_per_op": 0.25}
        self.make([dict(row("counts", "gossamer", "yield", launch=0, value=value), metric=metric)
                   for metric, value in costs.items()])
        self.both()
        found = self.read("REPORT.md").split("what can be counted")[1].split("\n### ")[0].split("\n## ")[0]
        self.assertRegex(found, r"\| yield \| 118 \| 0[.0]* \| 0[.0]* \| 0[.0]* \| 0.25")

    def test_traces_cost_ratios(self):
        costs = {"ratio_again": 1.0, "ratio_flight": 1.01, "ratio_file": 1.05}
        self.make([dict(row("trace", "gossamer", "yield", launch=launch, value=value), metric=metric)
                   for metric, value in costs.items() for launch in (0, 1, 2)])
        self.both()
        found = self.read("REPORT.md").split("what traces cost")[1].split("\n### ")[0].split("\n## ")[0]
        self.assertIn("| yield | 1.00 | 1.01 | 1.05 |", found)

    def test_unknown_contenders_are_drawn(self):
        self.make(small_run())
        self.both()
        for figure in ("headline", "memory", "spawn", "switch"):
            self.assertRegex(self.read(f"results/figures/{figure}.svg"), "O(&apos;|'|&#39;|&#x27;)Reilly")

    def test_missing_cases_give_a_sentence(self):
        self.make([item for item in small_run() if item["case"] == "yield" and item["contender"] == "pthread"])
        self.both()
        report = self.read("REPORT.md")
        self.assertIn("holds no samples of gossamer", report)
        self.assertIn("This run holds no usable samples of `memory`.", report)
        self.assertEqual(sorted(os.listdir(os.path.join(self.results, "figures"))),
                         ["switch.pdf", "switch.png", "switch.svg", "switch.tsv"])

    def test_refusals(self):
        both = (("plots/plots.py",), ("scripts/report.py", "--into", "."))
        for script in both:
            self.refused(1, *script, "--results", "results", says="rows.jsonl: No such file")
            self.refused(2, *script, says="--results")
            self.refused(2, *script, "--results", "results", "--fast", says="--fast")
        self.make(small_run())
        self.refused(1, "scripts/report.py", "--results", "results", "--into", ".", says="not drawn yet")
        whole = self.read("results/rows.jsonl")
        for text, says in ((whole[:-20], "not a whole JSON line"), ("", "holds no samples"), ("[]\n", "not an object"),
                           (whole.replace('"units_made"', '"made"', 1), "`units_made`"),
                           (whole.replace('"ok"', '"fi\\ne"', 1), "unknown status 'fi\\ne'"),
                           (whole.replace('"rep": 0', '"rep": 0, "depth": {}', 1), "field `depth` is not of type int"),
                           (re.sub('"threads": [0-9]+', f'"threads": {1 << 70}', whole, count=1), "not from 0 to 8192"),
                           (json.dumps(row("yield", "x", value="1")), "`value`"),
                           (json.dumps(row("yield", "x", value=float("nan"))), "`value`"),
                           (json.dumps(row("yield", "x", value=None)), "without a value")):
            self.write("results/rows.jsonl", text)
            for script in both:
                self.refused(1, *script, "--results", "results", says=says)
        self.write("results/rows.jsonl", whole)
        self.write("results/env.json", "{")
        for script in both:
            self.refused(1, *script, "--results", "results", says="env.json")

    def test_a_missing_cache_of_fonts_is_no_failure(self):
        said = "echo 'Fontconfig error: No writable cache directories' >&2; "
        plots.run_tool(["sh", "-c", said * 2], self.folder)
        for script, words in ((said + "echo 'cannot open' >&2", "^sh: cannot open$"), (said + "exit 3", "exit code 3"),
                              ("echo oh", "^sh: oh$")):
            with self.assertRaisesRegex(run_rows.ResultsError, words):
                plots.run_tool(["sh", "-c", script], self.folder)

    def test_readme_needs_its_markers(self):
        self.make(small_run())
        self.call("plots/plots.py", "--results", "results")
        self.write("README.md", "no markers\n")
        self.refused(1, "scripts/report.py", "--results", "results", "--into", ".", says="generated:begin")


if __name__ == "__main__":
    unittest.main()
