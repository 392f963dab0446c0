"""The case `programs`: real programs in the builds of benches/programs/README.md, timed side by side and counted."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from bench_steps import answer_of

CASES = ('programs',)
BUILDS = ('plain', 'checks', 'wrapped', 'tasks')
# Program -> rounds of a sample: some 5 ms.
PROGRAMS = {'sqlite': 13, 'lua': 28, 'quickjs': 10, 'expat': 24, 'stb': 7}
PROFILES = {'quick': {'launches': 3, 'blocks': 3, 'counted': ('sqlite',)},
            'default': {'launches': 12, 'blocks': 3, 'counted': tuple(PROGRAMS)},
            'full': {'launches': 24, 'blocks': 13, 'counted': tuple(PROGRAMS)}}
COUNTED_ROUNDS = (1, 3)
PATIENCE = 60    # seconds for a sample
LAYOUTS = 12    # orders of its functions in which each build was linked (benches/programs/programs.mk), besides its own
MISSING = 'its source is not here (make setup-programs), or clang, which cannot build it with checks, built the others'


def plan(add, profile, cases):
    p = PROFILES[profile]
    for program in PROGRAMS if 'programs' in cases else ():
        add(p['launches'], 'programs', reps=p['blocks'], variant=program)
        if program in p['counted']:
            add(1, 'programs', reps=1, variant=program, series='instructions')


def guess(job):
    return 5 if job.series else 0.3 + job.reps * 0.05


def path(gosbench, program, build, order=''):
    return os.path.join(os.path.dirname(gosbench), 'programs', f'{program}-{build}{order}')


def order_of(launch):
    """The end of the names of the layout that a launch times."""
    return f'.{1 + launch % LAYOUTS}'


def row(launch, job, build, metric, rep=0):
    return {'case': 'programs', 'contender': build, 'variant': job.variant, 'n': PROGRAMS[job.variant], 'threads': 1,
            'launch': launch, 'rep': rep, 'metric': metric, 'value': None, 'units_asked': 0, 'units_made': 0,
            'status': 'ok', 'why': ''}


def run(suite, launch, job):
    metric = 'instructions_per_round' if job.series else 'ns_per_op'
    rows = [row(launch, job, build, metric) for build in BUILDS]
    order = '' if job.series else order_of(launch)
    if not all(os.access(path(suite.args.gosbench, job.variant, build, order), os.X_OK) for build in BUILDS):
        return [dict(one, status='not-run', why=MISSING) for one in rows]
    if job.series and shutil.which('valgrind') is None:
        return [dict(one, status='not-run', why='valgrind is not installed: apt-get install valgrind') for one in rows]
    try:
        return count(suite, rows) if job.series else timed(suite, launch, job)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return [dict(one, status='failed', why=str(error)[:300]) for one in rows]


class Server:
    """One process of a build, which does rounds when it is told to."""

    def __init__(self, command, env, cpu):
        self.child = subprocess.Popen([command, '--serve'], env=env, text=True, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))

    def ask(self, rounds):
        os.write(self.child.stdin.fileno(), b'%d\n' % rounds)    # no buffer, whose rest close() would raise for
        words = answer_of(self.child.stdout, PATIENCE).split()
        if len(words) != 2:
            raise ValueError('the program ended in the midst of a sample')
        return int(words[0]), words[1]

    def end(self):
        self.child.stdin.close()
        self.child.stdout.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def timed(suite, launch, job):
    """All builds on one CPU, one at a time, each block in an order that is drawn and then back again."""
    cpu = suite.random.choice(sorted(os.sched_getaffinity(0)))
    rounds, rows, sums = PROGRAMS[job.variant], [], set()
    env = dict(suite.env, GOSBENCH_PADDING='x' * suite.random.randrange(4096))
    programs = {build: path(suite.args.gosbench, job.variant, build, order_of(launch)) for build in BUILDS}
    servers = {build: Server(program, env, cpu) for build, program in programs.items()}
    try:
        for build in BUILDS:
            servers[build].ask(rounds)
        for rep in range(job.reps):
            order = suite.random.sample(BUILDS, len(BUILDS))
            ns = dict.fromkeys(BUILDS, 0)
            for build in order + order[::-1]:
                took, result = servers[build].ask(rounds)
                ns[build] += took
                sums.add(result)
            rows += [dict(row(launch, job, build, 'ns_per_op', rep), value=ns[build] / (2 * rounds), ops=2 * rounds)
                     for build in BUILDS]
    finally:
        for server in servers.values():
            server.end()
    if len(sums) != 1:
        return [dict(one, status='failed', value=None, why=f'checksums differ: {sorted(sums)}') for one in rows]
    return rows


def count(suite, rows):
    """Instructions a round, as the slope between two numbers of rounds. Exact, so that all CPUs may count at once."""
    asked = [(one, rounds) for one in rows for rounds in COUNTED_ROUNDS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        totals = list(pool.map(lambda pair: instructions(suite, *pair), asked))
    for one, few, many in zip(rows, totals[::2], totals[1::2]):
        one['value'] = (many - few) / (COUNTED_ROUNDS[1] - COUNTED_ROUNDS[0])
    return rows


def instructions(suite, one, rounds):
    """Of a whole run, by the thread that does the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'out')
        command = ['valgrind', '--tool=callgrind', '--separate-threads=yes', f'--callgrind-out-file={out}',
                   path(suite.args.gosbench, one['variant'], one['contender']), '--once', str(rounds)]
        code, _, err = suite.start(command, 240, {'PATH': os.environ.get('PATH', ''), 'LC_ALL': 'C'})
        if code != 0:
            raise ValueError(f'callgrind: exit code {code}; {err.strip().splitlines()[-1:]}')
        texts = [open(name, encoding='utf-8').read() for name in glob.glob(out + '*')]
    return max(int(total) for text in texts for total in re.findall(r'^totals: (\d+)', text, re.M))
