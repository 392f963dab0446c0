#!/usr/bin/env python3
"""Runs the suite: draws the order, starts one gosbench process for each measurement, keeps the raw rows.

usage: scripts/bench.py --gosbench PATH [--profile quick|default|full] [--seed N] [--out FOLDER]
                        [--only CASE[,CASE]] [--contenders NAME[,NAME]] [--most UNITS]

Writes results/<UTC time>-<host>/ as results/README.md says. Finished rows are on disk at any moment: Ctrl-C keeps them.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_blocking  # noqa: E402  (beside this file)
import bench_env  # noqa: E402
import bench_peers  # noqa: E402
import bench_programs  # noqa: E402
import bench_server  # noqa: E402
import bench_stacks  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = ('memory', 'spawn', 'yield', 'handover', 'check', 'bound', 'depth', 'descent', 'burst', *bench_blocking.CASES,
         'server', *bench_programs.CASES)
CALLGRIND_LOOPS = ('shallow', 'deep', 'deep256', 'fib')

# Who goes to a million units: those that no limit ends before. The others show where they end at 1e5 already.
MILLION = ('gossamer', 'gossamer-fixed', 'fixed-bare', 'go')
# Measured for memory alone: its calls are those of gossamer.
COLD = 'gossamer-cold'
# Programs of other languages, beside gosbench in the build folder: their contenders, cases, and how to install them.
PEERS = {'gobench': {'contenders': ('go', 'go-nogc'),
                     'cases': ('memory', 'spawn', 'yield', 'handover', 'depth', 'descent', 'burst',
                               *bench_blocking.CASES),
                     'install': 'Go is not installed: apt-get install golang-go, then make'},
         'libgcc-split': {'contenders': ('libgcc',), 'cases': ('check',),
                          'install': 'this libgcc has no __morestack: use one for x86-64 Linux, then make'},
         **bench_peers.PEERS}
PEER_OF = {name: program for program, peer in PEERS.items() for name in peer['contenders']}
# Contenders whose unit is a thread of the kernel.
SLOW_SPAWN = ('pthread', 'pthread-min')

# launches: processes for each row, the outer level of repetition; reps: within a process, odd.
PROFILES = {
    'quick': {'memory': [1000, 10000], 'memory_launches': 1, 'spawn': [1000, 10000], 'spawn_slow': [1000],
              'launches': 3, 'reps': 5, 'check_reps': 15, 'cap': 20},
    'default': {'memory': [1000, 10000, 100000], 'memory_million': [1000000], 'memory_launches': 3,
                'spawn': [1000, 10000, 100000], 'spawn_slow': [1000, 10000], 'launches': 9, 'reps': 5,
                'check_reps': 21, 'cap': 60},
    'full': {'memory': [1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000],
             'memory_million': [1000000], 'most': 20000000, 'memory_launches': 5,
             'spawn': [1000, 10000, 100000, 1000000], 'spawn_slow': [1000, 10000, 30000], 'launches': 15, 'reps': 11,
             'check_reps': 51, 'cap': 120},
}


class Job:
    """One process to start: what to measure, and what is known about how long that takes."""

    def __init__(self, case, contender=None, n=0, threads=1, reps=5, series='', depth=None, variant='', seconds=0):
        self.case, self.contender, self.n, self.threads, self.reps = case, contender, n, threads, reps
        self.series = series    # aa-a, aa-b: the same measurement under two names
        self.seconds = seconds    # how long it takes, of the server
        self.depth, self.variant = depth, variant    # of the cases of bench_stacks.py

    def key(self):
        return (self.case, self.contender, self.n, self.threads, self.series, self.depth, self.variant)

    def title(self):
        words = [self.case]
        if self.contender:
            words.append(self.contender)
        if self.n:
            words.append(f'n={self.n}')
        if self.case in ('spawn', 'handover', 'scale'):
            words.append(f'threads={self.threads}')
        if self.depth is not None:
            words.append(f'depth={self.depth}')
        words += [word for word in (self.series, self.variant) if word]
        return ' '.join(words)

    def guess(self):
        """Seconds, before this kind has run once."""
        slow = self.contender in SLOW_SPAWN
        if self.case == 'memory':
            return 0.1 + min(self.n, 33000 if slow else self.n) * (80e-6 if slow else 3e-6)
        if self.case == 'spawn':
            return 0.1 + self.n * (2 * self.reps + 1) * (30e-6 if slow else 0.5e-6)
        if self.depth is not None:
            return bench_stacks.guess(self)
        if self.case in bench_programs.CASES:
            return bench_programs.guess(self)
        if self.case in bench_blocking.CASES:
            return bench_blocking.guess(self)
        if self.case == 'server':
            return bench_server.guess(self)
        return {'callgrind': 6, 'check': 1, 'bound': 0.5}.get(self.case, 0.3)


def fail(message):
    print(f'bench.py: {message}', file=sys.stderr)
    sys.exit(2)


def parse_arguments():
    parser = argparse.ArgumentParser(add_help=True, usage=__doc__.split('usage: ')[1].split('\n\n')[0])
    parser.error = lambda message: fail(f'{message}; see scripts/bench.py --help')
    parser.add_argument('--gosbench')
    parser.add_argument('--profile', default='default')
    parser.add_argument('--seed', type=int, default=None)
    parser.add_argument('--out', default=os.path.join(ROOT, 'results'))
    parser.add_argument('--only', default='')
    parser.add_argument('--contenders', default='')
    parser.add_argument('--most', default='')
    args = parser.parse_args()
    if args.profile not in PROFILES:
        fail(f"PROFILE='{args.profile}' is unknown: use one of {', '.join(PROFILES)}")
    if not args.gosbench:
        fail('--gosbench names the measuring program: run `make bench`, which builds and passes it')
    if not os.access(args.gosbench, os.X_OK) or os.path.isdir(args.gosbench):
        fail(f"'{args.gosbench}' is not a program: run `make` first")
    if args.seed is None:
        args.seed = int.from_bytes(os.urandom(4), 'big')
    args.gosbench = os.path.abspath(args.gosbench)
    args.cases = chosen('--only', args.only, CASES)
    args.most = units_of(args.most) if args.most else PROFILES[args.profile].get('most', 0)
    return args


def units_of(text):
    if not text.isdigit() or not 1 <= int(text) <= 10 ** 9:
        fail(f"MOST='{text}': use a number of parked units, such as 20000000, which takes 16 GiB and a minute")
    return int(text)


def chosen(option, text, allowed):
    """The comma-separated names, each of which must be allowed; all of them when there is no text."""
    names = [name for name in text.split(',') if name] or list(allowed)
    for name in names:
        if name not in allowed:
            fail(f"{option}: '{name}' is unknown: use some of {', '.join(allowed)}")
    return names


def contender_table(gosbench):
    """Name to the number of threads at most (0: any), in the registry's order."""
    done = subprocess.run([gosbench, '--list'], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f'{gosbench} --list ended with {done.returncode}: {done.stderr.strip()}')
    lines = [line.split('\t') for line in done.stdout.splitlines()]
    table = {fields[1]: int(fields[2]) for fields in lines if fields[0] == 'contender'}
    return dict(table, **{name: 0 for name in (*PEER_OF, 'epoll')})


