#!/usr/bin/env python3
"""sweep.py: makes each call that the runtime makes fail, and judges what becomes of the program.

usage: tests/fault/sweep.py --program FILE --objects FOLDER [--short] [--seed N] [--random N] [--jobs N]
                            [--only TEXT] [--share PART] [--results NAME] [--verbose]

The program (everything.c) runs under each fault in turn: a site (a call and its caller), one of the errors that
calls.list has for it, and when: at the first call there, the second, a later one, or at all of them. Then with many
faults at random. What may come of it: exit 0, everything summed up right, what was refused said by the interface, and
nothing held afterwards that is not held without a fault; or exit 2 with one line that says what is missing. Anything
else is a finding: another end, no end, another sum, a leak, and a call that calls.list does not have. Sites that are
seen only under a fault are swept too. --short takes each site once, by a draw, and of the sites the part that --share
says.
"""
import argparse
import collections
import concurrent.futures
import errno
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))
import reliability  # noqa: E402
VARIANTS = {  # what the environment adds
    "two workers": {"GOS_PROCS": "2", "GOS_DEBUG": "stats"},
    "one worker": {"GOS_PROCS": "1", "GOS_DEBUG": "stats"},
    "paged": {"GOS_PROCS": "2", "GOS_DEBUG": "stats,paged"},
    "cold": {"GOS_PROCS": "2", "GOS_DEBUG": "stats,cold=1,trim=1"},
    "observed": {"GOS_PROCS": "2", "GOS_DEBUG": "stats,clear,trim=1,schedtrace=3,contention=/dev/null"},
}
FOR_EVER = 1000000000
OFTEN = 100  # what a call is tried again for ends at some time
AGAIN = (0, errno.EINTR, errno.EAGAIN)
HANG_S = 60
SITE = struct.Struct("32s5I")
HEAD = struct.Struct("4I")
REPORT = re.compile(r"^(faulty|clean): result (-?\d+) refusals (\d+) allocations (-?\d+) mapped (-?\d+) "
                    r"threads (-?\d+) descriptors (\d+) tasks (\d+)$", re.MULTILINE)
# Of GOS_DEBUG=stats: a thread that did not come to the end of the run in time keeps what it holds. That may be the
# machine's doing, if it is busy, so the fault is tried again.
ABANDONED = re.compile(r"abandoned [1-9]")
PATIENCE = 4
# The only ways to give up.
FATAL = re.compile(r"^gossamer: (fatal error|GOS_\w+): .*(no memory|cannot|refuse|failed|no thread|fork)")
OBSERVED = re.compile(r"^gossamer: sched \d+ ms: ")
NEVER = re.compile(r"deadlock|overran|overflow|not locked|bug")

Fault = collections.namedtuple("Fault", "variant name ret0 ret1 first count error")
Run = collections.namedtuple("Run", "status out err sites injected")


def read_calls(path):
    """Names with the errors they may fail with, and the names that cannot fail."""
    can, cannot = {}, set()
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "-":
            cannot.update(words[1:])
        else:
            can[words[0]] = [0 if word == "0" else getattr(errno, word) for word in words[1:]]
    return can, cannot


def unknown_calls(folder, can, cannot):
    """What the runtime's objects take from outside and calls.list does not have."""
    objects = [str(path) for path in Path(folder).rglob("*.o") if "thunks" not in path.parts]
    text = subprocess.run(["nm", *objects], capture_output=True, text=True, check=True).stdout
    wanted, defined = set(), set()
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[-2] in "Uw":
            wanted.add(words[-1])
        elif len(words) == 3:
            defined.add(words[-1])
    known = cannot | {name.partition(".")[0] for name in can}
    own = re.compile(r"gos_|__morestack|__\w+_chk$|__(a|t|ub)san_|_end$")
    return sorted(name for name in wanted - defined - known if not own.match(name))


def read_table(path):
    data = path.read_bytes() if path.exists() else b""
    if len(data) < HEAD.size:
        return {}, 0
    sites = {}
    _, injected, _, lost = HEAD.unpack_from(data)
    if lost:
        sys.exit("sweep.py: more sites than inject.c has room for: raise SITES")
    for at in range(HEAD.size, len(data) - SITE.size + 1, SITE.size):
        name, used, ret0, ret1, calls, _ = SITE.unpack_from(data, at)
        if used == 1:
            site = name.rstrip(b"\0").decode(), ret0, ret1
            sites[site] = max(calls, sites.get(site, 0))
    return sites, injected


