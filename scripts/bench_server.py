"""What bench.py runs for the server: closed loops by wrk, open loops by loadgen, four servers.

The server has the first CPU, the driver the second one: one worker, one loop, GOMAXPROCS 1, threads bound alike. The
rates of the open loops come from the closed ones of the same run: shares of what the weakest server reached.
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import bench_peers
from bench_steps import answer_of

FOLDER = os.path.join('benches', 'server')
LUA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), FOLDER, 'wrk.lua')
CONTENDERS = ('gossamer', 'epoll', 'libuv', 'pthread', 'go', 'tokio', 'java', 'erlang')
# Closed loops alone, and but for the full profile with one number of connections.
BRIEF = ('libuv', 'tokio', 'java', 'erlang')
OPEN_AT = 100       # connections of the open loops, and of the closed ones that their rates come from
SHARES = (50, 80)   # per cent of the weakest server's peak
OPEN_ROUND = 1000   # rounds of open loops come after all others
KERNEL_STACK = 16384
MANY = 10000
PATIENCE = 30       # seconds for an answer of a server; a virtual machine needs some to start

# Connections: (launches, seconds), whole ones as wrk wants them; the open loops' launches, warm-up and seconds. The
# first second of many connections goes into accepting them.
PROFILES = {
    'quick': {'closed': {100: (1, 1)}, 'open': (1, 0.2, 0.5)},
    'default': {'closed': {100: (3, 1), 1000: (3, 1), MANY: (2, 4)}, 'open': (5, 0.2, 0.6)},
    'full': {'closed': {10: (5, 2), 100: (5, 2), 1000: (5, 2), MANY: (3, 6)}, 'open': (5, 0.5, 2)},
}
PROGRAM = {'tokio': 'tokiobench', 'java': 'javabench', 'erlang': 'erlbench'}
ABSENT = {'go': 'Go is not installed: apt-get install golang-go, then make',
          'libuv': 'libuv or an HTTP parser is not installed: apt-get install libuv1-dev libhttp-parser-dev, then make',
          **{name: bench_peers.PEERS[program]['install'] for name, program in PROGRAM.items()},
          'wrk': 'wrk is not installed: apt-get install wrk',
          'server': 'no HTTP parser library: apt-get install libhttp-parser-dev (or libllhttp-dev), then make'}


def plan(rounds, new_job, profile, cases, contenders):
    """Adds the jobs to the rounds {launch: [job]}."""
    if 'server' not in cases:
        return
    p = PROFILES[profile]
    for name in CONTENDERS:
        if name not in contenders:
            continue
        for n, (launches, seconds) in p['closed'].items():
            if name in BRIEF and profile != 'full':
                launches = min(launches, 2) if n == OPEN_AT else 0
            for launch in range(launches):
                rounds.setdefault(launch, []).append(new_job('server', name, n=n, variant='closed', seconds=seconds))
        launches, _, seconds = p['open']
        if name in BRIEF:
            continue
        for launch in range(launches):
            for share in SHARES:
                rounds.setdefault(OPEN_ROUND + launch, []).append(
                    new_job('server', name, n=OPEN_AT, variant=f'open-{share}', seconds=seconds))


def guess(job):
    """Seconds, before this kind has run once."""
    return 0.5 + job.seconds


class Server:
    """One server process: started, asked for its counts, ended."""

    def __init__(self, program, env, cpus):
        env = dict(env, GOS_PROCS='1', GOMAXPROCS='1')
        self.process = subprocess.Popen([program, '--port', '0'], env=env, text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, preexec_fn=lambda: prepare(cpus[0]))
        try:
            words = answer_of(self.process.stdout, PATIENCE).split()
            if len(words) != 2 or words[0] != 'listening' or not words[1].isdigit():
                said = self.process.communicate(timeout=5)[1].strip()[:200]
                raise OSError(f"the server did not start: {said or ' '.join(words)[:200] or 'it said nothing'}")
        except BaseException:
            self.end()
            raise
        self.port = int(words[1])

    def counts(self, number):
        self.process.send_signal(number)
        return json.loads(answer_of(self.process.stdout, PATIENCE))

    def memory(self):
        """Bytes: resident, page tables, kernel stacks."""
        with open(f'/proc/{self.process.pid}/status', encoding='utf-8') as file:
            fields = dict(line.split(':', 1) for line in file if ':' in line)
        return {'rss_bytes': int(fields['VmRSS'].split()[0]) << 10, 'pte_bytes': int(fields['VmPTE'].split()[0]) << 10,
                'kernel_stack_bytes': int(fields['Threads']) * KERNEL_STACK}

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def prepare(cpu):
    """In the child: its CPU, and as many open files as it may have."""
    os.sched_setaffinity(0, {cpu})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def absent(suite, job):
    """Why this cannot be run here, or None."""
    program = program_of(suite, job.contender)
    if not os.access(program, os.X_OK):
        return ABSENT.get(job.contender, ABSENT['server'])
    if len(os.sched_getaffinity(0)) < 2:
        return 'needs two CPUs, the suite may use one'
    if job.variant == 'closed' and shutil.which('wrk') is None:
        return ABSENT['wrk']
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < job.n + 200:
        return f'{job.n} connections need more open files than RLIMIT_NOFILE allows ({hard}): raise ulimit -Hn'
    if job.variant != 'closed' and not suite.server_peaks:
        return 'the rate comes from the closed loops of the same run, and there were none'
    return None


def program_of(suite, name):
    return os.path.join(os.path.dirname(suite.args.gosbench), FOLDER, name if name == 'loadgen' else f'server-{name}')


def rate_of(suite, job):
    """Requests a second: a share of the peak of the weakest server."""
    weakest = min(sorted(values)[len(values) // 2] for values in suite.server_peaks.values())
    return round(weakest * int(job.variant.split('-')[1]) / 100)


def drive(suite, job, server, cpus):
    """Runs the driver; what it says, and the server's memory shortly before it ends."""
    if job.variant == 'closed':
        command = ['wrk', '-t1', f'-c{job.n}', f'-d{job.seconds}s', '--timeout', '8s', '-s', LUA,
                   f'http://127.0.0.1:{server.port}/']
    else:
        warmup = PROFILES[suite.args.profile]['open'][1]
        command = [program_of(suite, 'loadgen'), '--port', str(server.port), '--connections', str(job.n),
                   '--rate', str(job.rate), '--seconds', str(job.seconds), '--warmup', str(warmup),
                   '--seed', str(suite.random.randrange(10 ** 9))]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=lambda: prepare(cpus[-1])) as driver:
        try:
            time.sleep(0.8 * job.seconds)
            memory = server.memory()
            out, err = driver.communicate(timeout=60 + 2 * job.seconds)
        finally:
            if driver.poll() is None:
                driver.kill()
    lines = [line for line in out.splitlines() if line.startswith('{')]
    if not lines:
        raise OSError(f'the driver ended with {driver.returncode}: {(err or out).strip()[-200:]}')
    return json.loads(lines[-1]), memory