def plan(profile, cases, contenders, cpus, most_units=0):
    """The jobs of each launch round. most_units: gossamer parks so many as well, once."""
    rounds = {}

    def add(launches, *args, **named):
        job = Job(*args, **named)
        if job.case not in PEERS.get(PEER_OF.get(job.contender), {'cases': (job.case,)})['cases']:
            return
        for launch in range(launches):
            rounds.setdefault(launch, []).append(Job(*args, **named))

    p = PROFILES[profile]
    for name, most in contenders.items():
        if name in ('go-nogc', 'epoll', *bench_peers.NAMES):
            continue    # planned elsewhere, for fewer cases
        threads = sorted({1, cpus if most == 0 else min(cpus, most)})
        if name == COLD:
            for n in p.get('memory_million', []) if 'memory' in cases else []:
                add(p['memory_launches'], 'memory', name, n=n, threads=threads[-1], reps=1)
            continue
        if 'memory' in cases:
            for n in p['memory'] + (p.get('memory_million', []) if name in MILLION else []):
                # Threads up to the limit of the machine: once, since nobody else can start one meanwhile.
                launches = 1 if name in SLOW_SPAWN and n > 20000 else p['memory_launches']
                add(launches, 'memory', name, n=n, threads=threads[-1], reps=1)
            if name == 'gossamer' and most_units:
                add(1, 'memory', name, n=most_units, threads=threads[-1], reps=1)
        if 'spawn' in cases:
            for n in p['spawn_slow'] if name in SLOW_SPAWN else p['spawn']:
                launches = p['memory_launches'] if n >= 100000 else p['launches']
                reps = min(3, p['reps']) if name in SLOW_SPAWN and n >= 10000 else p['reps']    # seconds each
                for t in threads:
                    add(launches, 'spawn', name, n=n, threads=t, reps=reps)
        if 'yield' in cases:
            add(p['launches'], 'yield', name, reps=p['reps'])
        if 'handover' in cases:
            for t in (1, 2) if cpus > 1 else (1,):
                add(p['launches'], 'handover', name, threads=t, reps=p['reps'])
    if 'bound' in cases:
        add(p['launches'], 'bound', reps=p['reps'])
        first = next((name for name in contenders if name not in ('pool', 'epoll')), None)
        for series in ('aa-a', 'aa-b') if first else ():
            add(p['launches'], 'yield', first, reps=p['reps'], series=series)
    bench_programs.plan(add, profile, cases)
    if 'check' in cases:
        add(p['launches'], 'check', reps=p['check_reps'])
        add(1, 'callgrind')
    if 'check' in cases and 'libgcc' in contenders:
        add(p['launches'], 'check', 'libgcc', reps=p['check_reps'] // 3, variant='crossing')
    bench_stacks.plan(add, profile, cases, contenders, cpus)
    bench_blocking.plan(add, profile, cases, contenders, cpus)
    bench_peers.plan(add, profile, cases, contenders, cpus)
    bench_server.plan(rounds, Job, profile, cases, contenders)
    return rounds


# ---- running -----------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


class Suite:
    def __init__(self, args, contenders, folder):
        self.args, self.folder = args, folder
        self.profile = PROFILES[args.profile]
        self.random = random.Random(args.seed)
        cpus = len(os.sched_getaffinity(0))
        rounds = plan(args.profile, args.cases, contenders, cpus, args.most)
        for jobs in rounds.values():
            self.random.shuffle(jobs)    # a new order each round: no contender always follows the same one
        self.jobs = [(launch, job) for launch in sorted(rounds) for job in rounds[launch]]
        self.known = {}
        self.server_peaks = {}    # contender: requests a second, of this run
        self.unfinished = ()    # files of the launch under way
        self.failures = []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('GOS_')}

    def time_left(self, done):
        left = sum(self.known.get(job.key(), job.guess()) + 0.03 for _, job in self.jobs[done:])
        if left < 90:
            return f'about {max(1, round(left))} s left'
        return f'about {int(left) // 60} min {int(left) % 60 // 10 * 10} s left'

    def run(self):
        width = len(str(len(self.jobs)))
        for i, (launch, job) in enumerate(self.jobs):
            print(f'[{i + 1:{width}}/{len(self.jobs)}] {job.title()} ... ', end='', flush=True)
            begin = time.monotonic()
            if job.case == 'server':
                rows = bench_server.launch(self, job, launch, empty_row)
            elif job.case in bench_programs.CASES:
                rows = bench_programs.run(self, launch, job)
            else:
                rows = self.callgrind(launch) if job.case == 'callgrind' else self.launch(launch, job)
            self.known[job.key()] = time.monotonic() - begin
            self.keep(rows)
            print(f'{summary(rows)}   {self.time_left(i + 1)}', flush=True)

    def keep(self, rows):
        with open(os.path.join(self.folder, 'rows.jsonl'), 'a', encoding='utf-8') as file:
            file.writelines(json.dumps(row) + '\n' for row in rows)
        self.failures += [row for row in rows if row['status'] == 'failed']

    def start(self, command, limit, env=None):
        """Runs a child; its exit code (None: ended for taking too long) and what it said."""
        with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            try:
                out, err = child.communicate(timeout=limit)
                return child.returncode, out, err
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                return None, out, err
            finally:
                if child.poll() is None:
                    child.kill()

    def launch(self, launch, job):
        part = os.path.join(self.folder, 'rows.part')
        name = '-'.join(str(x) for x in job.key() if x) + f'-{launch}.json'
        output = os.path.join(self.folder, 'gbench', name)
        self.unfinished = (part, output)
        program = self.program(job)
        if not os.access(program, os.X_OK):
            return [not_installed_row(job, launch)]
        cap = max(self.profile['cap'], job.n // 50000 if job.case == 'memory' else 0)    # 20,000,000: 400 s
        command = [program, f'--case={job.case}', f'--threads={job.threads}', f'--reps={job.reps}',
                   f'--launch={launch}', f'--seed={self.random.randrange(1 << 32)}', f'--cap={cap}',
                   f'--rows={part}', f'--json={output}']
        command += [f'--contender={job.contender}'] if job.contender else []
        command += [f'--n={job.n}'] if job.n else []
        command += [f'--depth={job.depth}'] if job.depth is not None else []
        command += [f'--variant={job.variant}'] if job.variant else []
        command += [f'--source={self.args.gosbench}'] if job.case == 'wakeup' and job.contender in PEER_OF else []
        limit = 2 * cap + 30
        padding = 'x' * self.random.randrange(4096)    # where the stack begins must not decide between contenders
        code, _, err = self.start(command, limit, dict(self.env, GOSBENCH_PADDING=padding))
        rows = read_rows(part)
        self.unfinished = ()
        if os.path.exists(output) and os.path.getsize(output) == 0:
            os.remove(output)    # the case was not run
        if code != 0 and not any(row['status'] == 'failed' for row in rows):
            rows.append(failed_row(job, launch, why_ended(code, limit, err)))
        for row in rows if job.series else ():
            row.update(case='bound', variant=job.series)
        return rows

    def program(self, job):
        peer = PEER_OF.get(job.contender)
        return os.path.join(os.path.dirname(self.args.gosbench), peer) if peer else self.args.gosbench

    def callgrind(self, launch):
        """Instructions a call, exact: the slope between two lengths of the same loop under callgrind."""
        rows = [empty_row('check', build, loop, launch, 'instructions_per_call')
                for loop in CALLGRIND_LOOPS for build in ('plain', 'checked')]
        if shutil.which('valgrind') is None:
            for row in rows:
                row.update(status='not-run', why='valgrind is not installed: apt-get install valgrind')
            return rows
        # Without debugging information, which valgrind 3.19 cannot read when clang and lld have made it.
        program = os.path.join(self.folder, 'gosbench.part')
        self.unfinished = (program,)
        if shutil.which('strip') is None or self.start(['strip', '-g', '-o', program, self.args.gosbench], 60)[0] != 0:
            shutil.copy(self.args.gosbench, program)
        for row in rows:
            self.count_instructions(row, program)
        os.remove(program)
        self.unfinished = ()
        return rows

    def count_instructions(self, row, program):
        seen = []
        env = {'PATH': os.environ.get('PATH', ''), 'LC_ALL': 'C'}    # the loader reads all of the environment
        for rounds in (300, 600):
            code, out, err = self.start(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
                                         program, f"--callgrind-loop={row['variant']}",
                                         f"--variant={row['contender']}", f'--n={rounds}'], 120, env)
            total = re.search(r'Collected : (\d+)', err)
            if code != 0 or total is None:
                row.update(status='failed', why=f'callgrind: {why_ended(code, 120, err)}')
                return
            seen.append((int(out), int(total.group(1))))
        calls = seen[1][0] - seen[0][0]
        row.update(n=calls, ops=calls, value=(seen[1][1] - seen[0][1]) / calls)


