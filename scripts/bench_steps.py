"""Lock step: the contenders of a row take turns on one CPU, a repetition a turn, in an order drawn anew each round.

Each turn is looked at from outside: the anchor loop before and after it, time that the host took from the CPU, and time
that other processes took. A disturbed turn is marked, and taken again while there are turns to spare; what was taken in
its place counts. docs/ADDING-A-CONTENDER.md has the protocol that the programs speak.
"""
import json
import os
import select
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'plots'))
import rows as results  # noqa: E402

CASES = ('yield', 'handover', 'spawn')
AGAIN = 'aa'    # gossamer once more, under another name: what it differs from gossamer is error
SLOWED, SLOWED_BY = 'aa-slow', 3    # gossamer, made slower by so many per cent: a difference that has to be seen
ANCHOR_MOVED, STOLEN, OTHERS = 0.02, 0.01, 0.03    # shares beyond which a turn or launch is disturbed
TICKS = os.sysconf('SC_CLK_TCK')
PAUSE_S = 0.001    # what starting a turn takes, beyond the turn


class Anchor:
    """The program that times the anchor loop, on the CPU that contenders with one thread run on."""

    def __init__(self, gosbench):
        self.child = subprocess.Popen([gosbench, '--anchor'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        """Nanoseconds of the loop; the least of five, so that an interrupt does not show."""
        try:
            os.write(self.child.stdin.fileno(), b'\n')    # no buffer, whose rest close() would raise for
            return int(self.child.stdout.readline())
        except (OSError, ValueError):
            return 0

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def stolen_s(cpu=None):
    """Seconds that the host took from one CPU since boot, or from all together."""
    with open('/proc/stat', encoding='ascii') as file:
        for line in file:
            fields = line.split()
            if fields[0] == ('cpu' if cpu is None else f'cpu{cpu}'):
                return int(fields[8]) / TICKS if len(fields) > 8 else 0.0
    return 0.0


class Watch:
    """What the machine did from begin to end."""

    def __init__(self, anchor, cpu=None, pid=None):
        self.anchor, self.cpu, self.pid = anchor, cpu, pid
        self.before, self.stolen, self.used = anchor.read(), stolen_s(cpu), self.cpu_s()
        self.begin = time.monotonic()

    def cpu_s(self):
        """Processor time of the process so far."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2) if self.pid else 0.0
        except OSError:
            return None    # it has ended

    def end(self, alone=False):
        """(fields for the rows, why it was disturbed or ''). alone: the process should have had the CPU to itself."""
        took = time.monotonic() - self.begin
        after, stolen, used = self.anchor.read(), stolen_s(self.cpu) - self.stolen, self.cpu_s()
        fields, why = {'anchor_ns': [self.before, after]}, []
        if self.before and abs(after / self.before - 1) > ANCHOR_MOVED:
            why.append(f'the anchor moved by {100 * (after / self.before - 1):+.1f} %')
        if stolen > STOLEN * took:
            why.append(f'the host took {1000 * stolen:.0f} of {1000 * took:.0f} ms')
        if self.pid and used is not None:
            fields['cpu_share'] = round((used - self.used) / took, 4)
            lost = took - (used - self.used) - PAUSE_S
            if alone and lost > OTHERS * took:
                why.append(f'others had {1000 * lost:.1f} of {1000 * took:.1f} ms')
        return fields, '; '.join(why)


def rows_of(data):
    """(rows, how many lines were none) of what a program wrote."""
    found, refused = [], 0
    for line in data.splitlines():
        try:
            row = json.loads(line)
            results.check_row(row, 'a line')
            found.append(row)
        except (ValueError, results.ResultsError):
            refused += 1
    return found, refused


def answer_of(pipe, limit, lines=1):
    """So many lines of a program that then says no more until it is asked; fewer at its end. Raises TimeoutError: a
    program that hangs must not hang the suite."""
    data, end = b'', time.monotonic() + limit
    while data.count(b'\n') < lines:
        if not select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError(f'no answer within {limit} s')
        piece = os.read(pipe.fileno(), 1 << 16)
        if not piece:
            break
        data += piece
    return data.decode(errors='replace')


def why_lost(rows, refused):
    """What is wrong with the rows of a program that ended well, or ''."""
    if refused:
        return f'wrote {refused} lines that are no rows: see docs/ADDING-A-CONTENDER.md'
    return '' if rows else 'ended well and wrote no row: see docs/ADDING-A-CONTENDER.md'


class Arm:
    """One contender's process."""

    def __init__(self, contender, series, command, env, rows, spare):
        self.contender, self.series, self.path, self.read = contender, series, rows, 0
        self.spare = spare    # turns that may be taken again
        self.refused = 0    # lines that were no rows
        self.excused = False    # it has said itself why it takes no more turns
        self.child = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)

    def ready(self, limit):
        """Waits until it asks for a turn: True; False when it has ended, None when it took too long."""
        found, _, _ = select.select([self.child.stdout], [], [], limit)
        return self.child.stdout.readline() == 'ready\n' if found else None

    def go(self):
        try:
            os.write(self.child.stdin.fileno(), b'go\n')
        except BrokenPipeError:
            pass    # it has ended: ready() says so

    def rows(self):
        """The rows that it has written since the last time."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, 'rb') as file:
            file.seek(self.read)
            text = file.read()
        whole = text[:text.rfind(b'\n') + 1]
        self.read += len(whole)
        found, refused = rows_of(whole)
        self.refused += refused
        for row in found:
            row['contender'] = self.series or row['contender']
            self.excused = self.excused or row['status'] != 'ok'
        return found

    def end(self, limit):
        """Its exit code (None: it did not end) and what it said."""
        try:
            _, err = self.child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()
            return None, ''
        return self.child.returncode, err


class Group:
    """One launch of all arms of a row."""

    def __init__(self, suite, launch, job, tools):
        self.suite, self.launch, self.job, self.tools = suite, launch, job, tools
        self.arms, self.found = [], []
        self.cpu = max(os.sched_getaffinity(0))

    def run(self):
        try:
            self.start()
            cold = self.job.case == 'spawn'    # of which the first round is
            for number in range(self.job.reps + cold):
                self.suite.random.shuffle(self.arms)
                for arm in list(self.arms):
                    if number < self.turns_of(arm):
                        self.turn(arm, number, number > 0 or not cold)
            for arm in self.arms:
                self.finish(arm)
            return self.found
        finally:
            for arm in self.arms:
                if arm.child.poll() is None:
                    arm.child.kill()
                    arm.child.wait()
                for pipe in filter(None, (arm.child.stdin, arm.child.stdout, arm.child.stderr)):
                    pipe.close()
                if os.path.exists(arm.path):
                    os.remove(arm.path)

    def start(self):
        """One after the other, since each calibrates itself before it asks for its first turn."""
        order = list(self.job.arms)
        self.suite.random.shuffle(order)
        for contender, series in order:
            one = self.job.arm(contender, series)
            command, env, path, absent = self.suite.command(self.launch, one)
            if absent:
                self.found += absent
                continue
            arm = Arm(contender, series, [*command, '--lockstep'], env, path, self.job.reps)
            self.arms.append(arm)
            if arm.ready(self.tools.limit) is not True:
                self.dropped(arm, True)

    def turns_of(self, arm):
        """How many it is to have, with the cold one of spawn; those that are taken again come on top."""
        return self.job.rounds.get(arm.contender, self.job.reps) + (self.job.case == 'spawn')

    def dropped(self, arm, early):
        """It ended, or hangs: what it wrote, or why it ended. early: it was to have more turns."""
        self.arms.remove(arm)
        code, err = arm.end(1)
        rows = arm.rows()
        self.found += rows
        if code != 0:
            why = self.tools.why_ended(code, self.tools.limit, err)
        else:
            why = 'ended before it had all its turns' if early and not arm.excused else ''
        if why and not any(row['status'] == 'failed' for row in rows):
            one = self.job.arm(arm.contender, arm.series)
            self.found.append(self.tools.failed_row(one, self.launch, why))

    def turn(self, arm, number, again):
        """Until it was not disturbed, or no turns are left to spare. again: it can be repeated at all."""
        while True:
            watch = Watch(self.suite.anchor, self.cpu, arm.child.pid)
            arm.go()
            state = arm.ready(self.tools.limit)
            fields, bad = watch.end(alone=bool(state))
            retake = bool(bad and state and again and arm.spare and self.suite.may_retake())
            rows = arm.rows()
            for row in rows:
                row.update(fields, round=number, link=self.tools.link(self.launch))
                row.update({'bad': bad, 'rejected': retake} if bad else {})
            self.found += rows
            if not state:
                self.dropped(arm, not rows or number + 1 < self.turns_of(arm))
            if not retake:
                return
            arm.spare -= 1

    def finish(self, arm):
        arm.child.stdin.close()
        arm.child.stdin = None
        code, err = arm.end(self.tools.limit)
        one = self.job.arm(arm.contender, arm.series)
        if code != 0:
            why = self.tools.why_ended(code, self.tools.limit, err)
            self.found.append(self.tools.failed_row(one, self.launch, why))
        elif arm.refused:
            self.found.append(self.tools.failed_row(one, self.launch, why_lost(1, arm.refused)))
