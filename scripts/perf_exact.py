"""Counts that do not depend on how busy the machine is: instructions, system calls, futexes, memory, sizes of code.

Each is a slope between two sizes of the same epoch, never a total: what a process does once (loader, environment) is
in neither. The process' first thread does not count when there are others: it is the monitor, which goes by the clock.
"""
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile

import stats
from perf_lockstep import ToolError, rows_of

WARM_OPS, FEW_OPS, MANY_OPS = 1000, 4000, 12000
CALL_FEW, CALL_MANY = 300, 1300    # under strace, where each call costs much
PARKED = (2000, 4000, 8000, 16000)
SIZES = ('gos__resume', 'gos__task_start', '__morestack', '__morestack_non_split')    # bytes count
LIMIT = 120
# The loader and libc choose functions by what the CPU has: the same ones everywhere.
HWCAPS = '-AVX,-AVX2,-AVX512F,-AVX512BW,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-BMI2,-LZCNT,-MOVBE,-RTM'
# trim=0, noflight: what the runtime does because time has passed is no operation's cost.
PLAIN_ENVIRONMENT = {'LC_ALL': 'C', 'GLIBC_TUNABLES': f'glibc.cpu.hwcaps={HWCAPS}', 'GOS_DEBUG': 'trim=0,noflight'}
TRIES = 3    # of a count that is more than it should be: the clock can only add to it (a task yields after 10 ms)


def needed(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise ToolError(f'{program} is not installed: make setup')


def output_of(command, requests, folder, debug=''):
    """Runs it in an empty environment without address randomization; what it says on standard output. debug: further
    words for GOS_DEBUG."""
    full = ['setarch', '-R', *command]
    environment = dict(PLAIN_ENVIRONMENT, PATH=os.environ.get('PATH', ''))
    environment['GOS_DEBUG'] += debug and f',{debug}'
    try:
        done = subprocess.run(full, input=requests, capture_output=True, text=True, timeout=LIMIT, check=False,
                              env=environment, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(command[:1])}: no end within {LIMIT} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ['said nothing'])[-1]
        raise ToolError(f'{command[0]} of {os.path.basename(command[-2])} {command[-1]} gave exit status '
                        f'{done.returncode}: {last}')
    return done.stdout


def requests(ops):
    return f'{WARM_OPS} 0\n{ops} 0\n'


def operations(output):
    """Of the second epoch."""
    words = output.split()
    if len(words) != 4 or not words[3].isdigit():
        raise ToolError(f"two requests were answered by '{' '.join(words)[:100]}', not twice by NS OPS")
    return int(words[3])


def slope(points):
    """What an operation, or a task, adds."""
    found = stats.slope(points)
    if found is None:
        raise ToolError(f'the same number of operations, {points[0][0]}, whatever was asked for')
    return found


# ---- instructions, by callgrind


def instructions(program, row, debug=''):
    """Instructions of an operation."""
    points = []
    for ops in (FEW_OPS, MANY_OPS):
        with tempfile.TemporaryDirectory() as folder:
            out = output_of(['valgrind', '--tool=callgrind', '--separate-threads=yes',
                             f'--callgrind-out-file={folder}/out', program, row], requests(ops), folder, debug)
            totals = [sum(map(int, re.findall(r'^totals: (\d+)', text, re.M)))
                      for text in by_thread(f'{folder}/out-*')]
        points.append((operations(out), sum(totals)))
    return slope(points)


def by_thread(pattern):
    """Texts of the files that a tool wrote, one for each thread, without the first thread's if there are others."""
    paths = sorted(glob.glob(pattern), key=lambda path: int(re.search(r'\d+$', path).group(0)))
    if not paths:
        raise ToolError(f'nothing was written as {os.path.basename(pattern)}')
    return [text_of(path) for path in (paths[1:] or paths)]