def why_ended(code, limit, err):
    last = err.strip().splitlines()[-1][:300] if err.strip() else 'said nothing'
    if code is None:
        return f'did not end within {limit} s and was ended'
    if code < 0:
        return f'ended by signal {-code} ({signal.Signals(-code).name}); last line: {last}'
    return f'exit code {code}; last line: {last}'


def empty_row(case, contender, variant, launch, metric):
    return {'case': case, 'contender': contender, 'variant': variant, 'n': 0, 'threads': 1, 'launch': launch,
            'rep': 0, 'metric': metric, 'value': None, 'units_asked': 0, 'units_made': 0, 'status': 'ok', 'why': ''}


def failed_row(job, launch, why):
    variant = job.variant or {'spawn': 'warm', 'handover': 'same' if job.threads == 1 else 'across'}.get(job.case, '')
    row = empty_row(job.case, job.contender or 'raw', variant, launch,
                    'rss_bytes' if job.case in ('memory', 'depth', 'burst')
                    else bench_blocking.METRICS.get(job.case, 'ns_per_op'))
    row.update(n=job.n, threads=job.threads, units_asked=job.n, status='failed', why=why)
    if job.depth is not None:
        row['depth'] = job.depth
    return row


def not_installed_row(job, launch):
    return dict(failed_row(job, launch, PEERS[PEER_OF[job.contender]]['install']), status='not-run')


