#!/usr/bin/env python3
"""run.py: runs every built test and example and counts.

usage: tests/run.py --build FOLDER [--only PART] [--timeout SECONDS]

A test is tests/*/test_*.c or .cc (built as FOLDER/tests/*/test_*), or a script test_*.py or test_*.sh. It passes by
exit 0 and is skipped by exit 77. An example is examples/*.c and must also print what its source expects. Lines of a
source say what else it wants:
    // timeout: 120              seconds (default 60); then the whole process group is killed
    // expect-exit: 2            it passes by this exit status
    // expect-signal: SIGSEGV    it passes by dying from this signal
    // expect-stderr: regex      and its error output has a match; may be repeated
    // expect: line              the next line of standard output; may follow the statement that prints it
    // env: NAME=VALUE           may be repeated
    // argv: a b                 arguments
    // also: paged               run a second time with GOS_DEBUG=paged, where that is not how all tasks run
    // not-with: address (why)   skipped in builds with these: address, undefined, thread; paged: where no task's stack
                                 grows (the first and last of these, and processors other than x86_64); emulator
    // arch: x86_64 (why)        skipped in builds for other processors
    // build: plain              compiled without stack checks (read by the Makefile)
Scripts use # in place of //. Environment: SEED replays a run that printed it; ARCH: the processor that the build is
for; EMULATOR: a command that runs programs for it, which have four times as long then.
"""
import argparse
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
KEYS = ("timeout", "expect-exit", "expect-signal", "expect-stderr", "expect", "env", "argv", "also", "build",
        "not-with", "arch")
DIRECTIVE = re.compile(r"(?:^|\s)(?://|#) ?([a-z-]+):(?: (.*))?$")
SKIP = 77
TAIL = 60  # lines shown of a failure's output


class Test:
    """One program or script, and what its source asks for."""

    def __init__(self, source, build, paged=False):
        self.source = source
        self.asked = read_directives(source)
        relative = source.relative_to(ROOT)
        if source.suffix in (".c", ".cc"):
            self.command = [str((build / relative).with_suffix(""))]
        else:
            self.command = [sys.executable if source.suffix == ".py" else "sh", str(source)]
        self.command += shlex.split(" ".join(self.asked.get("argv", [])))
        self.paged = paged
        self.name = str(relative.with_suffix("") if source.suffix in (".c", ".cc") else relative)
        self.name = self.name.removeprefix("tests/") + (" (paged)" if paged else "")

    def last(self, key, default=None):
        return self.asked.get(key, [default])[-1]

    def environment(self, base):
        env = dict(base)
        for setting in self.asked.get("env", []):
            name, _, value = setting.partition("=")
            env[name] = value
        if self.paged:
            env["GOS_DEBUG"] = ",".join(filter(None, [env.get("GOS_DEBUG"), "paged"]))
        return env


def read_directives(source):
    asked = {}
    for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
        match = DIRECTIVE.search(line)
        if match and match[1] in KEYS:
            asked.setdefault(match[1], []).append(match[2] or "")
        elif match and match[1].startswith("expect"):
            sys.exit(f"{source}:{number}: unknown '{match[1]}:'; known are {', '.join(KEYS)}")
    return asked


def all_paged(env):
    """Whether every task of this build has a paged stack."""
    return env.get("SAN") in ("address", "thread") or env.get("ARCH", "x86_64") != "x86_64"


def find_tests(build, only):
    sources = [s for kind in ("c", "cc", "py", "sh") for s in ROOT.glob(f"tests/*/test_*.{kind}")]
    sources = sorted(sources) + sorted(ROOT.glob("examples/*.c"))
    tests = []
    for source in sources:
        tests.append(Test(source, build))
        if "paged" in tests[-1].asked.get("also", []) and not all_paged(os.environ):
            tests.append(Test(source, build, paged=True))
    return [t for t in tests if only in t.name]


