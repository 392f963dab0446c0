"""The case `counts`: what an operation of the runtime costs in things that can be counted, beside the time it takes.

Over the rows of the gate's bench program, by the gate's own counting (perf_exact.py): slopes, so that what a process
does once is in none of them. Faults and switches come from the kernel's account of a run without any tool.
"""
import os
import subprocess
from math import inf

import perf_exact
from bench_steps import answer_of
from perf_lockstep import ToolError, rows_of

CASES = ('counts',)
KERNEL_FEW, KERNEL_MANY, KERNEL_RUNS = 20000, 120000, 3
CLEARED = ('spawn', 'deep')    # with GOS_DEBUG=clear as well
METRICS = ('instructions_per_op', 'system_calls_per_op', 'futexes_per_op', 'minor_faults_per_op',
           'context_switches_per_op')


def plan(add, cases, contenders):
    if 'counts' in cases and 'gossamer' in contenders:
        add(1, 'counts', 'gossamer', reps=1)


def kernel_account(program, row, ops, debug):
    """(minor faults, context switches, operations) of a process that did about `ops` operations, on one CPU."""
    with subprocess.Popen([program, row], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                          env=dict({k: v for k, v in os.environ.items() if not k.startswith('GOS_')}, GOS_DEBUG=debug),
                          preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})) as child:
        try:
            child.stdin.write(perf_exact.requests(ops).encode())
            child.stdin.close()
            answers = answer_of(child.stdout, perf_exact.LIMIT, inf)
        except BaseException as error:
            child.kill()
            if isinstance(error, OSError):
                raise ToolError(f'{row}: {error}') from error
            raise
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise ToolError(f'{row} ended with exit status {child.returncode}')
    return used.ru_minflt, used.ru_nvcsw + used.ru_nivcsw, perf_exact.operations(answers)


def kernel_slopes(program, row, debug):
    """(faults, switches) an operation: the least of a few, for whoever else runs here can only add to them."""
    found = []
    for _ in range(KERNEL_RUNS):
        few, many = (kernel_account(program, row, ops, debug) for ops in (KERNEL_FEW, KERNEL_MANY))
        found.append([max(0.0, (many[i] - few[i]) / (many[2] - few[2])) for i in (0, 1)])
    return [round(min(column), 4) for column in zip(*found)]


def summary(rows):
    """What the progress line says: the instructions."""
    found = [f"{row['variant']} {row['value']:.3g}" for row in rows
             if row['case'] == 'counts' and row['metric'] == METRICS[0] and row['value'] is not None]
    return f"{', '.join(found)} instructions" if found else ''


def counts_of(program, names, debug=''):
    """{name: values, one for each of METRICS}"""
    counted = perf_exact.measure(program, lambda what: None, names, ('instructions', 'system_calls'), debug)
    return {name: [*(counted[f'{group}/{name}'] for group in ('instructions', 'system_calls', 'futexes')),
                   *kernel_slopes(program, name, debug)] for name in names}


def run(gosbench, empty_row, launch):
    """The rows of the case. empty_row(case, contender, variant, launch, metric) makes one."""
    program = os.path.join(os.path.dirname(gosbench), 'gate')
    if not os.access(program, os.X_OK):
        return [dict(empty_row('counts', 'gossamer', '', launch, METRICS[0]), status='not-run',
                     why=f'{program} is not built: make')]
    rows = []
    try:
        names = [name for name, kind in rows_of(program).items() if kind in ('single', 'noisy')]
        counted = counts_of(program, names)
        cleared = counts_of(program, [name for name in names if name in CLEARED], 'clear')
        counted.update({f'{name}, clear': values for name, values in cleared.items()})
        rows = [dict(empty_row('counts', 'gossamer', name, launch, metric), value=value)
                for name, values in counted.items() for metric, value in zip(METRICS, values)]
    except ToolError as error:
        rows.append(dict(empty_row('counts', 'gossamer', '', launch, METRICS[0]), status='not-run', why=str(error)))
    return rows
