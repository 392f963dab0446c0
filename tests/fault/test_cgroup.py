#!/usr/bin/env python3
# A memory cgroup's limit is reached: nobody is killed, gos_go says -ENOMEM before that, and all that was started goes
# deep and ends (tests/api/test_limits.c). In a group made for this, and removed; skipped where none can be made.
# not-with: address thread emulator (they need the memory themselves)
import contextlib
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(os.environ["BUILD"]) / "tests/api/test_limits"
LIMIT = 96 << 20
ROOT = Path("/sys/fs/cgroup")


def hierarchies():
    """(folder of our own group, name of the limit) in each hierarchy that may limit memory."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield ROOT / "memory" / group.lstrip("/"), "memory.limit_in_bytes"
        elif not controllers:
            yield ROOT / group.lstrip("/"), "memory.max"


def make_group():
    """A group with the limit; None: none is to be had."""
    for parent, limit in hierarchies():
        group = parent / f"gossamer-test-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT), encoding="ascii")
            return group
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
    return None


def run_in(group):
    done = subprocess.run([PROGRAM, "here"], capture_output=True, text=True, timeout=50, check=False,
                          preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii"))
    peak = group / "memory.max_usage_in_bytes"
    if peak.exists():
        print(f"{int(peak.read_text(encoding='ascii')) >> 20} of {LIMIT >> 20} MiB used")
    print(f"status {done.returncode} {done.stderr}")
    return 0 if (done.returncode, done.stderr) == (0, "") else 1


def main():
    group = make_group()
    if group is None:
        print("skipped: no memory cgroup can be made here")
        return 77
    try:
        return run_in(group)
    finally:
        group.rmdir()


sys.exit(main())