def judge(job, said, served):
    """Why the counts do not agree, or None. wrk leaves the answers out that come after its time."""
    if said['errors']:
        return f"the driver saw {said['errors']} errors"
    if job.variant == 'closed':
        extra = served - said['answered']
        return None if 0 <= extra <= job.n else f"the driver counted {said['answered']} answers, the server {served}"
    if said['answered'] != said['asked'] or served != said['answered'] + said['primed']:
        return f"asked {said['asked']}, answered {said['answered']} + {said['primed']}, served {served}"
    return None


def values_of(job, said, cpu_ns, served, memory):
    """{metric: value} of a launch."""
    if job.variant == 'closed':
        values = {'requests_per_s': said['answered'] * 1e6 / said['took_us'], 'p50_ns': said['p50_us'] * 1000,
                  'p99_ns': said['p99_us'] * 1000, 'p999_ns': said['p999_us'] * 1000}
    else:
        values = {name: said[name] for name in ('requests_per_s', 'p50_ns', 'p99_ns', 'p99_span_ns', 'p999_ns')}
    return dict(values, cpu_ns_per_op=cpu_ns / served, **(memory if job.variant == 'closed' else {}))


def launch(suite, job, number, empty_row):
    """One server and one load on it. The rows."""
    number %= OPEN_ROUND
    row = dict(empty_row('server', job.contender, job.variant, number, 'requests_per_s'), n=job.n)
    why = absent(suite, job)
    if why:
        return [dict(row, status='not-run', why=why)]
    job.rate = rate_of(suite, job) if job.variant != 'closed' else 0
    cpus = sorted(os.sched_getaffinity(0))[:2]
    server = None
    try:
        server = Server(program_of(suite, job.contender), suite.env, cpus)
        before, idle = server.counts(signal.SIGUSR1), server.memory()
        said, busy = drive(suite, job, server, cpus)
        after = server.counts(signal.SIGTERM)
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return [dict(row, status='failed', why=str(error)[:300])]
    finally:
        if server:
            server.end()
    served = after['served'] - before['served']
    why = judge(job, said, served)
    if why:
        return [dict(row, status='failed', why=why)]
    if not said['answered']:
        return [dict(row, status='stopped', why=f'no answer within {job.seconds} s: the driver was still connecting')]
    memory = {name: max(0, busy[name] - idle[name]) for name in busy}
    values = values_of(job, said, after['cpu_ns'] - before['cpu_ns'], served, memory)
    if job.variant == 'closed' and job.n == OPEN_AT and job.contender not in BRIEF:
        suite.server_peaks.setdefault(job.contender, []).append(values['requests_per_s'])
    return [dict(row, metric=metric, value=value, ops=served, rate=job.rate, units_asked=said['answered'],
                 units_made=served) for metric, value in values.items()]


def summary(rows):
    found = {row['metric']: row['value'] for row in rows}
    return f"{found['requests_per_s']:,.0f} requests/s, p99 {found['p99_ns'] / 1000:,.0f} us, " \
           f"{found['cpu_ns_per_op']:,.0f} ns of CPU a request"
