"""The case `sync`: words by select and through buffers, and locks, on tasks, on threads of the kernel and in Go."""

CASES = ('sync',)
ONE_THREAD = ('recv', 'select', 'buffered', 'mutex')
ALL_THREADS = ('crowd', 'held')
NOT_OFFERED = {'pthread': ('select',)}
PROFILES = {'quick': {'launches': 1, 'reps': 3}, 'default': {'launches': 3, 'reps': 3},
            'full': {'launches': 7, 'reps': 5}}


def plan(add, profile, cases, contenders, cpus):
    """Adds the jobs: add(launches, case, contender, ...)."""
    p = PROFILES[profile]
    for name in ('gossamer', 'pthread', 'go'):
        if name not in contenders or 'sync' not in cases:
            continue
        for variant in (*ONE_THREAD, *ALL_THREADS):
            if variant not in NOT_OFFERED.get(name, ()):
                add(p['launches'], 'sync', name, threads=1 if variant in ONE_THREAD else cpus, reps=p['reps'],
                    variant=variant)
