"""What a run measures: the cases, the contenders of each, the profiles, and the jobs of every launch."""
import glob
import os
import subprocess

import bench_api
import bench_blocking
import bench_counts
import bench_peers
import bench_programs
import bench_server
import bench_stacks
import bench_steps
import bench_sync
import bench_trace

CASES = ('memory', 'spawn', 'yield', 'handover', 'check', 'bound', 'depth', 'descent', 'burst', *bench_blocking.CASES,
         *bench_sync.CASES, 'timers', 'server', *bench_programs.CASES, *bench_api.CASES, *bench_counts.CASES,
         *bench_trace.CASES)
# Bytes and distributions of waiting: a slower clock does not change them, or their launches are too dear to repeat.
UNTIMED = ('memory', 'depth', 'burst', 'timers')
ORDERS = 3    # in which the C programs are linked: build/.../order-2 and order-3 beside the usual one

# Who is weighed at a million units as well.
MILLION = ('gossamer', 'go')
# More units than 80 % of 24 GiB hold, at gossamer's 770 bytes.
LIMIT = 30000000
# Threads: weighed well below where the machine runs out of them, and so does everybody who starts one.
THREAD_SIZES = (1000, 2000, 4000, 8000)
# Measured for memory alone: its calls are those of gossamer.
COLD = 'gossamer-cold'
# Programs of other languages, beside gosbench in the build folder: their contenders, cases, and how to install them.
PEERS = {'gobench': {'contenders': ('go', 'go-nogc'),
                     'cases': ('memory', 'spawn', 'yield', 'handover', 'depth', 'descent', 'burst',
                               *bench_blocking.CASES, *bench_sync.CASES, 'timers'),
                     'install': 'Go is not installed: apt-get install golang-go, then make'},
         'libgcc-split': {'contenders': ('libgcc',), 'cases': ('check',),
                          'install': 'this libgcc has no __morestack: use one for x86-64 Linux, then make'},
         **bench_peers.PEERS}
PEER_OF = {name: program for program, peer in PEERS.items() for name in peer['contenders']}
# Contenders whose unit is a thread of the kernel.
SLOW_SPAWN = ('pthread', 'pthread-min')

# launches: processes for each row, the outer level of repetition; reps: within a process, odd.
# limit: everybody is driven to where it stops, by memory, by a limit of the kernel, or by so many seconds.
PROFILES = {
    'quick': {'memory': [1000, 2000, 5000, 10000], 'memory_launches': 1, 'limit': 1, 'cold': [],
              'few_launches': 1, 'spawn': [1000, 10000],
              'spawn_slow': [1000], 'spawn_million': [], 'spawn_threads': [1000], 'launches': 3,
              'thread_launches': 1, 'reps': 5,
              'check_reps': 15, 'cap': 20},
    'default': {'memory': [1000, 5000, 20000, 50000], 'memory_million': [1000000], 'memory_launches': 3,
                'limit': 1, 'cold': [125000, 250000, 500000, 1000000],
                'few_launches': 2, 'spawn': [1000, 10000, 100000], 'spawn_slow': [1000, 10000],
                'spawn_million': [1000000], 'spawn_threads': [10000], 'launches': 6, 'thread_launches': 3,
                'reps': 5, 'check_reps': 21, 'cap': 60},
    'full': {'memory': [1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000],
             'memory_million': [1000000], 'most': 20000000, 'memory_launches': 3, 'limit': 20,
             'cold': [125000, 250000, 500000, 1000000], 'few_launches': 6,
             'spawn': [1000, 10000, 100000], 'spawn_slow': [1000, 10000, 30000], 'spawn_million': [1000000],
             'spawn_threads': [1000, 10000, 100000], 'launches': 11, 'thread_launches': 7, 'reps': 9,
             'check_reps': 51, 'cap': 60},
}


def add_more(build, folder, root):
    """Contenders that no table here knows: programs peer-NAME beside gosbench, which say themselves what they hold, and
    the lines of FOLDER/programs.list. Gives {name: threads at most}; raises ValueError with one clear line."""
    known, found = {program for program in PEERS}, {}
    for path in sorted(glob.glob(os.path.join(build, 'peer-*'))):
        program = os.path.basename(path)
        source = any(os.path.exists(os.path.join(folder, program[5:] + kind)) for kind in ('.c', '.cc'))
        if program in known or not source:
            continue    # of a table, or left behind by a file that is gone
        listed = subprocess.run([path, '--list'], capture_output=True, text=True, check=False).stdout
        names = {fields[1]: int(fields[2]) for fields in (line.split('\t') for line in listed.splitlines())
                 if fields[0] == 'contender'}
        PEERS[program] = {'contenders': tuple(names), 'cases': (*bench_peers.UNITS, 'scale'), 'install': 'run make'}
        found.update(names)
    for where, fields in read_list(os.path.join(folder, 'programs.list')):
        name, threads, cases, program = fields
        if not threads.isdigit() or not set(cases.split(',')) <= set(CASES):
            raise ValueError(f'{where}: threads are a number, cases are some of {", ".join(CASES)}')
        path = os.path.join(root, program)
        PEERS[path] = {'contenders': (*PEERS.get(path, {'contenders': ()})['contenders'], name),
                       'cases': tuple(cases.split(',')), 'install': f'{program} is not a program that can be run'}
        found[name] = int(threads)
    PEER_OF.update({name: program for program, peer in PEERS.items() for name in peer['contenders']})
    return found