def text_of(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


# ---- system calls, by strace


def system_calls(program, row, debug=''):
    """(all, futex) system calls of an operation."""
    every, futexes = [], []
    for ops in (CALL_FEW, CALL_MANY):
        with tempfile.TemporaryDirectory() as folder:
            out = output_of(['strace', '-ff', '-qq', '-o', f'{folder}/calls', program, row], requests(ops), folder,
                            debug)
            names = [name for text in by_thread(f'{folder}/calls.*') for name in re.findall(r'^(\w+)\(', text, re.M)]
        every.append((operations(out), len(names)))
        futexes.append((operations(out), names.count('futex')))
    return slope(every), slope(futexes)


# ---- memory of parked tasks, size of code


def memory(program):
    """{metric: a parked task's share}, each the least-squares slope over four numbers of tasks."""
    points = {}
    for n in PARKED:
        out = output_of([program, 'parked'], f'{n}\n', None)
        for name, value in re.findall(r'(\w+)=(\d+)', out):
            points.setdefault(name, []).append((n, int(value)))
    return {f'{name}/parked': slope(values) for name, values in points.items()}


def code_bytes(program):
    done = subprocess.run(['nm', '-S', '--defined-only', program], capture_output=True, text=True, check=False)
    sizes = {name: int(size, 16) for size, name in re.findall(r'^\w+ (\w+) [tT] (\S+)$', done.stdout, re.M)}
    return {f'code_bytes/{name}': sizes[name] for name in SIZES if name in sizes}


def stripped(program, folder):
    """Without debugging information, which valgrind 3.19 cannot read when clang and lld have made it."""
    path = os.path.join(folder, os.path.basename(program))
    if shutil.which('strip') is None or subprocess.run(['strip', '-g', '-o', path, program], check=False).returncode:
        shutil.copy(program, path)
    return path


def measure(program, progress, rows=None, kinds=('instructions', 'system_calls', 'memory', 'code'), debug=''):
    """{metric: value}, rounded to what repeats. rows: only these; progress(what) is called before each count; debug:
    words for GOS_DEBUG."""
    needed('valgrind', 'strace', 'setarch', 'nm')
    values = {}
    table = rows_of(program)
    with tempfile.TemporaryDirectory() as folder:
        path = stripped(program, folder)
        for row in rows or [row for row, kind in table.items() if kind in ('single', 'noisy')]:
            if 'instructions' in kinds:
                progress(f'instructions of {row}')
                values[f'instructions/{row}'] = round(instructions(path, row, debug), 2)
            if 'system_calls' in kinds:
                progress(f'system calls of {row}')
                every, futexes = system_calls(path, row, debug)
                values.update({f'system_calls/{row}': round(every, 2), f'futexes/{row}': round(futexes, 2)})
        if 'memory' in kinds and 'parked' in table.values():
            progress('memory of parked tasks')
            values.update({name: round(value, 4) for name, value in memory(path).items()})
    return dict(values, **(code_bytes(program) if 'code' in kinds else {}))


# ---- budgets


def least(program, values, suspects, progress):
    """The values with those of the suspect metrics replaced by the least of a few more counts."""
    for metric in suspects:
        group, row = metric.split('/')
        kind = {'instructions': 'instructions', 'system_calls': 'system_calls', 'futexes': 'system_calls'}.get(group)
        if kind is not None:
            again = measure(program, progress, [row], (kind,))
            values = {name: min(value, again.get(name, value)) for name, value in values.items()}
    return values


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ''
    return (done.stdout or done.stderr).split('\n')[0]


def version_of(text):
    found = re.search(r'\d+\.\d+(\.\d+)?', text.split(')')[-1] or text)
    return found.group(0) if found else 'unknown'


def key(compiler):
    """Name of the budget's file: the compiler with its version, and the architecture."""
    line = first_line(compiler, '--version')
    name = 'clang' if 'clang' in line else 'gcc'
    version = first_line(compiler, '-dumpfullversion') if name == 'gcc' else version_of(line)
    return f'{name}-{version}-{platform.machine()}'


def fitted(compiler):
    """What else decides the counts: a budget made with others says nothing here."""
    return {'compiler': first_line(compiler, '--version'), 'libc': ' '.join(platform.libc_ver()),
            'linker': version_of(first_line('ld.lld', '--version').replace('LLD', '')),
            'valgrind': first_line('valgrind', '--version')}


def load(path, compiler):
    """(budget, '') or (None, why there is none that holds here)."""
    how = f"make one with `make perf-budget CC={compiler}` on a commit that is as it should be, and commit it"
    if not os.path.exists(path):
        return None, f'no budget {os.path.basename(path)}: {how}'
    try:
        with open(path, encoding='utf-8') as file:
            data = json.load(file)
        made_with, budget = data['made_with'], data['budget']
        if not isinstance(made_with, dict) or not all(type(value) in (int, float) for value in budget.values()):
            raise TypeError('not what it was made with, and numbers')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f'{path} is damaged ({error}): {how}'
    here = fitted(compiler)
    other = [f'{what} {made_with.get(what)}, here {here[what]}' for what in here if made_with.get(what) != here[what]]
    if other:
        return None, f"{os.path.basename(path)} was made with {'; '.join(other)}: {how}"
    return budget, ''


def save(path, compiler, values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'made_with': fitted(compiler), 'budget': dict(sorted(values.items()))}, file, indent=1)
        file.write('\n')
