#!/usr/bin/env python3
"""Traces are what the format says, and what the program did: counts, order, arrows; whole after every kind of end."""
# timeout: 120
# not-with: address thread (their builds record, but their reports and stacks are others)
# (one of the ends is SIGSEGV, which clang's library would make an exit of)
# env: UBSAN_OPTIONS=handle_segv=0
import collections
import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(os.environ["BUILD"]) / "tests/debug/test_trace_program"
SLEEPERS, SLEEPS, RECEIVERS = 40, 5, 30
KEYS = {"B": {"name"}, "E": {"args"}, "i": {"name", "s"}, "s": {"id", "cat", "name"}, "f": {"id", "cat", "name", "bp"}}


def fail(text):
    sys.exit(f"test_trace: {text}")


def check(holds, text):
    if not holds:
        fail(text)


def run(arguments, debug, procs=1, status=0):
    environment = dict(os.environ, GOS_PROCS=str(procs))
    environment.pop("GOS_DEBUG", None)
    if debug:
        environment["GOS_DEBUG"] = debug
    done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=100)
    check(done.returncode == status,
          f"{arguments} {debug}: exit {done.returncode}, not {status}: {done.stderr[-2000:]}")
    return done


class Trace:
    """A file that keeps to the format; what it holds, counted."""

    def __init__(self, path):
        whole = json.loads(Path(path).read_text())
        check(whole["displayTimeUnit"] == "ns", "times are not said to be nanoseconds")
        self.events = whole["traceEvents"]
        self.slices, self.instants, self.parks, self.thens = (collections.Counter() for _ in range(4))
        self.gaps = []
        self.check_order()
        self.check_arrows()

    def check_order(self):
        last, slices = {}, collections.defaultdict(list)
        for event in self.events:
            phase, track = event["ph"], event["tid"]
            if phase == "M":
                check(event["name"] in ("process_name", "thread_name"), f"unknown metadata {event}")
                continue
            check(phase in KEYS and KEYS[phase] <= event.keys(), f"not of the format: {event}")
            check(event["ts"] >= last.get(track, 0), f"time goes back: {event}")
            last[track] = event["ts"]
            if phase == "B":
                check(not slices[track], f"a slice in a slice of one worker: {event}")
                slices[track].append(event)
                self.slices[event["name"]] += 1
            elif phase == "E":
                check(slices[track], f"an end without a beginning: {event}")
                self.note_end(slices[track].pop(), event["args"])
            elif phase == "i":
                self.instants[event["name"]] += 1
            else:
                check(slices[track], f"an arrow outside of a slice: {event}")
        check(not any(slices.values()), "a slice without an end")

    def note_end(self, begun, args):
        if begun["name"] == "not traced":
            self.gaps.append(args)
        if "then" in args:
            self.thens[begun["name"], args["then"]] += 1
        if args.get("then") == "parks":
            self.parks[begun["name"], args["why"]] += 1

    def check_arrows(self):
        begun = {}
        for event in self.events:
            if event["ph"] == "s":
                check(re.fullmatch("0x[0-9a-f]{1,16}", event["id"]), f"not a number of 64 bits: {event}")
                check(event["id"] not in begun, f"an arrow twice: {event}")
                begun[event["id"]] = event["ts"]
        self.arrows = len(begun)
        for event in self.events:
            if event["ph"] == "f":
                check(event["id"] in begun, f"an arrow from nowhere: {event}")
                check(begun.pop(event["id"]) <= event["ts"], f"an arrow back in time: {event}")
        self.open_arrows = len(begun)


def numbers(text):
    words = text.split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


