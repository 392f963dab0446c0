"""Lets builds of a bench program take turns: persistent processes that run epochs of about a millisecond on request.

What disturbs one build disturbs the others, so ratios hold where times do not. A bench program speaks the protocol of
docs/PERF-GATE.md; nothing here knows what it measures.
"""
import os
import random
import select
import subprocess
import time
from math import inf, log

import stats

EPOCH_NS = 1000000
CALIBRATE = 5       # epochs that settle how many operations an epoch has; thrown away
PATIENCE = 30       # seconds without an answer after which a program is given up
BURN_PROBE = 4000000    # a few milliseconds
LEAST_ROUNDS = 10


class ToolError(Exception):
    """Something of the gate's own did not work: never a statement about speed."""


class Arm:
    """One process of a bench program, waiting for requests."""

    def __init__(self, program, row, cpus, padding, debug=''):
        env = {k: v for k, v in os.environ.items() if not k.startswith('GOS_')}
        env.update({'GOS_DEBUG': debug} if debug else {})
        env['GATE_PADDING'] = 'x' * padding    # moves the stack, which must not decide
        self.name = f'{program} {row}'
        try:
            self.child = subprocess.Popen([program, row], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          bufsize=0, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        except OSError as error:
            raise ToolError(f'cannot start {program}: {error.strerror}') from error
        self.input, self.output = self.child.stdin.fileno(), self.child.stdout.fileno()

    def ask(self, ops, burn=0):
        """Runs an epoch; nanoseconds and operations done."""
        try:
            os.write(self.input, b'%d %d\n' % (ops, burn))
        except OSError as error:
            raise ToolError(f'{self.name} has ended: {self.ending()}') from error
        answer = b''
        while not answer.endswith(b'\n'):
            if not select.select([self.output], [], [], PATIENCE)[0]:
                raise ToolError(f'{self.name} gave no answer within {PATIENCE} s')
            piece = os.read(self.output, 256)
            if not piece:
                raise ToolError(f'{self.name} has ended: {self.ending()}')
            answer += piece
        words = answer.split()
        if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) <= 0 or int(words[0]) <= 0:
            raise ToolError(f"{self.name} answered '{answer.decode(errors='replace').strip()}', not NS OPS")
        return int(words[0]), int(words[1])

    def ending(self):
        try:
            return f'exit status {self.child.wait(5)}'
        except subprocess.TimeoutExpired:
            return 'it closed its output'

    def close(self):
        for pipe in (self.child.stdin, self.child.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def ns_per_op(answers):
    return min(ns / ops for ns, ops in answers)


def calibrate(arms):
    """Operations of an epoch, the same for all arms, and the rounds of burning that take a nanosecond."""
    base, ops = arms['base'], 16
    while True:
        ns, done = base.ask(ops)
        if ns >= EPOCH_NS / 4:
            break
        ops = min(ops * 4, int(ops * EPOCH_NS / ns) + 1)
    ops = max(1, int(EPOCH_NS / ns_per_op([base.ask(ops) for _ in range(CALIBRATE)])))
    for arm in arms.values():
        for _ in range(CALIBRATE):
            arm.ask(ops)
    plain = burning = inf
    for attempt in range(10 * CALIBRATE):
        plain, burning = min(plain, base.ask(1)[0]), min(burning, base.ask(1, BURN_PROBE)[0])
        if attempt >= CALIBRATE // 2 and plain < burning / 2:
            return ops, BURN_PROBE / (burning - plain)
    raise ToolError(f'{base.name}: the second number of a request must make the epoch longer')


def typical_epoch(arms, ops):
    """Nanoseconds of base's epochs while the arms take turns: longer than alone, when its caches stay warm."""
    times = []
    for _ in range(2 * CALIBRATE):
        for name, arm in arms.items():
            ns, done = arm.ask(ops)
            times += [ns / done * ops] if name == 'base' else []
    return stats.median(times)


def rounds_of(arms, ops, burn, rounds, rng):
    """{series: logarithms of its time over base's, one a round}, and base's times of an operation.

    A round runs all arms in an order drawn anew, then in the reverse order: ABBA, so that drift cancels. The shorter of
    an arm's two epochs counts: whoever takes the CPU away in the middle of one can only make it longer.
    """
    names = [*arms, 'slow']
    logs, times = {name: [] for name in names if name != 'base'}, []
    for _ in range(rounds):
        order = rng.sample(names, len(names))
        took = {}
        for name in order + order[::-1]:
            ns, done = arms['again'].ask(ops, burn) if name == 'slow' else arms[name].ask(ops)
            took[name] = min(ns / done, took.get(name, inf))
        for name in logs:
            logs[name].append(log(took[name] / took['base']))
        times.append(took['base'])
    return logs, times


def launch(programs, row, rounds, seed, cpus, injected):
    """One launch of a row: processes of base, base again (A/A) and head, started in a drawn order.

    programs: {'base': path, 'head': path}. Gives {'head', 'aa', 'slow': the median log ratio, 'ns': base's time};
    `slow` is base again with a busy loop that makes it slower by `injected`.
    """
    rng = random.Random(seed)
    arms = {}
    try:
        for name in rng.sample(['base', 'again', 'head'], 3):
            arms[name] = Arm(programs['head' if name == 'head' else 'base'], row, cpus, rng.randrange(4096))
        ops, burn_per_ns = calibrate(arms)
        ns = typical_epoch(arms, ops)
        logs, times = rounds_of(arms, ops, round(injected * ns * burn_per_ns), rounds, rng)
    finally:
        for arm in arms.values():
            arm.close()
    return {'head': stats.median(logs['head']), 'aa': stats.median(logs['again']), 'slow': stats.median(logs['slow']),
            'ns': stats.median(times), 'ops': ops}


def rows_of(program):
    """{row: kind} in the program's order."""
    try:
        done = subprocess.run([program, '--rows'], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f'cannot ask {program} for its rows: {error}') from error
    rows = [line.split('\t') for line in done.stdout.splitlines()]
    if done.returncode != 0 or not rows or any(len(row) < 2 for row in rows):
        raise ToolError(f'{program} --rows ended with {done.returncode} and listed no rows: {done.stderr.strip()}')
    return {row[0]: row[1] for row in rows}


def cpus_for(kind):
    """The highest CPU for what runs on one, so that this script keeps to another; all for several workers."""
    usable = os.sched_getaffinity(0)
    return usable if kind == 'multi' else {max(usable)}


def run_pass(programs, rows, launches, rounds, seed, injected, progress):
    """All launches of the rows ({name: kind}) in a drawn order: {row: [launch, ...]}; a list of one str is why it
    failed. progress(done, all, row, seconds left) is called before each."""
    rng = random.Random(seed)
    jobs = [(row, number) for number in range(launches) for row in rng.sample(sorted(rows), len(rows))]
    found, failed, begin = {row: [] for row in rows}, {}, time.monotonic()
    for index, (row, _) in enumerate(jobs):
        left = (time.monotonic() - begin) / index * (len(jobs) - index) if index >= len(rows) else None
        progress(index, len(jobs), row, left)
        if row in failed:
            continue
        try:
            found[row].append(launch(programs, row, rounds, rng.randrange(1 << 32), cpus_for(rows[row]), injected))
        except ToolError as error:
            failed[row] = str(error)
    return {row: [failed[row]] if row in failed else found[row] for row in rows}
