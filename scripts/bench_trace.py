"""The case `trace`: what recording costs: nothing recorded, the flight recorder (as by default), and a trace in a file.

The gate's bench program in three processes that take turns, an epoch of about a millisecond each (perf_lockstep.py), on
one CPU, so that the thread that writes the file is paid for as well. Values are ratios to the process that records
nothing, each the median over the rounds of a launch.
"""
import os
import random
import tempfile
from math import exp

import stats
from perf_lockstep import Arm, ToolError, calibrate, cpus_for, rounds_of

CASES = ('trace',)
ROWS = ('yield', 'handover', 'spawn')
METRICS = {'again': 'ratio_again', 'flight': 'ratio_flight', 'file': 'ratio_file'}
ROUNDS = 60


def plan(add, cases, contenders):
    if 'trace' in cases and 'gossamer' in contenders:
        add(3, 'trace', 'gossamer', reps=ROUNDS)


def ratios(program, row, rounds, rng):
    """{arm: its time over that of the one that records nothing}; `again` is that one once more: what is error."""
    with tempfile.TemporaryDirectory() as folder:
        debugs = {'base': 'noflight', 'again': 'noflight', 'flight': '', 'file': f'trace={folder}/trace'}
        arms = {}
        try:
            for name in rng.sample(sorted(debugs), len(debugs)):
                arms[name] = Arm(program, row, cpus_for('single'), rng.randrange(4096), debugs[name])
            ops, _ = calibrate(arms)
            logs, _ = rounds_of(arms, ops, 0, rounds, rng)
        finally:
            for arm in arms.values():
                arm.close()
    return {name: exp(stats.median(logs[name])) for name in METRICS}


def summary(rows):
    """What the progress line says."""
    found = [f"{row['variant']} {row['value']:.3f}" for row in rows
             if row['case'] == 'trace' and row['metric'] == METRICS['file'] and row['value'] is not None]
    return f"{', '.join(found)} of the time with a trace" if found else ''


def run(gosbench, empty_row, launch, seed):
    """The rows of the case. empty_row(case, contender, variant, launch, metric) makes one."""
    program = os.path.join(os.path.dirname(gosbench), 'gate')
    if not os.access(program, os.X_OK):
        return [dict(empty_row('trace', 'gossamer', '', launch, METRICS['file']), status='not-run',
                     why=f'{program} is not built: make')]
    rng, rows = random.Random(seed), []
    for row in ROWS:
        try:
            found = ratios(program, row, ROUNDS, rng)
            rows += [dict(empty_row('trace', 'gossamer', row, launch, METRICS[name]), value=round(found[name], 4))
                     for name in METRICS]
        except ToolError as error:
            rows.append(dict(empty_row('trace', 'gossamer', row, launch, METRICS['file']), status='not-run',
                             why=str(error)))
    return rows
