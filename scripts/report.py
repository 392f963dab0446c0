#!/usr/bin/env python3
"""Writes REPORT.md, and the generated part of README.md, from a results folder; every number comes from its rows."""
import os
import re
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "plots"), os.path.join(ROOT, "scripts")]
import bench_steps  # noqa: E402
import layout  # noqa: E402
import prep  # noqa: E402
import report_blocking  # noqa: E402
import report_cases as cases  # noqa: E402
import report_check  # noqa: E402
import report_counts  # noqa: E402
import report_trace  # noqa: E402
import report_losses  # noqa: E402
import report_claims  # noqa: E402
import report_machine as machine  # noqa: E402
import report_page  # noqa: E402
import report_peers  # noqa: E402
import report_programs  # noqa: E402
import report_server  # noqa: E402
import report_stacks  # noqa: E402
import report_sync  # noqa: E402
import report_text as text_of  # noqa: E402
import rows  # noqa: E402

BEGIN, END = "<!-- generated:begin -->", "<!-- generated:end -->"


class Report:
    """The text of REPORT.md and of README's generated part, for one run."""

    def __init__(self, folder, base):
        self.run = rows.Results(folder)
        self.place = os.path.relpath(os.path.realpath(folder), base)
        self.figures = [name for name, make in prep.FIGURES.items() if make(self.run)]
        for name in self.figures:
            if not os.path.isfile(os.path.join(folder, "figures", name + ".svg")):
                raise rows.ResultsError(f"{folder}/figures/{name}.svg: not drawn yet; "
                                        f"run `plots/plots.py --results {folder}` first")

    def figure(self, name, caption):
        return f"![{caption}]({self.place}/figures/{name}.svg)" if name in self.figures else ""

    # ---- abstract ------------------------------------------------------------------------------------------------

    def abstract(self):
        parts = [self.say_memory(), self.say_most(), self.say_spawn(), self.say_switch(), self.say_check()]
        if rows.US not in self.run.contenders:
            parts.insert(0, "This run holds no samples of gossamer: it shows the baselines alone.")
        return " ".join(part for part in parts if part)

    def say_memory(self):
        ours = prep.unit_cost(self.run, rows.US)[0]
        if not ours:
            return ""
        text = f"A parked task of gossamer costs {cases.amount(ours)} bytes " \
               "(resident memory, page tables and kernel stack together)"
        thread = next((item for item in cases.memory_comparisons(self.run) if item.contender == "pthread"), None)
        if thread:
            text += f"; a pthread costs {cases.amount(thread.theirs)}, {cases.times(thread.ratio)} " \
                    "times as much"
        return text + "."

    def say_most(self):
        text = []
        for name in (rows.US, "pthread"):
            most, stop = self.run.most_units("memory", name)
            if stop:
                text.append(f"{rows.label(name)} stopped at {most:,} parked units ({layout.reason(stop['why'])})")
            elif most:
                text.append(f"{rows.label(name)} reached {most:,} parked units, the most that were tried")
        return "; ".join(text) + "." if text else ""

    def say_spawn(self):
        item = next((item for item in cases.spawn_comparisons(self.run, "warm") if item.contender == "pthread"), None)
        if not item:
            return ""
        return f"To start, run and finish a task takes {cases.duration(item.ours)} with memory used before " \
               f"({item.what.removeprefix('spawn, warm, ')}), a pthread {cases.times(item.ratio)} times as long."

    def say_switch(self):
        ours = self.run.estimate("yield", contender=rows.US, metric="ns_per_op")
        raw = self.run.estimate("bound", contender=rows.RAW, variant="switch", metric="ns_per_op")
        if not ours:
            return ""
        return f"A yield takes {cases.duration(ours)} one way" + \
            (f", where exchanging the registers alone takes {cases.duration(raw)}." if raw else ".")

    def say_check(self):
        added = []
        for variant in ("shallow", "deep256"):
            plain, checked = (self.run.estimate("check", contender=build, variant=variant,
                                                metric="instructions_per_call") for build in prep.CHECK_BUILDS)
            if plain and checked:
                added.append(f"{layout.exact(checked.median - plain.median)} instructions "
                             + ("to a call" if variant == "shallow" else "where the frame is 256 bytes or more"))
        return f"The stack check adds {' and '.join(added)}." if added else ""

    # ---- sections ------------------------------------------------------------------------------------------------

    def method(self):
        sampled = "\n\n".join(filter(None, [machine.design_table(self.run), machine.left_out(self.run)]))
        design = cases.Long("How often each case was sampled", sampled)
        turns = [text_of.TURNS] if self.run.disturbed()[0] else []
        text = [text_of.METHOD, self.moved(design), *turns, self.conditions(), self.noise(), self.accounting()]
        if self.run.env.get("complete") is not True:
            text.append("**The run was interrupted**: what had been measured until then is shown.")
        return "\n\n".join(text)

    def conditions(self):
        """What was disturbed, taken again or left out, and what the timer costs."""
        looked, bad, again = self.run.disturbed()
        text = [f"Of {looked:,} timed samples {bad:,} were disturbed (the anchor moved by more than "
                f"{bench_steps.ANCHOR_MOVED * 100:g} %, or the host or other processes took more than "
                f"{bench_steps.STOLEN * 100:g} % or {bench_steps.OTHERS * 100:g} % of the time); {again:,} of them "
                "were taken again and do not count."] if looked else []
        clock = self.run.estimate("bound", contender=rows.RAW, variant="clock", metric="ns_per_op")
        null = self.run.estimate("bound", contender=rows.RAW, variant="null", metric="ns_per_op")
        if clock:
            text.append(f"Reading the clock takes {cases.duration(clock)}; a sample reads it twice and lasts "
                        "some 10 ms.")
        if null:
            text.append(f"A loop round nothing takes {cases.duration(null)} a pass: the harness' own share of a bound.")
        cases.comparisons(self.run)    # asks for every estimate, so that what follows is complete
        dropped, unsteady = self.run.discarded, self.run.unsteady
        text.append(f"Repetitions before a steady state: {sum(dropped.values()):,} a launch discarded, in "
                    f"{machine.plural(len(dropped), 'row')}"
                    + ("; no steady state, and so no number: " + "; ".join(sorted(map(cases.row_words, unsteady)))
                       if unsteady else "; every row became steady") + ".")
        return " ".join(text)

    def noise(self):
        """The A/A floor, what counts as a difference, and how many were looked at."""
        found = cases.controls_once(self.run)
        if not found:
            return f"This run has no control. A ratio counts if its interval is more than {cases.RESOLVED:.0%} from 1."
        def three(ratio):
            return f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" if ratio else "–"

        table = cases.markdown(["control", "gossamer over itself: 1", "so a difference counts from",
                                f"slowed by {bench_steps.SLOWED_BY} %: {1 + bench_steps.SLOWED_BY / 100:.2f}"],
                               [[words, three(same), f"{max(cases.RESOLVED, cases.error_of(same)) * 100:.1f} %",
                                 three(cases.slowed(self.run, key))] for key, (words, same) in found.items()])
        compared = [item.ratio for item in cases.comparisons(self.run) if item.ratio.n > 1]
        return (f"{table}\n\nA ratio is called better or worse only if its whole interval lies farther from 1, as a "
                "factor, than the row's own control reached, and at least 2 %. Where a row has no control of its own, "
                "its interval says how launches differ, and has to lie farther from 1 than the median of any warm "
                "control; the ratio of a single pair of launches, or of none, which has no such interval, farther than "
                "any warm control reached; memory, which needs no control, 2 %. "
                f"{len(compared)} ratios with an interval are compared, without a correction for that number: by the "
                f"confidence of each about {sum(1 - ratio.confidence for ratio in compared):.0f} may miss their true "
                "value, which is why an interval that merely excludes 1 does not count.")

    def accounting(self):
        asked = [row for row in self.run.rows if row["units_asked"] > 0 and row["status"] == "ok"]
        short = sum(row["units_made"] < row["units_asked"] for row in asked)
        failed = sum(row["status"] == "failed" for row in self.run.rows)
        return (f"Of {len(asked):,} finished rows that asked for units, {len(asked) - short:,} made as many as asked"
                + (f" and **{short:,} fewer**" if short else "")
                + "; " + (f"**{machine.plural(failed, 'row')} failed**, listed below with the reason." if failed
                          else "no row failed."))

    def environment(self):
        table = cases.Long("What the run recorded of its machine", machine.environment_table(self.run.env))
        return (f"{machine.machine(self.run)}.\n\n{self.moved(table)} "
                f"[env.json]({self.place}/env.json) holds the rest, [topology.xml]({self.place}/topology.xml) "
                "hwloc's full view.")

    def results(self):
        run = self.run
        sections = [
            ("C4, C7, C8: memory of a parked unit, and how many there can be", "memory", text_of.MEMORY,
             [self.figure("memory", "Bytes per parked unit over the number of units; a cross marks where a contender "
                          "stopped."), cases.memory(run), report_stacks.parked_verdicts(run),
              cases.notes(run, ["memory"]), text_of.RETAINED, cases.retained(run)]),
            ("C7: to start, run and finish a unit", "spawn", text_of.SPAWN,
             [self.figure("spawn", "Time per unit over the number of units."),
              cases.spawn_short(run, self.spawn_size()),
              cases.Long("Start, run, finish: every size and number of threads", cases.spawn(run)),
              cases.notes(run, ["spawn"])]),
            ("C1, the price of multiplexing: passing the processor on", "yield", text_of.SWITCH,
             [self.figure("switch", "Time of a yield and of a hand-over; dashed lines are bounds from outside any "
                          "scheduler."), cases.switch(run), cases.bounds(run), self.figure(
                  "ratios", "Time over gossamer's in the rows that are measured in turns; grey: the A/A floor."),
              cases.notes(run, ["yield", "handover", "bound"])]),
            ("C6: what the check adds to a call", "check", text_of.CHECK,
             [self.figure("check", "The same code compiled with and without checks."), cases.check(run),
              report_check.fib(run), report_check.SPLIT,
              self.figure("hot-split", "Time of a call that crosses to another stack and back."),
              report_check.hot_split(run), cases.notes(run, ["check"])]),
        ]
        sections.append(("C6: checks in real programs", "programs", report_programs.WORDS,
                         [report_programs.table(run), cases.notes(run, ["programs"])]))
        sections += report_stacks.sections(run, self.figure)
        sections += report_blocking.sections(run, self.figure)
        sections += report_sync.sections(run)
        sections += report_counts.sections(run)
        sections += report_trace.sections(run)
        sections += report_server.sections(run, self.figure)
        sections += report_peers.sections(run, self.figure)
        text = []
        for title, case, words, parts in sections:
            present = run.values(case) or (case == "yield" and run.values("handover"))
            body = [words, *parts] if present else [
                f"This run holds no usable samples of `{case}`.", cases.notes(run, [case])]
            text.append("\n\n".join([f"### {title}", *(self.moved(part) for part in body if part)]))
        return "\n\n".join(text)

    def moved(self, part):
        """What is long goes to the appendix; a line that says where stands in its place."""
        if not isinstance(part, cases.Long):
            return part
        self.appendix.append(part)
        anchor = re.sub(r"[^a-z0-9 -]", "", part.title.lower()).replace(" ", "-")
        return f"[{part.title}](#{anchor}): appendix."

    def figure_place(self, name):
        return f"{self.place}/figures/{name}.svg" if name in self.figures else ""

    def losses(self):
        if rows.US not in self.run.contenders:
            return "gossamer is not in this run."
        table, level = report_losses.losses(self.run)
        more = self.moved(cases.Long("What this run cannot tell apart", level)) if level else ""
        return f"{table}\n\n{more}".rstrip()

    def report(self):
        self.appendix = []
        claims = f"{text_of.CLAIMS}\n\n{report_claims.table(self.run, self.figure_place)}"
        sections = [
            ("", text_of.TITLE),
            ("Abstract", f"{text_of.QUESTION}\n\n{report_claims.tally(self.run)} {self.abstract()}"),
            ("Claims", claims), ("Method", self.method()), ("Machine", self.environment()), ("Results", self.results()),
            ("Where gossamer loses", self.losses()), ("Threats to validity", text_of.LIMITS),
            ("Related work", text_of.RELATED), ("To reproduce", text_of.REPRODUCE.replace("@DIR@", self.place)),
        ]
        sections.append(("Appendix", "\n\n".join(f"### {part.title}\n\n{part}" for part in self.appendix)))
        return "\n\n".join((f"## {title}\n\n" if title else "") + text for title, text in sections) + "\n"

    def spawn_size(self):
        """The largest number of units that all shown started on one thread, warm; None when there is none."""
        names = filter(rows.is_telling, self.run.of_case("spawn"))
        sizes = [cases.spawn_places(self.run, name, "warm").get(1, set()) for name in names]
        return max(set.intersection(*(some for some in sizes if some)), default=None) if any(sizes) else None

    def readme_part(self):
        run, size = self.run, self.spawn_size()
        lines = []
        for name in run.contenders:
            present = any(name in run.of_case(case) for case in ("memory", "spawn", "yield"))
            if not present or not rows.is_telling(name):
                continue
            cost = prep.unit_cost(run, name)[0]
            most, stop = run.most_units("memory", name)
            spawn = run.estimate("spawn", contender=name, variant="warm", n=size, threads=1, metric="ns_per_op")
            yields = run.estimate("yield", contender=name, metric="ns_per_op")
            lines.append([cases.name_of(name), cases.whole(cost.median) if cost else "–",
                          "–" if not most else f"{most:,}" + (f" ({layout.reason(stop['why'])})" if stop else ""),
                          layout.nanoseconds(spawn.median) if spawn else "–",
                          layout.nanoseconds(yields.median) if yields else "–"])
        table = cases.markdown(["contender", "bytes per parked unit", "most units (what stopped it)",
                                "start + run + finish, warm" + (f", {size:,} units" if size else ""),
                                "yield, one way"], lines)
        picture = self.figure("headline", "Bytes per parked unit, and the most units each contender reached.")
        machine_line = f"Medians of one run on {machine.machine(run)}. Intervals, ratios and reasons: " \
                       "[REPORT.md](REPORT.md)."
        return "\n\n".join(part for part in (picture, table, machine_line) if part)


