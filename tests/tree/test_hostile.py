#!/usr/bin/env python3
# Each row of docs/HOSTILE.md names a test that is there, and each program of tests/hostile is named.
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
page = (ROOT / "docs/HOSTILE.md").read_text(encoding="utf-8")
rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")][1:]
failures = [] if len(rows) > 20 else [f"only {len(rows)} rows were found"]
for row in rows:
    named = re.findall(r"tests/\S+?\.(?:cc|c|sh|py)\b", row[-1])
    failures += [f"a row without a test: {row[0].strip()}"] if len(row) != 3 or not named else []
    failures += [f"docs/HOSTILE.md names {name}, which is not there" for name in named if not (ROOT / name).is_file()]
failures += [f"docs/HOSTILE.md does not name {path.relative_to(ROOT)}"
             for path in (ROOT / "tests/hostile").glob("test_*") if str(path.relative_to(ROOT)) not in page]
print("\n".join(failures))
sys.exit(1 if failures else 0)