def check_all(trace, said, procs, runs=1):
    check(not trace.gaps and "lost" not in trace.instants, f"gaps in a program that does little: {trace.gaps}")
    expected = {("sleeper", "sleep"): runs * SLEEPERS * SLEEPS}
    if procs == 1:  # the child runs first and waits for its element
        expected["receiver", "chan receive"] = runs * RECEIVERS
    for key, count in expected.items():
        check(trace.parks[key] == count, f"{trace.parks[key]} parks of {key}, not {count}: {trace.parks}")
    for name, count in (("sleeper", SLEEPERS), ("receiver", RECEIVERS), ("spinner", said["spinners"]), ("fires", 1)):
        count *= runs if name != "spinner" or runs == 1 else 0
        ended = trace.thens[name, "ends"]
        check(ended == count or not count, f"{ended} ends of {name}, not {count}")
    starts = sum(count for name, count in trace.instants.items() if name.startswith("start "))
    check(runs > 1 or starts == said["started"] - 1, f"{starts} starts, not {said['started']} less main")
    check(trace.instants["timer fires"] == runs, "no timer")
    check(trace.open_arrows == 0, f"{trace.open_arrows} of {trace.arrows} arrows lead nowhere")
    check(trace.arrows >= runs * (SLEEPERS * SLEEPS + RECEIVERS), f"{trace.arrows} arrows")
    if runs == 1:
        check(trace.instants["steal"] == said["steals"], f"{trace.instants['steal']} steals, not {said['steals']}")
        check(trace.instants["hand-off"] == said["handoffs"], f"{trace.instants} and {said}")
        grown = trace.instants["grow"] + trace.instants["grow large"]
        check(said["borrows"] <= grown <= said["borrows"] + 5, f"grown {grown} times: {said}")
        check(trace.instants["grow large"] >= 1, "no large region")
        check(said["waits"] >= SLEEPERS * SLEEPS, f"the histogram has {said['waits']}")
    check(said["handoffs"] >= 1 or procs > 1, f"no hand-off: nothing is tested: {said}")


def whole_runs(path):
    for procs in (1, 2):
        said = numbers(run([], f"trace={path}", procs).stdout)
        check_all(Trace(path), said, procs)
        check(procs == 1 or said["steals"] >= 1, "no steal: nothing is tested")
    said = numbers(run(["twice"], f"trace={path}", 1).stdout.splitlines()[-1])
    check_all(Trace(path), said, 1, runs=2)


def hot_run(path):
    said = numbers(run(["hot"], f"trace={path}").stdout)
    trace = Trace(path)
    check(len(trace.gaps) >= 2, f"{said['yields']} switches, and gaps: {trace.gaps}")
    switches = sum(gap["switches"] for gap in trace.gaps if gap) + trace.slices["yielder"]
    # the last gap is open when the run ends, and what it skipped is not told
    check(switches <= said["yields"] + 100, f"{switches} switches of {said['yields']}")
    check(os.path.getsize(path) < 500e6, "too long")


def by_function(path):
    said = run(["api", path], None).stdout.splitlines()
    check(said == [f"outside {-errno.EPERM}", f"stop {-errno.EPERM}", f"bad {-errno.ENOENT}", "start 0",
                   f"again {-errno.EALREADY}", "stop 0"], f"{said}")
    check(Trace(path).parks["sleeper", "sleep"] == 2 * SLEEPS, "the trace that ends with the run")
    done = run(["api", "/dev/full"], None)
    check(f"stop {-errno.ENOSPC}" in done.stdout and done.stderr.count("No space left on device: it ends here") == 1,
          done.stdout + done.stderr)
    said = run([], "trace=/nonexistent/trace", status=2).stderr.splitlines()
    check(said == ["gossamer: GOS_DEBUG: trace=/nonexistent/trace: cannot be written: No such file or directory"], said)


def check_sleeps(trace, what):
    """In a signal's handler functions have no names."""
    slept = sum(count for (_, why), count in trace.parks.items() if why == "sleep")
    check(slept == 2 * SLEEPS, f"{what}: {trace.parks}")


def ends(path):
    for how, status in (("overflow", 2), ("segv", -signal.SIGSEGV), ("misuse", -signal.SIGABRT), ("deadlock", 2),
                        ("exit", 3)):
        run([how], f"trace={path}", status=status)
        check_sleeps(Trace(path), how)
        if how == "exit":
            continue
        done = run([how], "flight", status=status).stderr
        check("the last" in done and "parks [sleep]" in done and "looks for work" in done, f"{how}: {done}")
        os.unlink(path)
        run([how], f"flight={path}", status=status)
        check_sleeps(Trace(path), f"{how}: the flight recorder's file")
        if how == "misuse":
            done = run([how], None, status=status).stderr
            check(len(done.splitlines()) == 1, f"more than one line: {done}")


def nothing_recorded():
    said = numbers(run([], "noflight").stdout)
    check(said["waits"] == 0, f"noflight: {said}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/trace.json"
        whole_runs(path)
        by_function(path)
        ends(path)
        hot_run(path)
        nothing_recorded()


main()