def members(group):
    """The processes of a group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                yield stat.parent.name
        except OSError:
            pass  # it has ended


def where_it_hangs(group):
    """Backtraces of all threads, where there is gdb."""
    text = ""
    for pid in members(group):
        command = ["gdb", "-p", pid, "-batch", "-ex", "thread apply all bt 14"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        except FileNotFoundError:
            return "no gdb here\n"
        lines = [line for line in said.splitlines() if re.match(r"Thread|#", line)]
        text += "\n".join([f"process {pid}:", *lines, ""])
    return text


def execute(program, variant, settings):
    """Runs it in a process group of its own."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "out", "w+") as out, \
            open(Path(folder) / "err", "w+") as err:
        table = Path(folder) / "table"
        env = {k: v for k, v in os.environ.items() if not k.startswith("GOS_")}
        env.update(VARIANTS[variant], FAULT_TABLE=str(table), **settings)
        child = subprocess.Popen([program], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 start_new_session=True)
        try:
            status = child.wait(HANG_S)
        except subprocess.TimeoutExpired:
            status = None
            err.write(where_it_hangs(child.pid))
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        sites, injected = read_table(table)
        for file in (out, err):
            file.seek(0)
        return Run(status, out.read(), err.read(), sites, injected)


def said(run):
    """What it wrote of itself, but for schedtrace: another thread may print such a line after the one that says why."""
    return [line for line in run.err.splitlines() if line and not OBSERVED.match(line)]


def judge(run, usual):
    """None, or what is wrong with it. usual: what is held at most without a fault, as in a report."""
    if run.status is None:
        return "no end"
    if run.status == 2:
        lines = said(run)
        if not lines or not FATAL.search(lines[-1]) or NEVER.search(lines[-1]):
            return "exit 2 without a line that says what is missing"
        return None
    if run.status:
        return f"ended by {signal.Signals(-run.status).name if run.status < 0 else f'exit {run.status}'}"
    reports = [tuple(int(word) for word in found.groups()[1:]) for found in REPORT.finditer(run.out)]
    if len(reports) != 3:
        return "no report of the three runs"
    for number, (_, _, *held) in enumerate(reports):
        for what, n, most in zip(("allocations", "mapped", "threads", "descriptors", "tasks"), held, usual):
            if n > most:
                return f"leak after run {number + 1}: {what} {n}, not {most}"
    return None


def held_usually(program, variant, tries, sites):
    """What runs without faults hold when they end; adds to sites how often each is called."""
    most = [0] * 5
    for _ in range(tries):
        run = execute(program, variant, {})
        reports = [[int(word) for word in found.groups()[2:]] for found in REPORT.finditer(run.out)]
        if run.status != 0 or len(reports) != 3:
            sys.exit(f"sweep.py: {variant}: fails without any fault: {run.status}\n{run.out}{run.err}")
        most = [max(column) for column in zip(most, *(report[1:] if len(report) == 6 else report
                                                      for report in reports))]
        for site, calls in run.sites.items():
            sites[site] = max(sites.get(site, 0), calls)
    return most


def name_sites(program, sites):
    """Functions of the two return addresses, for people."""
    text = subprocess.run(["nm", "-n", program], capture_output=True, text=True, check=True).stdout
    symbols = [(int(words[0], 16), words[2]) for words in map(str.split, text.splitlines()) if len(words) == 3]
    base = next(at for at, name in symbols if name == "__executable_start")
    code = [(at - base, name) for at, name in symbols if at > base]

    def function(ret):
        before = [name for at, name in code if at < ret]
        return before[-1] if ret and before else "?"
    return {site: f"{site[0]} in {function(site[1])}, for {function(site[2])}" for site in sites}


