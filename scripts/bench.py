#!/usr/bin/env python3
"""Runs the suite: draws the order, starts one gosbench process for each measurement, keeps the raw rows.

usage: scripts/bench.py --gosbench PATH [--profile quick|default|full] [--seed N] [--out FOLDER]
                        [--only CASE[,CASE]] [--contenders NAME[,NAME]] [--most UNITS] [--more FOLDER]

Writes results/<UTC time>-<host>/ as results/README.md says. Finished rows are on disk at any moment: Ctrl-C keeps them.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_api  # noqa: E402  (beside this file)
import bench_blocking  # noqa: E402
import bench_counts  # noqa: E402
import bench_trace  # noqa: E402
import bench_env  # noqa: E402
import bench_memory  # noqa: E402
import bench_peers  # noqa: E402
import bench_plan  # noqa: E402
import bench_programs  # noqa: E402
import bench_server  # noqa: E402
import bench_stacks  # noqa: E402
import bench_steps  # noqa: E402
import bench_summary  # noqa: E402
from bench_plan import CASES, ORDERS, PEER_OF, PEERS, PROFILES, UNTIMED, Job  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CALLGRIND_LOOPS = ('shallow', 'deep', 'deep256', 'fib')


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
    parser.add_argument('--more', default=os.path.join(ROOT, 'baselines', 'more'))
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
    return dict(table, **{name: 0 for name in (*PEER_OF, 'epoll', 'libuv')})


# ---- running -----------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


class Suite:
    def __init__(self, args, contenders, folder):
        self.args, self.folder = args, folder
        self.profile = PROFILES[args.profile]
        self.random = random.Random(args.seed)
        cpus = len(os.sched_getaffinity(0))
        rounds = bench_plan.plan(args.profile, args.cases, contenders, cpus, args.most)
        for jobs in rounds.values():
            self.random.shuffle(jobs)    # a new order each round: no contender always follows the same one
        self.jobs = [(launch, job) for launch in sorted(rounds) for job in rounds[launch]]
        self.known = {}
        self.hung = set()    # keys of jobs of which a launch was ended
        self.seconds = {}    # case: how long all of it took
        self.server_peaks = {}    # contender: requests a second, of this run
        self.unfinished = ()    # files of the launch under way
        self.failures = []
        self.retakes = sum(job.reps * max(1, len(job.arms)) for _, job in self.jobs) // 4    # that are left
        self.anchor = bench_steps.Anchor(args.gosbench)
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
            if job.arms:
                rows = bench_steps.Group(self, launch, job, TOOLS).run()
            elif job.case == 'server':
                rows = bench_server.launch(self, job, launch, empty_row)
            elif job.case == 'api':
                rows = bench_api.run(ROOT, empty_row('api', 'gossamer', '', launch, 'functions_that_name_tasks'))
            elif job.case == 'counts':
                rows = bench_counts.run(self.args.gosbench, empty_row, launch)
            elif job.case == 'trace':
                rows = bench_trace.run(self.args.gosbench, empty_row, launch, self.random.randrange(1 << 32))
            elif job.case in bench_programs.CASES:
                rows = bench_programs.run(self, launch, job)
            else:
                rows = self.callgrind(launch) if job.case == 'callgrind' else self.watched(launch, job)
            took = self.known[job.key()] = time.monotonic() - begin
            self.seconds[job.case] = round(self.seconds.get(job.case, 0) + took, 1)
            self.keep(rows)
            self.tidy()
            print(f'{bench_summary.told(rows)}   {self.time_left(i + 1)}', flush=True)

    def keep(self, rows):
        for row in rows:
            check_work(row)
        append(os.path.join(self.folder, 'rows.jsonl'), ''.join(json.dumps(row) + '\n' for row in rows))
        self.failures += [row for row in rows if row['status'] == 'failed']

    def start(self, command, limit, env=None):
        """Runs a child; its exit code (None: it took too long, or the last of the memory) and what it said."""
        end = time.monotonic() + limit
        with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            try:
                while True:
                    try:
                        out, err = child.communicate(timeout=0.2)
                        return child.returncode, out, err
                    except subprocess.TimeoutExpired:
                        short = bench_env.memory_left() < bench_env.LEAST_MEMORY
                        if short or time.monotonic() > end:
                            child.kill()
                            out, err = child.communicate()
                            return None, out, err + (bench_env.MEMORY_SHORT if short else '')
            finally:
                if child.poll() is None:
                    child.kill()

    def may_retake(self):
        """Takes one of the turns that are left to be taken again."""
        self.retakes -= self.retakes > 0
        return self.retakes > 0

    def watched(self, launch, job):
        """A launch; where the machine was disturbed meanwhile, once more, as far as that is cheap."""
        if job.case in UNTIMED:
            return self.launch(launch, job)
        found = []
        for again in (True, False):
            watch = bench_steps.Watch(self.anchor)
            rows = self.launch(launch, job)
            fields, bad = watch.end()
            retake = bool(bad and again and time.monotonic() - watch.begin < 1.5 and self.may_retake())
            for row in rows:
                row.update(fields)
                row.update({'bad': bad, 'rejected': retake} if bad else {})
            found += rows
            if not retake:
                return found
        return found

    def command(self, launch, job):
        """How to start a launch: command, environment, where its rows go, and the rows in its place if it cannot be."""
        name = '-'.join(str(x) for x in job.key() if x)
        part = os.path.join(self.folder, f'{name}.part')
        output = os.path.join(self.folder, 'gbench', f'{name}-{launch}.json')
        self.unfinished = (*self.unfinished, part, output)
        program = self.program(job, launch)
        if not os.access(program, os.X_OK):
            return None, None, None, [not_installed_row(job, launch)]
        cap = self.cap(job)
        command = [program, f'--case={job.case}', f'--threads={job.threads}', f'--reps={job.reps}',
                   f'--launch={launch}', f'--seed={self.random.randrange(1 << 32)}', f'--cap={cap}',
                   f'--rows={part}', f'--json={output}']
        command += [f'--contender={job.contender}'] if job.contender else []
        command += [f'--n={job.n}'] if job.n else []
        command += [f'--depth={job.depth}'] if job.depth is not None else []
        command += [f'--variant={job.variant}'] if job.variant else []
        command += [f'--slow={bench_steps.SLOWED_BY}'] if job.series == bench_steps.SLOWED else []
        command += [f'--source={self.args.gosbench}'] if job.case == 'wakeup' and job.contender in PEER_OF else []
        padding = 'x' * self.random.randrange(4096)    # where the stack begins must not decide between contenders
        return command, dict(self.env, GOSBENCH_PADDING=padding), part, []

    def cap(self, job):
        if job.cap:
            return job.cap
        return max(self.profile['cap'], job.n // 50000 if job.case == 'memory' else 0)    # 20,000,000: 400 s

    def launch(self, launch, job):
        if job.key() in self.hung:    # as some peers do now and then; each time would cost minutes
            return [dict(failed_row(job, launch, 'was ended in an earlier launch'), status='not-run')]
        command, env, part, absent = self.command(launch, job)
        if absent:
            return absent
        limit = 2 * self.cap(job) + 30
        start = bench_memory.run if job.case in bench_memory.CASES else self.start
        code, _, err, *seen = start(command, limit, env)
        if code is None:
            self.hung.add(job.key())
        rows, refused = read_rows(part)
        rows = bench_memory.rows_of(rows, *seen)
        for row in rows:
            row['link'] = link_of(launch)
        why = why_ended(code, limit, err) if code != 0 else bench_steps.why_lost(len(rows), refused)
        if why and not any(row['status'] == 'failed' for row in rows):
            row = failed_row(job, launch, why)
            if code is None and job.contender in PEER_OF and job.variant == 'own-busy':
                row['status'] = 'stopped'    # a sleeper that others' busy units starve is data, not a failure
            rows.append(row)
        return rows

    def program(self, job, launch):
        """Of the launch's link order, where it was linked in several."""
        build, name = os.path.split(self.args.gosbench)
        name = PEER_OF.get(job.contender, name)
        ordered = os.path.join(build, f'order-{link_of(launch) + 1}', name)
        return ordered if os.access(ordered, os.X_OK) else os.path.join(build, name)

    def tidy(self):
        """After each job: files that a program left empty, since its case was not run."""
        for path in self.unfinished:
            if os.path.exists(path) and (path.endswith('.part') or os.path.getsize(path) == 0):
                os.remove(path)
        self.unfinished = ()

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
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda row: self.count_instructions(row, program), rows))
        os.remove(program)
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


