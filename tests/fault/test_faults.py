#!/usr/bin/env python3
# A draw of the sites at which the runtime calls the kernel, the C library or hwloc: each call fails once or always, and
# the program ends right, or is told, or ends with one line. `make check-faults` tries them all.
# timeout: 300
# arch: x86_64 (built for it alone)
# not-with: address (its own calls are among the runtime's)
# not-with: undefined (its own calls are among the runtime's)
# not-with: thread (its own calls are among the runtime's)
import os
import subprocess
import sys
from pathlib import Path

build = Path(os.environ["BUILD"])
if not (build / "fault/everything").exists():
    print("skipped: built for x86-64 alone")
    sys.exit(77)
here = Path(__file__).resolve().parent
sys.exit(subprocess.run([sys.executable, here / "sweep.py", "--program", build / "fault/everything", "--objects",
                         build / "runtime", "--short", "--share", "0.15", "--random", "10", "--seed",
                         str(int(os.environ["SEED"], 0))]).returncode)