# ---- files -------------------------------------------------------------------------------------------------------

def with_part(readme, part, path):
    """README.md with the text between its markers replaced."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise rows.ResultsError(f"{path}: needs one line {BEGIN} and after it one line {END}; put them back")
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n{part}\n{END}{rest.split(END)[1]}"


def write_all(texts):
    """Writes every file beside its place first and then renames, so that a failure changes none."""
    for path, text in texts.items():
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
    for path in texts:
        os.replace(path + ".new", path)


def main():
    parser = rows.Arguments(description=__doc__)
    parser.add_argument("--results", metavar="DIR", required=True, help="results folder, e.g. results/reference")
    parser.add_argument("--into", metavar="DIR", default=ROOT, help="where REPORT.md and README.md are (this tree)")
    args = parser.parse_args()
    readme = os.path.join(args.into, "README.md")
    try:
        with rows.guard(args.results):
            report = Report(args.results, os.path.realpath(args.into))
            texts = {os.path.join(args.into, "REPORT.md"): report.report(),
                     os.path.join(args.results, "report.html"): report_page.page(report.run),
                     readme: with_part(rows.read_text(readme), report.readme_part(), readme)}
        write_all(texts)
    except (rows.ResultsError, OSError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 1
    print(f"  report {os.path.relpath(os.path.join(args.into, 'REPORT.md'))}, "
          f"{os.path.relpath(os.path.join(args.results, 'report.html'))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
