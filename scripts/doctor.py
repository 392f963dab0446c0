#!/usr/bin/env python3
"""Says, before a run, what would spoil it, and what to do about each.

usage: scripts/doctor.py [--seconds N]

One line a check. Exit status: 0 when nothing would spoil a run, 1 when something would. It changes nothing.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_env  # noqa: E402  (beside this file)
import bench_peers  # noqa: E402

WANTED_MIB = 4096        # of free memory: a million tasks of every contender, and room
CLOCKS = ('tsc', 'kvm-clock', 'arch_sys_counter', 'hyperv_clocksource_tsc_page')    # read without a system call
WANTED_PIDS = 35000      # threads of the limit case, up to the usual pid_max
UNLIMITED = float('inf')
TOOLS = {'valgrind': 'exact counts', 'strace': 'system calls an operation', 'gnuplot': 'figures', 'wrk': 'the servers',
         'git': 'which commit was measured'}


class Finding(NamedTuple):
    good: bool
    topic: str
    what: str
    remedy: str = ''


def number(text, fallback=UNLIMITED):
    """Of a file of limits: `max`, -1, nothing and the kernel's huge values are no limit."""
    found = re.match(r'-?\d+', text or '')
    value = int(found.group(0)) if found else fallback
    return UNLIMITED if value < 0 or value >= 1 << 62 else value


def least_limit(kernel, ending):
    values = [number(value) for name, value in kernel['cgroup'].items() if name.endswith(ending)]
    return min(values, default=UNLIMITED)


def libraries_for_debugging():
    """Preloaded libraries and allocator settings that every measured program would inherit."""
    names = ('LD_PRELOAD', 'MALLOC_CHECK_', 'MALLOC_PERTURB_', 'GLIBC_TUNABLES', 'LD_DEBUG', 'LD_BIND_NOW')
    return [name for name in names if os.environ.get(name)]


def facts(seconds):
    """All that is looked at, in one table."""
    before, switches = bench_env.ticks(), idle_share()
    time.sleep(seconds)
    after, idle = bench_env.ticks(), idle_share()
    whole = max(1, after['all'] - before['all'])
    return {
        'load': os.getloadavg()[0], 'cpus': len(os.sched_getaffinity(0)),
        'busy': 1 - (idle[0] - switches[0]) / max(1, idle[1] - switches[1]),
        'steal': (after['stolen'] - before['stolen']) / whole,
        'kernel': bench_env.kernel(), 'cpu': bench_env.cpu(),
        'smt': bench_env.text_of('/sys/devices/system/cpu/smt/active'),
        'turbo': bench_env.text_of('/sys/devices/system/cpu/intel_pstate/no_turbo'),
        'nproc': ulimit('Max processes'), 'inherited': libraries_for_debugging(),
        'gos': sorted(name for name in os.environ if name.startswith('GOS_')),
        'tools': {name: shutil.which(name) is not None for name in TOOLS},
        'peers': missing_peers(),
    }


def idle_share():
    fields = [int(x) for x in (bench_env.text_of('/proc/stat') or 'cpu 0').splitlines()[0].split()[1:]]
    return sum(fields[3:5]), sum(fields[:8])


def ulimit(name):
    for line in (bench_env.text_of('/proc/self/limits') or '').splitlines():
        if line.startswith(name):
            return number(line[len(name):].split()[0].replace('unlimited', '-1'))
    return UNLIMITED


def missing_peers():
    """How to install each peer that has no program of its own or header here, by its package."""
    wanted = sorted({word for peer in bench_peers.PEERS.values()
                     for word in re.findall(r'apt-get install ([a-z0-9-]+)', peer['install'])})
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = subprocess.run(['sh', os.path.join(top, 'baselines/peers/java/find-java')], stdout=subprocess.DEVNULL,
                           check=False)
    has_java = found.returncode == 0   # from anywhere
    return [name for name in wanted
            if name not in bench_env.peers() and not (has_java and name.startswith('openjdk'))]


# ---- the checks: each looks at the facts and says what it thinks


def check_quiet(f):
    yield Finding(f['busy'] < 0.1, 'load',
                  f"{100 * f['busy']:.0f} % of the processors busy, load average {f['load']:.1f}",
                  'end what else runs here (top), or wait')
    yield Finding(f['steal'] <= 0.01, 'steal', f"{100 * f['steal']:.1f} % of the time taken by the host",
                  'take a machine of your own, or another hour')
    yield Finding(f['cpus'] >= 2, 'processors', f"{f['cpus']} may be used",
                  'use at least two (taskset, cpuset of the container): rows of several threads drop out')