class Sweep:
    def __init__(self, options):
        self.options = options
        self.errors, self.cannot = read_calls(HERE / "calls.list")
        self.usual, self.swept, self.findings = {}, {}, []
        self.faults = self.injected = self.fatal = self.refused = 0
        self.lines = collections.Counter()
        self.names = {}
        self.draws = random.Random(options.seed)

    def settings(self, fault):
        return {"FAULT_ONE": f"{fault.name} {fault.ret0:x} {fault.ret1:x} {fault.first} {fault.count} {fault.error}"}

    def label(self, fault):
        site = (fault.name, fault.ret0, fault.ret1)
        if site not in self.names:
            self.names.update(name_sites(self.options.program, [site]))
        when = f"at call {fault.first}" if fault.count == 1 else "always" if fault.count == FOR_EVER else "often"
        error = errno.errorcode.get(fault.error, str(fault.error))
        return f"{self.names[site]}: {error} {when} ({fault.variant})"

    def try_out(self, variant, settings):
        for _ in range(PATIENCE):
            run = execute(self.options.program, variant, settings)
            if not ABANDONED.search(run.err):
                break
        return run

    def take(self, label, variant, run, settings):
        """Counts a run, and notes what is wrong with it."""
        self.faults += 1
        self.injected += run.injected
        why = judge(run, self.usual[variant])
        if run.status == 2 and not why:
            self.fatal += 1
            self.lines[said(run)[-1]] += 1
        elif not why and any(int(found[3]) for found in REPORT.finditer(run.out)):
            self.refused += 1
        if why:
            again = " ".join(f"{k}='{v}'" for k, v in {**VARIANTS[variant], **settings}.items())
            self.findings.append(label)
            print(f"{label}: {why}\n    again: {again} {self.options.program}", flush=True)
            for line in (run.out + run.err).splitlines()[-120:]:
                print(f"    | {line}", flush=True)
        elif self.options.verbose:
            print(f"{label}: exit {run.status}", flush=True)

    def plan(self, variant, sites):
        """The faults of sites that are new. Short: one for each site of all variants."""
        faults = []
        for site, calls in sorted(sites.items()):
            name = site[0]
            if name not in self.errors:
                self.findings.append(name)
                print(f"{name}: a system call that calls.list does not have")
                continue
            key = site if self.options.short else (variant, site)
            if key in self.swept or self.options.only not in name:
                continue
            self.swept[key] = calls
            once = [(n, 1) for n in (2, 3, calls // 2, calls) if 1 < n <= calls]
            all_of_site = [Fault(variant, *site, first, count, error) for error in self.errors[name]
                           for first, count in dict.fromkeys([(1, 1), (1, self.most(name, error)), *once])]
            if not self.options.short:
                faults += all_of_site
            elif self.draws.random() < self.options.share:
                faults.append(self.draws.choice(all_of_site))
        return faults

    @staticmethod
    def most(name, error):
        return OFTEN if error in AGAIN and name.startswith("syscall.") else FOR_EVER

    def sweep(self, variant, pool):
        sites = {}
        self.usual[variant] = held_usually(self.options.program, variant, 3 if self.options.short else 6, sites)
        faults = self.plan(variant, sites)
        while faults:
            print(f"{variant}: {len(faults)} faults, after {self.faults} others", flush=True)
            runs = pool.map(lambda fault: self.try_out(variant, self.settings(fault)), faults)
            found = {}
            for fault, run in zip(faults, runs):
                self.take(self.label(fault), variant, run, self.settings(fault))
                found.update({site: max(n, found.get(site, 0)) for site, n in run.sites.items()})
            faults = [] if self.options.short else self.plan(variant, found)

    def at_random(self, n, pool):
        def one(seed):
            draws = random.Random(seed)
            variant = draws.choice(list(VARIANTS))
            chosen = draws.sample(sorted(self.errors), draws.choice((3, 10, len(self.errors))))
            calls = " ".join(f"{name}:{','.join(map(str, self.errors[name]))}" for name in chosen)
            settings = {"FAULT_RANDOM": f"{seed} {draws.choice((1, 10, 50, 200))} {calls}"}
            return seed, variant, settings, self.try_out(variant, settings)
        print(f"{n} runs with faults at random", flush=True)
        for seed, variant, settings, run in pool.map(one, [self.options.seed + i for i in range(n)]):
            self.take(f"seed {seed} ({variant})", variant, run, settings)

    def result(self):
        sites = {key if self.options.short else key[1] for key in self.swept}
        return {"kind": "faults", "name": self.options.results, "count": self.faults,
                "found": len(self.findings), "sites": len(sites), "calls": len({site[0] for site in sites}),
                "injected": self.injected, "survived": self.faults - self.fatal - len(self.findings),
                "refused": self.refused, "fatal": self.fatal, "seed": self.options.seed}


def parse_arguments():
    parser = argparse.ArgumentParser(description="Makes each call of the runtime fail, and judges the end.")
    parser.add_argument("--program", required=True, help="everything.c, linked with the archive that lets calls fail")
    parser.add_argument("--objects", required=True, help="folder of the runtime's objects")
    parser.add_argument("--short", action="store_true", help="one fault for each site")
    parser.add_argument("--random", type=int, default=0, help="so many runs with faults at random as well")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31), help="of all draws")
    parser.add_argument("--jobs", type=int, default=2, help="programs at once")
    parser.add_argument("--only", default="", help="only calls whose name contains this")
    parser.add_argument("--share", type=float, default=1, help="with --short: the part of the sites to try")
    parser.add_argument("--results", metavar="NAME", help="add to results/reliability (docs/RELIABILITY.md) as this")
    parser.add_argument("--verbose", action="store_true", help="say how each run ended")
    return parser.parse_args()


def main():
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    it = Sweep(options)
    unknown = unknown_calls(options.objects, it.errors, it.cannot)
    if unknown:
        print(f"calls.list lacks {', '.join(unknown)}: put each where it belongs")
        it.findings += unknown
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for variant in VARIANTS:
            it.sweep(variant, pool)
        it.at_random(options.random, pool)
    result = it.result()
    if options.results:
        reliability.append(result)
    for line, n in it.lines.most_common():
        print(f"{n} x {line}")
    print("{count} faults at {sites} sites of {calls} calls, {injected} calls failed: {survived} survived, "
          "{refused} of them with a refusal, {fatal} ended with a line, {found} findings".format(**result))
    print(f"{it.faults - len(it.findings)} passed, {len(it.findings)} failed")
    return 1 if it.findings else 0


if __name__ == "__main__":
    sys.exit(main())
