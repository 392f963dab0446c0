#!/usr/bin/env python3
# A few seconds of what `make soak` does for ten minutes.
# timeout: 120
# not-with: emulator (it would be the emulator that is soaked)
# not-with: address thread (nurseries only)
import os
import subprocess
import sys
from pathlib import Path

program = Path(os.environ["BUILD"]) / "tests/soak/soak"
here = Path(__file__).resolve().parent
sys.exit(subprocess.run([sys.executable, here / "soak.py", "--program", program, "--seconds", "5",
                         "--period", "1", "--tasks", "100000", "--seed", str(int(os.environ["SEED"], 0))]).returncode)
