#!/usr/bin/env python3
# timeout: 120
"""Inputs that fuzzing found worth keeping (tests/fuzz/corpus/NAME, by scripts/fuzz.py --keep) break no promise now."""
import os
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "fuzz/corpus"
BUILD = Path(os.environ["BUILD"])

failed = 0
for folder in sorted(CORPUS.iterdir()):
    files = sorted(folder.iterdir())
    done = subprocess.run([BUILD / f"tests/fuzz/test_{folder.name}", *files], capture_output=True, text=True,
                          check=False, errors="replace")
    count = int(done.stdout.split()[0]) if done.stdout else 0
    is_right = done.returncode == 0 and count == len(files) > 0
    print(f"{'ok  ' if is_right else 'FAIL'} {folder.name}: {count} of {len(files)} inputs" +
          ("" if is_right else f"\n{done.stderr}"))
    failed += not is_right
sys.exit(1 if failed else 0)