def check_clock(f):
    governor = f['cpu']['governor']
    yield Finding(governor in (None, 'performance'), 'governor', governor or 'none here: the host decides',
                  'cpupower frequency-set -g performance')
    boosting = f['cpu']['boost'] == '1' or f['turbo'] == '0'
    yield Finding(not boosting, 'boost', 'on' if boosting else 'off, or out of our hands',
                  'echo 0 >/sys/devices/system/cpu/cpufreq/boost (Intel: 1 into intel_pstate/no_turbo)')
    yield Finding(f['smt'] != '1', 'SMT', {'1': 'on: neighbours share a core', '0': 'off'}.get(f['smt'], 'none'),
                  'echo off >/sys/devices/system/cpu/smt/control, or see that the siblings stay idle')
    source = f['cpu']['clocksource']
    yield Finding(source in CLOCKS, 'clock', source or '?', 'a clock that needs a system call is too slow: echo tsc '
                  '>/sys/devices/system/clocksource/clocksource0/current_clocksource')


def check_memory(f):
    kernel = f['kernel']
    free = kernel['memory_available_kib'] // 1024
    yield Finding(free >= WANTED_MIB, 'memory', f'{free:,} MiB free',
                  f'free {WANTED_MIB:,} MiB: rows of a million units end early otherwise, and say so')
    pages = re.search(r'\[(\w+)\]', kernel['transparent_hugepage'] or '')
    yield Finding(pages is None or pages.group(1) != 'always', 'huge pages', pages.group(1) if pages else 'none',
                  'echo madvise >/sys/kernel/mm/transparent_hugepage/enabled: bytes a task are wrong otherwise')
    overcommit = kernel['overcommit_memory']
    yield Finding(overcommit != '2', 'overcommit', f'vm.overcommit_memory={overcommit}',
                  'sysctl vm.overcommit_memory=0: stacks are reserved, not used')
    limit = least_limit(kernel, ('memory.max', 'memory.limit_in_bytes'))
    yield Finding(limit >= WANTED_MIB << 20, 'memory limit',
                  'none' if limit == UNLIMITED else f'{limit / 2 ** 20:,.0f} MiB', f'give it {WANTED_MIB:,} MiB')


def check_limits(f):
    kernel = f['kernel']
    maps = number(kernel['max_map_count'])
    yield Finding(maps >= 65530, 'mappings', f'vm.max_map_count={maps:g}',
                  'sysctl vm.max_map_count=65530: guarded stacks stop earlier than elsewhere')
    pids = min(least_limit(kernel, 'pids.max'), f['nproc'])
    yield Finding(pids >= WANTED_PIDS, 'threads', 'no limit but pid_max' if pids == UNLIMITED else f'at most {pids:g}',
                  f'ulimit -u {WANTED_PIDS}, pids limit of the container: rows of threads stop there')
    quota = [v for k, v in kernel['cgroup'].items() if k.endswith(('cpu.max', 'cpu.cfs_quota_us'))
             and not v.startswith(('max', '-1'))]
    yield Finding(not quota, 'processor quota', quota[0] if quota else 'none', 'start the container without --cpus')
    random = kernel['randomize_va_space']
    yield Finding(random == '2', 'ASLR', f'kernel.randomize_va_space={random}',
                  'sysctl kernel.randomize_va_space=2: launches must differ in their addresses')


def check_software(f):
    yield Finding(not f['inherited'], 'environment', ', '.join(f['inherited']) or 'plain',
                  'unset them: every measured program would inherit them')
    yield Finding(not f['gos'], 'GOS_*', ', '.join(f['gos']) or 'not set', 'unset them: bench does not pass them on')
    for name, there in f['tools'].items():
        if not there:
            yield Finding(False, name, f'not installed: {TOOLS[name]} will be missing', 'make setup')
    yield Finding(not f['peers'], 'peers', f"missing: {', '.join(f['peers'])}" if f['peers'] else 'all installed',
                  'make setup-peers')


CHECKS = (check_quiet, check_clock, check_memory, check_limits, check_software)


def findings(f):
    return [finding for check in CHECKS for finding in check(f)]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n\n')[0])
    parser.add_argument('--seconds', type=float, default=2, help='how long load and steal are watched')
    found = findings(facts(parser.parse_args().seconds))
    for one in found:
        print(f"{'ok  ' if one.good else 'BAD '} {one.topic:16} {one.what}")
        if not one.good:
            print(f"{'':21} -> {one.remedy}")
    bad = sum(not one.good for one in found)
    print(f'{bad} of {len(found)} checks would spoil a run or narrow it' if bad else 'nothing here would spoil a run')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