def read_list(path):
    """(file:line, fields) of each line: name, threads at most (0: any), cases, program."""
    if not os.path.exists(path):
        return
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            fields = line.split('#')[0].split()
            if fields and len(fields) != 4:
                raise ValueError(f'{path}:{number}: not four words: name, threads at most (0: any), cases, program')
            if fields:
                yield f'{path}:{number}', fields


class Job:
    """One process to start: what to measure, and what is known about how long that takes."""

    def __init__(self, case, contender=None, n=0, threads=1, reps=5, series='', depth=None, variant='', seconds=0,
                 arms=(), rounds=None, cap=0):
        self.case, self.contender, self.n, self.threads, self.reps = case, contender, n, threads, reps
        self.series = series    # the contender under another name
        self.arms = arms    # (contender, series) of those that take turns; empty: one process alone
        self.rounds = rounds or {}    # contender: fewer repetitions than `reps`
        self.cap = cap    # seconds after which spawning stops; 0: the profile's
        self.seconds = seconds    # how long it takes, of the server
        self.depth, self.variant = depth, variant    # of the cases of bench_stacks.py

    def key(self):
        return (self.case, self.contender, self.n, self.threads, self.series, self.depth, self.variant)

    def arm(self, contender, series):
        """The part of one contender; it may repeat as often again."""
        return Job(self.case, contender, self.n, self.threads, 2 * self.reps, series, variant=self.variant)

    def title(self):
        words = [self.case]
        if self.arms:
            words.append(f'{len(self.arms)} in turn')
        if self.contender:
            words.append(self.contender)
        if self.n:
            words.append(f'n={self.n}')
        if self.case in ('spawn', 'handover', 'scale', 'sync', 'timers'):
            words.append(f'threads={self.threads}')
        if self.depth is not None:
            words.append(f'depth={self.depth}')
        words += [word for word in (self.series, self.variant) if word]
        return ' '.join(words)

    def part(self, contender, series):
        """Seconds of one contender that takes turns."""
        arm = self.arm(contender, series)
        arm.reps = self.rounds.get(contender, self.reps)
        return arm.guess()

    def guess(self):
        """Seconds, before this kind has run once."""
        slow = self.contender in SLOW_SPAWN
        if self.arms:
            return sum(0.15 + self.part(*arm) for arm in self.arms)
        if self.case == 'memory' and self.n == LIMIT:
            return 2.0 * self.cap
        if self.case == 'timers' or bench_peers.base(self.contender or '') == 'java':
            return bench_peers.guess(self)
        if self.case == 'memory':
            return 0.1 + min(self.n, 33000 if slow else self.n) * (80e-6 if slow else 3e-6)
        if self.case == 'spawn':
            return 0.1 + self.n * (2 * self.reps + 1) * (25e-6 if slow else 0.5e-6)
        if self.depth is not None:
            return bench_stacks.guess(self)
        if self.case in bench_programs.CASES:
            return bench_programs.guess(self)
        if self.case in bench_blocking.CASES:
            return bench_blocking.guess(self)
        if self.case == 'server':
            return bench_server.guess(self)
        return {'callgrind': 4, 'counts': 20, 'check': 1, 'bound': 0.5}.get(self.case, 0.3)


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
    plan_steps(rounds, p, profile, cases, contenders)
    for name, most in contenders.items():
        if name in ('go-nogc', 'epoll', 'libuv', 'libgcc'):
            continue    # planned elsewhere, for fewer cases
        if name in bench_peers.NAMES:
            if 'memory' in cases:
                plan_memory(add, p, name, 1 if name in bench_peers.ONE_THREAD else min(2, cpus), 0)
            continue
        threads = sorted({1, cpus if most == 0 else min(cpus, most)})
        if 'memory' in cases:
            plan_memory(add, p, name, threads[-1], most_units)
        if name == COLD:
            continue
        most_n = max(p['spawn_slow']) if name in SLOW_SPAWN else LIMIT
        for n in p['spawn_threads'] if 'spawn' in cases else ():
            for t in threads[1:] if n <= most_n else ():
                add(p['thread_launches'], 'spawn', name, n=n, threads=t, reps=min(3, p['reps']))
        if 'handover' in cases and cpus > 1:
            add(p['thread_launches'], 'handover', name, threads=2, reps=p['reps'])
    if 'bound' in cases:
        add(p['launches'], 'bound', reps=p['reps'])
    if 'api' in cases and 'gossamer' in contenders:
        add(1, 'api', 'gossamer', reps=1)
    bench_counts.plan(add, cases, contenders)
    bench_trace.plan(add, cases, contenders)
    bench_programs.plan(add, profile, cases)
    if 'check' in cases:
        add(p['launches'], 'check', reps=p['check_reps'])
        add(1, 'callgrind')
    if 'check' in cases and 'libgcc' in contenders:
        add(p['launches'], 'check', 'libgcc', reps=p['check_reps'] // 3, variant='crossing')
    bench_stacks.plan(add, profile, cases, contenders, cpus)
    bench_blocking.plan(add, profile, cases, contenders, cpus)
    bench_sync.plan(add, profile, cases, contenders, cpus)
    bench_peers.plan(add, profile, cases, contenders, cpus)
    bench_server.plan(rounds, Job, profile, cases, contenders)
    return rounds


def left_out(profile, contenders, cpus):
    """{(case, variant, connections): contenders} of what the full profile measures and this one does not at all."""
    def measured(name):
        keys = set()
        for job in (job for jobs in plan(name, CASES, contenders, cpus).values() for job in jobs):
            n = job.n if job.case == 'server' else 0
            keys |= {(job.case, job.variant, n, contender) for contender, _ in job.arms or [(job.contender, '')]}
        return keys
    found = {}
    for *what, contender in sorted(measured('full') - measured(profile), key=str):
        found.setdefault(tuple(what), []).append(contender)
    return found


def plan_memory(add, p, name, threads, most_units):
    """Four sizes at least, so that there is a slope; then as many units as there can be."""
    if name == COLD:
        for n in p['cold']:
            add(1, 'memory', name, n=n, threads=threads, reps=1)
        return
    largest = bench_peers.LARGEST.get(bench_peers.base(name))
    sizes = THREAD_SIZES if name in SLOW_SPAWN else p['memory']
    for n in (largest // 8, largest // 4, largest // 2, largest) if largest else sizes:
        add(1 if name in bench_peers.TUNED else p['memory_launches'], 'memory', name, n=n, threads=threads, reps=1)
    for n in p.get('memory_million', []) if name in MILLION else ():
        add(1, 'memory', name, n=n, threads=threads, reps=1)
    if not largest and (PEER_OF.get(name, 'peer-').startswith('peer-') or name in bench_peers.STOPPABLE):
        add(1, 'memory', name, n=LIMIT, threads=threads, reps=1, cap=p['limit'])
    if name == 'gossamer' and most_units:
        add(1, 'memory', name, n=most_units, threads=threads, reps=1)


def spawn_sizes(profile, name):
    if name in bench_peers.NAMES:
        largest = bench_peers.LARGEST.get(bench_peers.base(name), LIMIT)
        return [n for n in bench_peers.PROFILES[profile]['spawn'] if n <= largest]
    p = PROFILES[profile]
    if name in SLOW_SPAWN:
        return p['spawn_slow']
    return p['spawn'] + (p['spawn_million'] if name in MILLION else [])


def plan_steps(rounds, p, profile, cases, contenders):
    """The rows on one CPU: all contenders in turn, gossamer once more, and slowed, for which one size is enough."""
    def add(launches, case, names, seen_slowed=True, **named):
        able = [name for name in names if case in PEERS.get(PEER_OF.get(name), {'cases': (case,)})['cases']]
        for launch in range(launches):
            arms = [(name, '') for name in able if launch < bench_peers.most_launches(profile, name, launches)]
            arms += [('gossamer', bench_steps.AGAIN)] if 'gossamer' in names else []
            arms += [('gossamer', bench_steps.SLOWED)] if 'gossamer' in names and seen_slowed else []
            if arms:
                rounds.setdefault(launch, []).append(Job(case, arms=arms, **named))

    names = [name for name in contenders if name not in ('go-nogc', 'epoll', 'libuv', COLD)]
    sizes = {name: spawn_sizes(profile, name) for name in names}
    spawned = sorted({n for some in sizes.values() for n in some}) if 'spawn' in cases else ()
    for n in spawned:
        # Threads take seconds for ten thousand, goroutines for a million.
        few = {name: 1 for name in names if name in SLOW_SPAWN and n >= 10000 or name == 'go' and n >= 1000000}
        launches = p['launches'] if n < 10000 else (p['launches'] + 1) // 2 if n < 100000 else p['few_launches']
        add(launches, 'spawn', [name for name in names if n in sizes[name]],
            seen_slowed=n == spawned[0], n=n, reps=p['reps'] if n < 10000 else 3, rounds=few)
    for case in ('yield', 'handover'):
        if case in cases:
            add(p['launches'], case, [name for name in names if name != 'pool'], reps=p['reps'])