def link_of(launch):
    """Which of the orders in which the programs were linked a launch uses."""
    return launch % ORDERS


def check_work(row):
    """Fails a row whose units are fewer than were asked for, or not as many as it counts operations of."""
    if row['status'] == 'ok' and row['units_made'] < row['units_asked']:
        row.update(status='failed', value=None, why=f"made {row['units_made']} of {row['units_asked']} units")
    elif row['status'] == 'ok' and row['case'] == 'spawn' and row.get('ops', row['n']) != row['n']:
        row.update(status='failed', value=None, why=f"{row['ops']} of {row['n']} units ended")


def why_ended(code, limit, err):
    last = err.strip().splitlines()[-1][:300] if err.strip() else 'said nothing'
    if code is None and err.endswith(bench_env.MEMORY_SHORT):
        return bench_env.MEMORY_SHORT.strip()
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
    """(rows of a launch, lines that are none, as one that a crash cut short)"""
    if not os.path.exists(path):
        return [], 0
    with open(path, 'rb') as file:
        found = bench_steps.rows_of(file.read())
    os.remove(path)
    return found


def append(path, text):
    """All of it or nothing, so that a full disk, or whoever interrupts, leaves no torn line."""
    data = text.encode()
    with open(path, 'ab', buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[file.write(data):]
        except BaseException:
            file.truncate(size)
            raise


class TOOLS:
    """What bench_steps needs of this file."""
    limit, failed_row, why_ended, link = 60, staticmethod(failed_row), staticmethod(why_ended), staticmethod(link_of)


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


def end(suite, env, complete):
    suite.anchor.end()
    env.update(bench_env.at_end(env), seconds=suite.seconds, complete=complete)
    bench_env.write(suite.folder, env)


def broken_off(suite, env, folder, why, status):
    """Keeps what was measured; a run that had not begun to measure leaves no folder behind."""
    if env is None:
        if suite is not None:
            suite.anchor.end()
        shutil.rmtree(folder, ignore_errors=True)
        print(f'\n{why}: nothing was measured yet', file=sys.stderr)
        return status
    try:
        end(suite, env, False)
    except OSError:
        pass    # env.json of the start says as well that the run is not complete
    for path in filter(os.path.exists, suite.unfinished):
        os.remove(path)
    print(f'\n{why}: finished rows are kept in {shown(folder)}; `make plots report RESULTS={shown(folder)}` uses them',
          file=sys.stdout if status == 130 else sys.stderr)
    return status


def shown(path):
    relative = os.path.relpath(path)
    return path if relative.startswith('..') else relative


def measure():
    args = parse_arguments()
    table = contender_table(args.gosbench)
    try:
        table.update(bench_plan.add_more(os.path.dirname(args.gosbench), args.more, ROOT))
    except ValueError as error:
        fail(error)
    names = chosen('--contenders', args.contenders, list(table))
    dropped = sorted(k for k in os.environ if k.startswith('GOS_'))
    if dropped:
        print(f"bench.py: {', '.join(dropped)} set in the environment: not passed on, runs must be comparable")
    try:
        folder = new_folder(args.out)
    except OSError as error:
        fail(f"--out='{args.out}': {error.strerror}: {error.filename}")
    suite = env = None
    try:
        suite = Suite(args, {name: table[name] for name in names}, folder)
        env = bench_env.describe(args, folder, ROOT)
        bench_env.write(folder, env)
        print(f'profile {args.profile}, seed {args.seed}: {len(suite.jobs)} launches, {suite.time_left(0)}')
        suite.run()
        end(suite, env, True)
    except Interrupted:
        return broken_off(suite, env, folder, 'interrupted', 130)
    except OSError as error:    # as of a full disk
        return broken_off(suite, env, folder, f'bench.py: {error}', 1)
    point_latest(args.out, folder)
    for row in suite.failures:
        print(f"FAILED: {row['case']} {row['contender']} {row['variant']} n={row['n']}: {row['why']}")
    print(f'results: {shown(folder)}')
    return 0


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        return measure()
    except Interrupted:
        print('\ninterrupted: nothing was measured yet', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
