#!/usr/bin/env python3
# What the docs quote is what the sources say, every example is quoted or named, each public function has a manual page
# that formats without a warning (where groff is installed), functions that pages name are where they say, what the
# runtime may say at its end stands in the table of messages, and nothing public is an identity: no ID, no name, no
# handle of a task, no task-local.
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted((ROOT / "runtime/include").glob("*.h")) + sorted((ROOT / "runtime/include/gossamer").glob("*.h"))
QUOTE = re.compile(r"^<!-- quote: (\S+) -->\n```c\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The formats of all lines that the runtime writes, and those that the rest of docs/DEBUGGING.md explains.
MESSAGE = re.compile(r'gos__(?:die|fatal|warn)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
ELSEWHERE = ("stats: ", "sched %", "backtrace of ", "%d frames not shown", "fault at ", "sp=")
IDENTITY = re.compile(r"_(?:self|id|tid|name|current|local|key|specific|tls|join|detach|kill)(?:_|$)")
failures = []


def check(truth, what):
    if not truth:
        failures.append(what)


def quotes():
    tutorial = (ROOT / "docs/TUTORIAL.md").read_text()
    found = QUOTE.findall(tutorial)
    check(len(found) == tutorial.count("```c\n") > 10, "each block of C in docs/TUTORIAL.md is marked as a quote")
    for source, text in found:
        # A line of dots stands for what is left out.
        parts = [part.strip("\n") for part in re.split(r"^ *\.\.\.\n", text, flags=re.MULTILINE)]
        place = 0
        lines = re.sub(r" *// expect: .*", "", (ROOT / source).read_text())
        for part in parts:
            at = lines.find(part, place)
            check(at >= 0, f"docs/TUTORIAL.md quotes what {source} does not say:\n{part}")
            place = max(place, at)
    for example in sorted((ROOT / "examples").glob("*.c")):
        check(f"examples/{example.name}" in tutorial, f"docs/TUTORIAL.md does not name {example.name}")


def public_names(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"\bgos_\w+(?= *\()", text)) - set(re.findall(r"\bgos__\w+", text)), text


def manual():
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "man3"
        command = [sys.executable, ROOT / "scripts/man.py", "--version", "test", "--out", pages, *HEADERS]
        subprocess.run(command, check=True)
        names = set().union(*(public_names(h.read_text())[0] for h in HEADERS))
        check(len(names) > 60, f"only {len(names)} public functions were found")
        for name in sorted(names):
            check((pages / f"{name}.3").is_file(), f"{name} has no manual page")
        for page in sorted(pages.iterdir()):
            text = page.read_text()
            if text.startswith(".so "):
                check((Path(folder) / text.split()[1]).is_file(), f"{page.name} points nowhere: {text}")
                continue
            if not shutil.which("groff"):
                continue   # what formats it is the reader's
            said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True)
            check(said.returncode == 0 and not said.stderr, f"{page.name}: {said.stderr}")
            for name in [n for n in names if re.search(rf"^\.BR .*\b{n} \(\)", text, re.MULTILINE)]:
                check(name in said.stdout, f"{name} is lost in {page.name}")


def places():
    """What pages name as `file.c:function` is in a file of that name."""
    texts = {f"/{path}": path.read_text() for path in (ROOT / "runtime").rglob("*.[chS]")}
    found = 0
    pages = [page for where in ("*.md", "docs/**/*.md", "*/README.md", "*/*/README.md") for page in ROOT.glob(where)]
    for page in pages:
        for name, function in re.findall(r"([\w/]+\.[chS]):([A-Za-z_]\w*)", page.read_text()):
            found += 1
            named = [text for path, text in texts.items() if path.endswith(f"/{name}")]
            check(any(re.search(rf"\b{function}\b", text) for text in named),
                  f"{page.relative_to(ROOT)}: there is no {name}:{function}")
    check(found > 80, f"only {found} functions are named")


def letters(text):
    return re.sub(r"[^a-z]+", " ", text.lower()).strip()


def is_said(shown, line):
    """Whether all words of a message in the table, but for what stands for something else, are in a line in order."""
    parts = [letters(part) for part in re.split(r"\.\.\.|\b(?:N|M|P|A|B|X|FILE|NAME|LINE)\b", shown)]
    place = 0
    for part in filter(None, parts):
        place = line.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return len("".join(parts)) > 10


def messages():
    text = (ROOT / "docs/DEBUGGING.md").read_text()
    table = re.findall(r"`([^`]*)`", text[text.index("## Messages"):text.index("## gdb")])
    found = 0
    for source in sorted((ROOT / "runtime").rglob("*.[ch]")):
        for literals in MESSAGE.findall(source.read_text()):
            line = re.sub(r'"\s*"', "", literals.strip())[1:-1]
            if line.startswith(ELSEWHERE):
                continue
            found += 1
            words = letters(re.sub(r"%[-.*\d]*(?:ll|l|z)?[a-zA-Z%]", " ", line))
            check(any(is_said(shown, words) for shown in table),
                  f"{source.relative_to(ROOT)}: docs/DEBUGGING.md has no row for: {line}")
    check(found > 40, f"only {found} messages were found")


def anonymity():
    for header in HEADERS:
        names, code = public_names(header.read_text())
        words = re.findall(r"\bgos_\w+", code)
        for word in words:
            check(not IDENTITY.search(word), f"{header.name}: {word} looks like an identity")
        check(not re.search(r"\bgos_task\b|_Thread_local|thread_local|__thread", code), f"{header.name}: a task handle")
    check(re.search(r"^int gos_go\(", (ROOT / "runtime/include/gossamer.h").read_text(), re.MULTILINE),
          "gos_go gives more than a result")


quotes()
manual()
places()
messages()
anonymity()
print("\n".join(failures))
sys.exit(1 if failures else 0)
