"""What bench.py runs for blocking and its price for others, wake-ups, and programs of many units on all threads."""

CASES = ('progress', 'handoff', 'lateness', 'wakeup', 'scale')
# What a row holds that has no value.
METRICS = {'progress': 'work_blocked', 'handoff': 'latency_ns', 'lateness': 'sleep_ns', 'wakeup': 'latency_ns'}
PROGRAMS = ('skynet', 'skynet-chan', 'ring', 'fan', 'tree')
# A million goroutines take Go seconds: measured on all threads only.
MANY = ('skynet', 'skynet-chan')
SLEEPS = {'gossamer': ('own', 'posix', 'own-busy', 'posix-busy', 'own-hogs'),
          'pthread': ('posix', 'posix-busy', 'posix-hogs'), 'go': ('own', 'own-busy', 'own-hogs')}
WAKEUPS = {'gossamer': ('pipe', 'chan', 'pipe-busy', 'chan-busy'), 'pthread': ('pipe', 'chan', 'pipe-busy'),
           'go': ('pipe', 'pipe-busy')}
HANDOFFS = {'gossamer': ('first', 'raw', 'hint', 'posix'), 'pthread': ('first', 'raw'), 'fixed-bare': ('raw',),
            'go': ('raw', 'posix')}

PROFILES = {
    'quick': {'blocked': (0, 10, 1000), 'launches': 1, 'pinned': 1, 'reps': 1, 'programs': ('skynet', 'ring', 'tree'),
              'nogc': ()},
    'default': {'blocked': (0, 1000), 'launches': 3, 'pinned': 12, 'reps': 3, 'programs': PROGRAMS,
                'nogc': ('skynet-chan',)},
    'full': {'blocked': (0, 1, 10, 100, 1000), 'launches': 7, 'pinned': 15, 'reps': 3, 'programs': PROGRAMS,
             'nogc': MANY},
}


def plan(add, profile, cases, contenders, cpus):
    """Adds the jobs: add(launches, case, contender, ...)."""
    p = PROFILES[profile]
    for name in ('gossamer', 'fixed-bare', 'pthread', 'go'):
        if name not in contenders:
            continue
        threads = 1 if contenders[name] == 1 else cpus
        for n in p['blocked'] if 'progress' in cases else ():
            add(p['launches'], 'progress', name, n=n, threads=threads, reps=1)
        for case, variants in (('handoff', HANDOFFS), ('wakeup', WAKEUPS)):
            for variant in variants.get(name, ()) if case in cases else ():
                add(p['launches'], case, name, reps=1, variant=variant)
        for variant in SLEEPS.get(name, ()) if 'lateness' in cases else ():
            add(p['launches'], 'lateness', name, threads=threads, reps=1, variant=variant)
        if 'handover' in cases and cpus > 1 and name != 'fixed-bare':
            # Two that come to a line at the same moment fall into one step or another, for a whole launch.
            add(p['pinned'] if name == 'gossamer' else p['launches'], 'handover', name, threads=2, reps=3,
                variant='pinned')
        if 'scale' in cases:
            plan_scale(add, p, name, threads)
    if 'scale' in cases and 'go-nogc' in contenders:
        for program in p['nogc']:
            add(1, 'scale', 'go-nogc', threads=cpus, reps=1, variant=program)


def plan_scale(add, p, name, threads):
    for program in p['programs']:
        for t in range(1, threads + 1):
            if t < threads and (name == 'pthread' or name == 'go' and program in MANY):
                continue
            launches = 1 if name in ('fixed-bare', 'pthread') else p['launches']
            add(launches, 'scale', name, threads=t, reps=1 if name in ('go', 'fixed-bare') else p['reps'],
                variant=program)


def guess(job):
    """Seconds, before this kind has run once."""
    if job.case == 'scale':
        return 4 if job.contender in ('go', 'go-nogc') and job.variant in MANY else 0.6
    return 0.7 if job.case == 'progress' else 0.4


def summary(rows):
    """What the progress line says; None: nothing of these cases."""
    found = {(row['metric'], row['n']): row for row in rows if row['value'] is not None}
    if any(metric == 'work_blocked' for metric, _ in found):
        value = {metric: row['value'] for (metric, _), row in found.items()}
        return f"{value['work_blocked'] / max(value['work_before'], 1):.0%} of the speed before"
    if any(metric in ('latency_ns', 'sleep_ns') for metric, _ in found):
        return ', '.join(f"{row['value'] / 1000:,.1f} us" for row in found.values())
    return None
