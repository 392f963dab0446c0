#!/usr/bin/env python3
"""reliability.py: docs/RELIABILITY.md from what the runs of tests wrote down.

usage: scripts/reliability.py [--check]              write the page (--check: only say by the status if it is current)
       scripts/reliability.py add FIELD=VALUE ...    append one line to results/reliability/KIND.jsonl

Each run of a tester appends one line of JSON to a file results/reliability/*.jsonl:
    kind     faults, models, fuzz, soak; others get a table of what they hold
    name     what was run: the last line of a kind and name counts
    count    what was done, a number: faults tried, states gone through, inputs tried, operations
    found    findings that were open when it ended, a number
and further fields, which stand in the page where COLUMNS has them. `add` puts time and commit in by itself (a file that
has changed since: "-changed"); testers in Python call `append`.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "results/reliability"
PAGE = ROOT / "docs/RELIABILITY.md"
NEEDED = {"kind": str, "name": str, "count": (int, float), "found": (int, float)}

# For each kind: heading, what it means, and columns: heading and field.
COLUMNS = {
    "tests": ("Tests under every tool", """\
The whole test suite under each sanitizer (address: with undefined as well; memcheck: a part) and with the runtime's own
checks of its locks and lists, by each compiler, and as aarch64 in an emulator. Skipped is what cannot be had under a
tool; each such test says why. `make nightly`.""",
              [("tests", "name"), ("passed", "count"), ("failed", "found"), ("skipped", "skipped"),
               ("seconds", "seconds")]),
    "faults": ("Faults survived", """\
Each call that the runtime makes to the kernel, the C library and hwloc is made to fail: at each place in the code
that the program under test comes to (a site: the call and its caller), with each error that it can have, at the first
call there, at a later one and at all of them; and many at random. That program uses everything
(tests/fault/everything.c), on one and two workers, on paged stacks, with cold stacks packed and with everything
observed. It has to end with right sums and nothing left over, to be told by the interface that something was refused,
or to end with one line that says what is missing. A call that the list of calls does not have fails the test. `make
check-faults`, tests/fault/sweep.py.""",
               [("sweep", "name"), ("faults", "count"), ("sites", "sites"), ("calls", "calls"),
                ("calls that failed", "injected"), ("survived", "survived"), ("of these with a refusal", "refused"),
                ("ended with a line", "fatal"), ("findings", "found")]),
    "models": ("Interleavings gone through", """\
The protocols between threads, as models that spin goes through state by state, and mutants of them: each leaves out a
step that the protocol counts on, and must be caught. `make check-model`, tests/model/README.md.""",
               [("models", "name"), ("states", "count"), ("configurations", "configs"), ("mutants made", "mutants"),
                ("mutants caught", "caught"), ("findings", "found")]),
    "fuzz": ("Inputs tried", """\
What random bytes become: programs of tasks, channels, selects, closes and timeouts (api), networks of channels whose
outcome a sequential model knows (net), environment strings (env), result files and lines of the protocol between the
suite and its contenders (results). tests/fuzz.""",
             [("target", "name"), ("inputs", "count"), ("seconds", "seconds"), ("corpus", "corpus"),
              ("findings", "found")]),
    "soak": ("Endurance", """\
One process does everything at once: storms of tasks, deep recursion, select, timers, sockets opened and closed, pinned
tasks, fork and exec, signals at 10 kHz, and a changing number of workers. Sums must come out exactly; resident memory
and descriptors must not grow from minute to minute. A task sleeps for 1 ms over and over beside all that. How late it
came back, other processes of the machine included, is not judged: while the largest storm lasts, and at other times;
how late 99 of a hundred sleeps were at most, to the next power of two, and the latest. In a storm all tasks are parked
in one channel, which is then closed: a call that readies a million tasks keeps its worker for 0.1 s. tests/soak.""",
             [("run", "name"), ("operations", "count"), ("seconds", "seconds"), ("most tasks at once", "tasks"),
              ("processes", "processes"), ("signals", "signals"), ("late, 99 %, ms", "late99_ms"),
              ("the latest", "latest_ms"), ("in storms, 99 %", "storm_late99_ms"), ("the latest", "storm_latest_ms"),
              ("growth, KiB a minute", "growth_kib"), ("findings", "found")]),
}


def commit():
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--", "runtime", "tests")
    return git("rev-parse", "--short", "HEAD") + ("-changed" if changed else "")


def append(record, path=None):
    """One line more; gives where."""
    for field, kind in NEEDED.items():
        if not isinstance(record.get(field), kind):
            sys.exit(f"reliability.py: {field}={record.get(field)!r}: a line needs kind, name, and numbers count and "
                     "found")
    record = {**record, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit()}
    path = Path(path) if path else FOLDER / f"{record['kind']}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return path


def read_newest():
    """The last line of each kind and name, by kind."""
    newest = {}
    for path in sorted(FOLDER.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                name = record["kind"], record["name"]
            except (ValueError, KeyError, TypeError):
                sys.exit(f"{path}:{number}: not a JSON object with kind and name: mend or remove the line")
            newest[name] = record
    by_kind = {}
    for (kind, _), record in sorted(newest.items()):
        by_kind.setdefault(kind, []).append(record)
    return by_kind


def cell(value):
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}"
    return f"{int(value):,}" if isinstance(value, (int, float)) else "–" if value is None else str(value)


def table(columns, records):
    lines = ["| " + " | ".join(heading for heading, _ in columns) + " |",
             "| --- |" + " ---: |" * (len(columns) - 1)]
    for record in records:
        lines.append("| " + " | ".join(cell(record.get(field)) for _, field in columns) + " |")
    return lines


def page(by_kind):
    lines = ["# Reliability", "",
             "What was tried to break the runtime, and what is left of it: generated by `make reliability` from",
             "`results/reliability/`, into which `make nightly` writes. A finding is anything that should not be: a",
             "hang, a crash, a wrong sum, a leak, a line that does not say what is missing.", ""]
    found = sum(record["found"] for records in by_kind.values() for record in records)
    lines += [f"Findings open in the runs below: **{cell(found)}**.", ""]
    for kind in [*COLUMNS, *(kind for kind in by_kind if kind not in COLUMNS)]:
        records = by_kind.get(kind, [])
        heading, text, columns = COLUMNS.get(kind, (kind.capitalize(), "", [("run", "name"), ("count", "count"),
                                                                             ("findings", "found")]))
        lines += [f"## {heading}", ""] + ([*text.splitlines(), ""] if text else [])
        lines += table([*columns, ("of", "commit")], records) if records else ["No run is recorded."]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def main():
    words = sys.argv[1:]
    if words and words[0] == "add":
        wrong = [word for word in words[1:] if "=" not in word]
        if wrong or not words[1:]:
            sys.exit(f"reliability.py: '{' '.join(wrong)}': expected FIELD=VALUE ...")
        record = {field: number(value) for field, _, value in (word.partition("=") for word in words[1:])}
        print(f"added to {append({**record, 'name': str(record.get('name', ''))}).relative_to(ROOT)}")
        return 0
    if words not in ([], ["--check"]):
        sys.exit(__doc__)
    text = page(read_newest())
    if words:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
