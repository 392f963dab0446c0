"""Memory and processor time of a contender's process, read from outside, in the same way for all.

A program stops where it is to be read: it writes a line `stop` and waits for one. The first stop is before its units,
the second while they are there (parked, or timers pending), the last when they are over; `depth` has the first two.
"""
import os
import subprocess
import threading
import time

import bench_env

CASES = ('memory', 'depth', 'timers')
KERNEL_STACK = 16384    # x86-64: THREAD_SIZE
TICKS = os.sysconf('SC_CLK_TCK')


UNSEEN = {'status': 'failed', 'why': 'the program did not stop when its units were over, or had none'}


def text_of(pid, name):
    with open(f'/proc/{pid}/{name}', encoding='utf-8') as file:
        return file.read()


def fields_of(text):
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(':') for line in text.splitlines())
            if rest.split() and rest.split()[0].isdigit()}


def usage(pid):
    """Bytes, mappings, and nanoseconds of processor time in ticks of the kernel's clock."""
    status = fields_of(text_of(pid, 'status'))
    times = text_of(pid, 'stat').rpartition(')')[2].split()
    return {'rss_bytes': status['VmRSS'] << 10, 'pte_bytes': status['VmPTE'] << 10,
            'pss_bytes': fields_of(text_of(pid, 'smaps_rollup'))['Pss'] << 10,
            'kernel_stack_bytes': status['Threads'] * KERNEL_STACK, 'mappings': text_of(pid, 'maps').count('\n'),
            'cpu_ns': (int(times[11]) + int(times[12])) * 10 ** 9 // TICKS}


def guard(child, limit, over):
    """Ends it when it takes too long, or the last of the memory; says which in `over`."""
    end = time.monotonic() + limit
    while child.poll() is None:
        short = bench_env.memory_left() < bench_env.LEAST_MEMORY
        if short or time.monotonic() > end:
            over.append(bench_env.MEMORY_SHORT if short else '')
            child.kill()
        time.sleep(0.2)


def run(command, limit, env=None):
    """(exit code, or None when it was ended for taking too long or too much; what it wrote; its errors; what was read
    of it)."""
    seen, out, over = [], [], []
    with subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        threading.Thread(target=guard, args=(child, limit, over), daemon=True).start()
        try:
            unread = look(child, out, seen)
            err = child.stderr.read()
        except BaseException:
            child.kill()    # it waits for a line that does not come, and `with` waits for it
            raise
    return None if over else child.returncode, ''.join(out), err + ''.join(over) + unread, seen


def look(child, out, seen):
    """Takes what it writes, and reads its usage where it stops. Why that failed, or ''."""
    try:
        for line in child.stdout:
            if line != 'stop\n':
                out.append(line)
                continue
            seen.append(usage(child.pid))
            os.write(child.stdin.fileno(), b'\n')    # no buffer, whose rest close() would raise for
    except (OSError, KeyError) as error:    # it ended while it was looked at, or this kernel does not tell (gVisor)
        try:
            child.wait(1)
        except subprocess.TimeoutExpired:
            child.kill()
            return f'\nits memory cannot be read: {type(error).__name__}: {error}'
    return ''


def rows_of(rows, seen=()):
    """The row `units` that a program writes at its end becomes one for each thing that was read."""
    found = []
    for row in rows:
        if row['metric'] != 'units':
            found.append(row)
            continue
        before, there, after = (*seen, None, None, None)[:3]
        if there is None:
            found.append(dict(row, metric='rss_bytes', value=None, status='failed',
                              why='the program did not stop to be read'))
            continue
        more = ('pss_bytes', 'mappings') if row['case'] == 'memory' else ()
        values = {name: max(0, there[name] - before[name])
                  for name in ('rss_bytes', 'pte_bytes', 'kernel_stack_bytes', *more)}
        if row['case'] == 'memory':
            values['retained_rss_bytes'] = max(0, after['rss_bytes'] - before['rss_bytes']) if after else None
        if row['case'] == 'timers':
            took = after['cpu_ns'] - before['cpu_ns'] if after else None
            values['cpu_ns_per_op'] = took / row['units_made'] if after and row['units_made'] else None
        found += [dict(row, metric=name, value=value, **({} if value is not None else UNSEEN))
                  for name, value in values.items()]
    return found