def read_rows(path):
    """The rows of a launch; a line that a crash cut short is left out."""
    rows = []
    if not os.path.exists(path):
        return rows
    with open(path, encoding='utf-8') as file:
        for line in file:
            try:
                rows.append(json.loads(line))
            except ValueError:
                pass
    os.remove(path)
    return rows


def summary(rows):
    """What the progress line says about a launch."""
    bad = [row for row in rows if row['status'] != 'ok']
    values = {}
    for row in rows:
        if row['value'] is not None:
            values.setdefault((row['contender'], row['variant'], row['metric']), []).append(row['value'])
    text = bench_blocking.summary(rows) or ''
    made = rows[0]['units_made'] if rows else 0
    if text:
        pass
    elif rows and rows[0]['case'] == 'memory' and values and made:
        per_unit = sum(v[0] for k, v in values.items() if k[2] in ('rss_bytes', 'pte_bytes', 'kernel_stack_bytes'))
        text = f'{per_unit / made:,.0f} B/unit'
    elif rows and rows[0]['case'] == 'server':
        text = bench_server.summary(rows) if values else ''
    elif rows and rows[0]['case'] in ('depth', 'burst') and values and made:
        text = bench_stacks.summary(rows)
    elif values:
        several = len({key[0] for key in values}) > 1
        text = ', '.join(f'{key[0] + " " if several else ""}{key[1]} {statistics.median(v):.3g}'.strip()
                         for key, v in list(values.items())[:8])
        text += ' instructions' if 'instructions_per_call' in next(iter(values))[2] else ' ns'
    if bad:
        what = {'stopped': f"stopped at {made}", 'not-run': 'not run', 'failed': 'FAILED'}[bad[0]['status']]
        text += f"{'; ' if text else ''}{what}: {bad[0]['why']}"
    return text or 'no rows'


