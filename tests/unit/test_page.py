#!/usr/bin/env python3
# timeout: 180
"""results/<run>/report.html in a real browser, headless: it draws, filters and tells, without a network."""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "unit"), os.path.join(ROOT, "scripts"), os.path.join(ROOT, "plots")]
import report_page  # noqa: E402
import rows  # noqa: E402
import test_report as made_up  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
# What a reader does, and what the page then shows.
ACTS = """<script>{
const seen = {};
const charts = [...$("case").options].map(option => option.text);
const names = () => [...document.querySelectorAll("#chart text[data-contender]")].map(text => text.textContent).sort();
seen.charts = charts;
seen.memory = names();
seen.crosses = document.querySelectorAll("#chart path").length;
$("case").value = charts.indexOf("Yield, one way");
$("case").onchange();
seen.dots = names();
document.querySelector("#who label[data-name=pthread] input").click();
seen.without = names();
seen.rows = $("numbers").rows.length - 1;
const mark = document.querySelector("#chart g.mark[data-contender='gossamer']");
mark.dispatchEvent(new MouseEvent("mousemove", { clientX: 40, clientY: 40 }));
seen.tip = [$("tip").hidden, $("tip").textContent];
seen.dimmed = document.querySelectorAll("#chart .dim").length;
mark.dispatchEvent(new MouseEvent("mouseleave"));
seen.after = [$("tip").hidden, document.querySelectorAll("#chart .dim").length];
$("none").onclick();
seen.none = $("chart").textContent;
$("all").onclick();
$("find").value = "PID_MAX"; $("find").oninput();
seen.notes = $("notes").rows.length - 1;
$("find").value = "nothing has this"; $("find").oninput();
seen.noNotes = $("notes").rows.length - 1;
seen.claims = $("claims").rows.length - 1;
document.body.dataset.seen = JSON.stringify(seen);
}</script>"""


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gossamer-page-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        for name, text in (("rows.jsonl", "".join(json.dumps(row) + "\n" for row in made_up.small_run())),
                           ("env.json", json.dumps({"complete": True})), ("topology.xml", made_up.TOPOLOGY)):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        self.text = report_page.page(rows.Results(self.folder))

    def browse(self, text):
        path = os.path.join(self.folder, "page.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={self.folder}/profile",
             "--virtual-time-budget=4000", "--dump-dom", "file://" + path],
            capture_output=True, text=True, timeout=150, check=False)
        return done.stdout

    def test_it_asks_nobody(self):
        bare = self.text.replace("http://www.w3.org/2000/svg", "")
        self.assertNotRegex(bare, r"https?://|\bsrc=|@import|<link|fetch\(|XMLHttpRequest|WebSocket")

    def test_data_cannot_end_the_script(self):
        self.assertEqual(self.text.count("</script>"), 2)

    def test_a_reader_can_choose_filter_and_hover(self):
        dom = self.browse(self.text + ACTS)
        found = re.search(r'data-seen="([^"]*)"', dom)
        self.assertTrue(found, dom[-2000:])
        seen = json.loads(html.unescape(found[1]))
        three = ["O'Reilly's peer", "gossamer", "pthread"]
        self.assertIn("Memory of a parked unit", seen["charts"])
        self.assertEqual((seen["memory"], seen["crosses"]), (three, 1))    # the pthread was stopped
        self.assertEqual((seen["dots"], seen["without"], seen["rows"]), (three, three[:2], 2))
        self.assertEqual(seen["tip"][0], False)
        self.assertIn("gossamer\n12.5 ns [10.0 ns, 15.0 ns]", seen["tip"][1])
        self.assertEqual((seen["dimmed"], seen["after"]), (2, [True, 0]))    # the other's name and mark
        self.assertEqual(seen["none"], "No contender is chosen.")
        self.assertEqual((seen["notes"], seen["noNotes"]), (1, 0))
        self.assertEqual(seen["claims"], 15)


if __name__ == "__main__":
    if not BROWSER:
        print("skipped: no chromium here (apt-get install chromium)")
        sys.exit(77)
    unittest.main()
