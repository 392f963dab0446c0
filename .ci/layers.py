#!/usr/bin/env python3
"""layers.py: checks the reading rule from #include lines: a folder includes only what is to its left.

usage: .ci/layers.py [--self-test]

    base <- os <- arch <- thunks, stack <- sched <- sync <- io <- lib <- debug  runtime; any may include public headers
    base, os, arch <- baselines                                 contenders share the switch, never the scheduler
    benches/workload.h <- baselines/peers                       for one that cannot run the suite's own units
    public header, baselines/{contender,baselines}.h <- benches and arch/ctx.h, for the raw switch as a bound
    public headers <- examples                                  which themselves include libc's and each other
    everything <- tests
The kernel's doors (sys/mman.h, linux/futex.h, sys/epoll.h) are opened by runtime/os alone within the runtime.
"""
import re
import sys
import tempfile
from pathlib import Path

ORDER = ["base", "os", "arch", "thunks", "stack", "sched", "sync", "io", "lib", "debug"]
PUBLIC = re.compile(r"runtime/include/gossamer(/\w+)?\.h")
OS_ONLY = {"sys/mman.h", "linux/futex.h", "sys/epoll.h"}
LIBC = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "sys/types.h", "time.h"}  # what an interface may need
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = (".c", ".h", ".S", ".cc")
SEARCH = ["runtime", "runtime/include", "."]  # as the Makefile's -I


def resolve(root, source, quote, name):
    """The file of this tree that an include line names, relative to root; None when it is a system header."""
    folders = ([source.parent] if quote == '"' else []) + [root / s for s in SEARCH]
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).resolve().relative_to(root.resolve()).as_posix()
    return None


def runtime_layer(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "runtime" and len(parts) > 2 else None


def judge_runtime(source, target):
    layer, other = runtime_layer(source), runtime_layer(target)
    if layer == "include":
        return None if PUBLIC.fullmatch(target) else "public headers include libc's and each other only"
    if layer not in ORDER:
        return f"folder {layer} has no place in the order {' <- '.join(ORDER)}"
    if PUBLIC.fullmatch(target) or (other in ORDER and ORDER.index(other) <= ORDER.index(layer)):
        return None
    return f"{layer} may include only {', '.join(ORDER[:ORDER.index(layer) + 1])} and the public header"


def judge_baselines(source, target):
    if source.startswith("baselines/peers/") and target == "benches/workload.h":
        return None
    if target.startswith("baselines/") or runtime_layer(target) in ("base", "os", "arch"):
        return None
    return "baselines may include only themselves, base, os and arch"


def judge_benches(_, target):
    allowed = ("baselines/contender.h", "baselines/baselines.h", "runtime/arch/ctx.h")
    if target.startswith("benches/") or PUBLIC.fullmatch(target) or target in allowed:
        return None
    return f"benches may include only themselves, public headers and {', '.join(allowed)}"


def judge_examples(_, target):
    return None if PUBLIC.fullmatch(target) else "examples may include only public headers"


JUDGES = {"runtime": judge_runtime, "baselines": judge_baselines, "benches": judge_benches,
          "examples": judge_examples}


def judge(root, source, quote, name):
    """Why this include line breaks the rule, or None."""
    relative = source.relative_to(root).as_posix()
    target = resolve(root, source, quote, name)
    if target is not None:
        return JUDGES[relative.split("/")[0]](relative, target)
    if name in OS_ONLY and relative.startswith("runtime/") and runtime_layer(relative) != "os":
        return "only runtime/os opens the kernel's doors"
    if runtime_layer(relative) == "include" and (quote == '"' or name not in LIBC):
        return "public headers include libc's and each other only"
    if quote == '"':
        return "no such file in the tree"
    return None


def violations(root):
    found = []
    for top in JUDGES:
        for source in sorted(p for p in (root / top).rglob("*") if p.suffix in SOURCES):
            for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
                match = INCLUDE.match(line)
                why = judge(root, source, match[1], match[2]) if match else None
                if why:
                    found.append(f"{source.relative_to(root)}:{number}: includes {match[2]}: {why}")
    return found


# ---- self-test: a clean tree passes, each planted line is found

CLEAN = {
    "runtime/include/gossamer.h": "#include <stddef.h>\n",
    "runtime/base/list.h": "",
    "runtime/os/os.h": '#include <sys/mman.h>\n#include "base/list.h"\n',
    "runtime/arch/ctx.h": "",
    "runtime/sched/task.h": '#include "task_state.h"\n#include "arch/ctx.h"\n',
    "runtime/sched/task_state.h": "#include <gossamer.h>\n",
    "baselines/contender.h": "#include <pthread.h>\n",
    "baselines/fixed.c": '#include "contender.h"\n#include "os/os.h"\n',
    "benches/main.c": '#include "baselines/contender.h"\n#include "arch/ctx.h"\n#include <hwloc.h>\n',
    "examples/01.c": "#include <gossamer.h>\n#include <stdio.h>\n",
    "tests/unit/test_task.c": '#include "sched/task.h"\n',
}
PLANTED = [
    ("runtime/base/list.c", '#include "os/os.h"'),
    ("runtime/arch/ctx.c", '#include "sched/task.h"'),
    ("runtime/arch/x.S", '#  include "../sched/task.h"'),
    ("runtime/sched/task.c", '#include "baselines/contender.h"'),
    ("runtime/sched/task.c", "#include <sys/epoll.h>"),
    ("runtime/stack/pool.c", "#include <sys/mman.h>"),
    ("runtime/sync/chan.c", '#include "sync/absent.h"'),
    ("runtime/extra/x.c", '#include "base/list.h"'),
    ("runtime/include/other.h", "#include <hwloc.h>"),
    ("runtime/include/other.h", '#include "base/list.h"'),
    ("baselines/fixed2.c", '#include "sched/task.h"'),
    ("baselines/fixed2.c", "#include <gossamer.h>"),
    ("benches/bench.c", '#include "os/os.h"'),
    ("benches/bench.c", '#include "baselines/fixed.c"'),
    ("examples/02.c", '#include "base/list.h"'),
]


def self_test():
    missed = []
    for path, line in [("", "")] + PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in list(CLEAN.items()) + ([(path, line + "\n")] if path else []):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            found = violations(root)
            if [f.split(":")[0] for f in found] != ([path] if path else []):
                missed.append(f"self-test: planted '{line}' in '{path}', found {found}")
    return missed


def main():
    if sys.argv[1:] not in ([], ["--self-test"]):
        print(f"layers.py: unknown argument '{' '.join(sys.argv[1:])}': use none or --self-test", file=sys.stderr)
        return 2
    found = self_test() if sys.argv[1:] else violations(Path(__file__).resolve().parent.parent)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