# ---- a run from start to end ---------------------------------------------------------------------------------------


def new_folder(out):
    base = os.path.join(out, time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()) + '-' + bench_env.host_name())
    folder, again = base, 1
    while os.path.exists(folder):
        again += 1
        folder = f'{base}-{again}'
    os.makedirs(os.path.join(folder, 'gbench'))
    return folder


def point_latest(out, folder):
    """results/latest names the newest complete run; replaced in one step."""
    link = os.path.join(out, 'latest')
    if os.path.exists(link) and not os.path.islink(link):
        print(f'bench.py: {link} is not a symbolic link and stays as it is', file=sys.stderr)
        return
    temporary = f'{link}.{os.getpid()}'
    os.symlink(os.path.basename(folder), temporary)
    os.replace(temporary, link)


def interrupt(_signal, _frame):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)    # tidying up takes a moment and is not interrupted again
    raise Interrupted


def shown(path):
    relative = os.path.relpath(path)
    return path if relative.startswith('..') else relative


def main():
    args = parse_arguments()
    table = contender_table(args.gosbench)
    names = chosen('--contenders', args.contenders, list(table))
    dropped = sorted(k for k in os.environ if k.startswith('GOS_'))
    if dropped:
        print(f"bench.py: {', '.join(dropped)} set in the environment: not passed on, runs must be comparable")
    folder = new_folder(args.out)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    suite = Suite(args, {name: table[name] for name in names}, folder)
    env = bench_env.describe(args, folder, ROOT)
    bench_env.write(folder, env)
    print(f'profile {args.profile}, seed {args.seed}: {len(suite.jobs)} launches, {suite.time_left(0)}')
    try:
        suite.run()
    except Interrupted:
        env.update(bench_env.at_end(env), complete=False)
        bench_env.write(folder, env)
        for path in suite.unfinished:
            if os.path.exists(path):
                os.remove(path)
        print(f'\ninterrupted: finished rows are kept in {shown(folder)}; '
              f'`make plots report RESULTS={shown(folder)}` uses them')
        return 130
    env.update(bench_env.at_end(env), complete=True)
    bench_env.write(folder, env)
    point_latest(args.out, folder)
    for row in suite.failures:
        print(f"FAILED: {row['case']} {row['contender']} {row['variant']} n={row['n']}: {row['why']}")
    print(f'results: {shown(folder)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