def execute(test, env, timeout):
    """Runs it in a process group of its own; gives its status (None: timed out), standard and error output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = test.command if not env.get("EMULATOR") else shlex.split(env["EMULATOR"]) + test.command
        # Whoever ends this program between fork and `try` would leave the test running.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        child = subprocess.Popen(command, cwd=ROOT, env=test.environment(env), stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=err, start_new_session=True,
                                 preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)  # the test itself, or what it left behind
            except ProcessLookupError:
                pass
            child.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return status, texts[0], texts[1]


def describe(status):
    if status is None:
        return "no end"
    return signal.Signals(-status).name if status < 0 else f"exit {status}"


def verdict(test, status, out, err, timeout):
    """None when it passed, else why it failed."""
    if status is None:
        return f"killed after {timeout:g} s"
    wanted = f"exit {int(test.last('expect-exit', 0))}"
    if "expect-signal" in test.asked:
        wanted = test.last("expect-signal")
    if describe(status) != wanted:
        return f"ended by {describe(status)}, not {wanted}"
    for regex in test.asked.get("expect-stderr", []):
        if not re.search(regex, err, re.MULTILINE):
            return f"error output has no match for: {regex}"
    if "expect" in test.asked:
        return compare(test.asked["expect"], out.splitlines())
    return None


def compare(wanted, got):
    for number, (a, b) in enumerate(zip(wanted, got), 1):
        if a.rstrip() != b.rstrip():
            return f"line {number} of standard output is '{b}', not '{a}'"
    if len(wanted) != len(got):
        return f"{len(got)} lines of standard output, not {len(wanted)}"
    return None


def unsuited(test, env):
    """Why it cannot run in this build; None: it can."""
    for asked in test.asked.get("arch", []):
        if env.get("ARCH") and env["ARCH"] not in asked.split("(")[0].split():
            return asked.partition("(")[2].rstrip(")")
    kinds = {env.get("SAN")}
    if all_paged(env):
        kinds.add("paged")
    if env.get("EMULATOR"):
        kinds.add("emulator")
    for asked in test.asked.get("not-with", []):
        if kinds & set(asked.split("(")[0].split()):
            return asked.partition("(")[2].rstrip(")")
    if env.get("EMULATOR") and test.source.suffix not in (".c", ".cc"):
        return "a script of the machine that builds"
    return None


def run_one(test, env, default_timeout):
    """Gives ('passed' or 'failed' or 'skipped', why, output)."""
    if why := unsuited(test, env):
        return "skipped", why, ""
    if not shutil.which(test.command[0]):
        return "failed", f"{test.command[0]} was not built", ""
    timeout = float(test.last("timeout", default_timeout)) * (4 if env.get("SAN") or env.get("EMULATOR") else 1)
    status, out, err = execute(test, env, timeout)
    if status == SKIP and test.last("expect-exit") != str(SKIP):
        lines = (out + err).strip().splitlines()
        return "skipped", lines[-1].removeprefix("skipped: ") if lines else "", ""
    why = verdict(test, status, out, err, timeout)
    return ("failed", why, out + err) if why else ("passed", "", "")


def report_failure(test, why, output, seed):
    print(f"     {why}")
    lines = output.splitlines()
    if len(lines) > TAIL:
        print(f"     | ({len(lines) - TAIL} lines left out)")
    for line in lines[-TAIL:]:
        print(f"     | {line}")
    print(f"     again: make check SEED={seed} ONLY='{test.name}'")


def summary(count):
    line = f"{count['passed']} passed, {count['failed']} failed"
    return line + (f", {count['skipped']} skipped" if count["skipped"] else "")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Runs every built test and example.")
    parser.add_argument("--build", required=True, help="folder the Makefile built into")
    parser.add_argument("--only", default="", help="only tests whose name contains this")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a test that asks for none")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))    # by way of execute(), which ends the test
    # A shell's background job ignores these two, and so would the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    options = parse_arguments()
    build = Path(options.build).resolve()
    tests = find_tests(build, options.only)
    if not tests:
        print(f"run.py: no test's name contains '{options.only}'", file=sys.stderr)
        return 2
    seed = os.environ.get("SEED") or str(random.randrange(1, 1 << 32))
    if not re.fullmatch(r"[0-9]+|0x[0-9a-fA-F]+", seed):
        print(f"run.py: SEED='{seed}' is not a number", file=sys.stderr)
        return 2
    # Tests see no make above them, and leave no core files.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    env.update(SEED=seed, BUILD=str(build), PYTHONDONTWRITEBYTECODE="1")
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    print(f"{len(tests)} tests, seed {seed}", flush=True)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    failed = []
    for number, test in enumerate(tests, 1):
        start = time.monotonic()
        try:
            result, why, output = run_one(test, env, options.timeout)
        except KeyboardInterrupt:
            print(f"interrupted in {test.name}\n{summary(count)}")
            return 130
        took = time.monotonic() - start
        count[result] += 1
        word = {"passed": "ok", "failed": "FAIL", "skipped": "skip"}[result]
        note = f"  ({why})" if result == "skipped" and why else ""
        print(f"[{number:{len(str(len(tests)))}}/{len(tests)}] {word:4} {test.name}  {took:.2f} s{note}", flush=True)
        if result == "failed":
            failed.append(test.name)
            report_failure(test, why, output, seed)
    if failed:
        print("failed: " + ", ".join(failed))
    print(summary(count))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
