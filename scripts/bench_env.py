"""What a run must record so that its numbers can be read later: machine, kernel, limits, tools, binary."""
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time

import bench_peers
import topology_picture


def host_name():
    return re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname()) or 'host'


def text_of(path):
    """The file's text without the last newline, or None."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().strip()
    except OSError:
        return None


def first_line(*command):
    """The first line that a program says, or None when it is not there."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def cpu():
    info = text_of('/proc/cpuinfo') or ''

    def field(name):
        found = re.search(rf'^{name}\s*:\s*(.*)$', info, re.M)
        return found.group(1) if found else None

    vulnerabilities = sorted(glob.glob('/sys/devices/system/cpu/vulnerabilities/*'))
    return {
        'model': field('model name'), 'microcode': field('microcode'), 'mhz': field('cpu MHz'),
        'hypervisor': 'hypervisor' in (field('flags') or '').split(),
        'online': os.cpu_count(), 'usable': sorted(os.sched_getaffinity(0)),
        'governor': text_of('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
        'smt': text_of('/sys/devices/system/cpu/smt/control'),
        'boost': text_of('/sys/devices/system/cpu/cpufreq/boost'),
        'clocksource': text_of('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
        'mitigations': {os.path.basename(path): text_of(path) for path in vulnerabilities},
    }


def cgroup():
    """The limits of the process' cgroups, version 1 or 2; not their paths, which describe the host's own machinery."""
    lines = (text_of('/proc/self/cgroup') or '').splitlines()
    limits = {}
    for line in lines:
        _, controller, path = line.split(':', 2)
        for name in ('memory.max', 'memory.limit_in_bytes', 'pids.max', 'cpu.max', 'cpu.cfs_quota_us'):
            value = text_of(f'/sys/fs/cgroup/{controller}{path.rstrip("/")}/{name}')
            if value is not None:
                limits[f'{controller}/{name}'.lstrip('/')] = value
    return limits


# The programs stop at 80 % of the free memory by themselves; this is for those that do not.
LEAST_MEMORY = 0.12
MEMORY_SHORT = '\nthe watchdog: 88 % of the memory were in use'


def memory_left():
    """The share of the machine's memory that is available."""
    meminfo = dict(re.findall(r'^(MemTotal|MemAvailable):\s+(\d+)', text_of('/proc/meminfo') or '', re.M))
    return int(meminfo.get('MemAvailable', 1)) / int(meminfo.get('MemTotal', 1))


def kernel():
    meminfo = dict(re.findall(r'^(\w+):\s+(\d+) kB', text_of('/proc/meminfo') or '', re.M))
    return {
        'release': platform.release(), 'version': platform.version(), 'machine': platform.machine(),
        'memory_total_kib': int(meminfo.get('MemTotal', 0)),
        'memory_available_kib': int(meminfo.get('MemAvailable', 0)),
        'swap_total_kib': int(meminfo.get('SwapTotal', 0)),
        'transparent_hugepage': text_of('/sys/kernel/mm/transparent_hugepage/enabled'),
        'overcommit_memory': text_of('/proc/sys/vm/overcommit_memory'),
        'max_map_count': text_of('/proc/sys/vm/max_map_count'),
        'pid_max': text_of('/proc/sys/kernel/pid_max'),
        'threads_max': text_of('/proc/sys/kernel/threads-max'),
        'randomize_va_space': text_of('/proc/sys/kernel/randomize_va_space'),
        'ulimits': (text_of('/proc/self/limits') or '').splitlines(),
        'cgroup': cgroup(),
    }


def distribution():
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text_of('/etc/os-release') or '', re.M)
    return found.group(1) if found else None


def peers():
    """{package: version} of the libraries that are compared, as Debian's package tool knows them."""
    names = sorted({word for peer in bench_peers.PEERS.values()
                    for word in re.findall(r'apt-get install ([a-z0-9-]+)', peer['install'])})
    if shutil.which('dpkg-query') is None:
        return {}
    # It fails when one is missing, and names the others all the same.
    done = subprocess.run(['dpkg-query', '-W', '-f', '${Package} ${Version}\n', *names],
                          capture_output=True, text=True, check=False)
    return dict(line.split(' ', 1) for line in done.stdout.splitlines() if ' ' in line.strip())


def crates():
    """{crate: version} that the programs in Rust are pinned to."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'baselines', 'peers')
    locks = [text_of(os.path.join(folder, peer, 'Cargo.lock')) or '' for peer in ('tokio', 'may')]
    return {name: version for lock in locks
            for name, version in re.findall(r'^name = "(tokio|may|async-channel|httparse)"\nversion = "([^"]*)"', lock,
                                            re.M)}


def java(build):
    """The version of the JDK that is measured, or None."""
    home = text_of(os.path.join(build, 'java-home'))
    found = re.search(r'^JAVA_RUNTIME_VERSION="([^"]*)', text_of(os.path.join(home or '', 'release')) or '', re.M)
    return found.group(1) if found else None


def tools(folder, build):
    hwloc = re.search(r'name="hwlocVersion" value="([^"]*)"', text_of(os.path.join(folder, 'topology.xml')) or '')
    return {
        'glibc': ' '.join(platform.libc_ver()), 'gcc': first_line('gcc', '--version'),
        'clang': first_line('clang', '--version'), 'lld': first_line('ld.lld', '--version'),
        'valgrind': first_line('valgrind', '--version'),
        'strace': first_line('strace', '-V'), 'hwloc': hwloc.group(1) if hwloc else None,
        'python': platform.python_version(), 'go': first_line('go', 'version'), 'java': java(build),
        'rust': first_line('rustc', '--version'), 'peers': {**peers(), **crates()},
    }


def binary(gosbench):
    with open(gosbench, 'rb') as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {'name': os.path.basename(gosbench), 'sha256': digest,
            'flags': text_of(os.path.join(os.path.dirname(gosbench), 'flags'))}


def git(root):
    if shutil.which('git') is None:
        return None
    changed = output('git', '-C', root, 'status', '--porcelain', '--untracked-files=no')
    commit = output('git', '-C', root, 'rev-parse', 'HEAD')
    return {'commit': commit, 'changed_files': len((changed or '').splitlines())}


def now():
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def ticks():
    """Time of all CPUs since boot: (stolen by the host, all), in ticks."""
    fields = [int(x) for x in (text_of('/proc/stat') or 'cpu 0').splitlines()[0].split()[1:]]
    return {'stolen': fields[7] if len(fields) > 7 else 0, 'all': sum(fields[:8])}


def draw_topology(folder):
    """topology.svg beside topology.xml, when there is one."""
    try:
        text = topology_picture.picture(text_of(os.path.join(folder, 'topology.xml')) or '')
    except SyntaxError:    # ElementTree.ParseError is one
        return
    with open(os.path.join(folder, 'topology.svg'), 'w', encoding='utf-8') as file:
        file.write(text)


def describe(args, folder, root):
    """Everything known at the start; writes topology.xml on the way."""
    subprocess.run([args.gosbench, f"--topology={os.path.join(folder, 'topology.xml')}"], check=False)
    draw_topology(folder)
    return {
        'schema': 1, 'start': now(), 'end': None, 'complete': False, 'profile': args.profile, 'seed': args.seed,
        'command_line': [os.path.basename(sys.argv[0])] + sys.argv[1:], 'host': host_name(),
        'distribution': distribution(), 'kernel': kernel(), 'cpu': cpu(),
        'tools': tools(folder, os.path.dirname(args.gosbench)),
        'binary': binary(args.gosbench), 'git': git(root), 'load_average_start': os.getloadavg(), 'ticks': ticks(),
    }


def at_end(env):
    """What is known only afterwards."""
    after, before = ticks(), env['ticks']
    whole = after['all'] - before['all']
    return {'end': now(), 'load_average_end': os.getloadavg(),
            'steal_percent': round(100 * (after['stolen'] - before['stolen']) / whole, 3) if whole else None}


def write(folder, env):
    """Replaced in one step, so that it is whole at any moment."""
    path = os.path.join(folder, 'env.json')
    with open(path + '.part', 'w', encoding='utf-8') as file:
        json.dump(env, file, indent=1)
        file.write('\n')
    os.replace(path + '.part', path)
