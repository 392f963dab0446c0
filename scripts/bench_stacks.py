"""What bench.py runs for stacks in use: memory and time against depth, a burst of recursion over time."""

DEPTHS = (0, 128, 256, 512, 1024, 2048, 4096, 16384, 65536)
# Going down and up: 128 bytes to 64 MiB.
DESCENTS = tuple(128 << i for i in range(20))
COARSE = DESCENTS[::3] + DESCENTS[-1:]

CONTENDERS = ('gossamer', 'gossamer-fixed', 'fixed', 'pthread', 'go')
# A burst is of 1 MiB each. Those that keep what a unit touched get fewer units: the figure is per unit.
BURST_DEPTH = 1 << 20
BURST = {'gossamer': 10000, 'fixed': 1000, 'pthread': 1000, 'go': 1000}
FEWER = {name: n if name == 'gossamer' else n // 2 for name, n in BURST.items()
         if name != 'pthread'}    # whose stacks behave as fixed ones

PROFILES = {
    'quick': {'units': 1000, 'depths': (0, 256, 1024, 4096), 'depth_launches': 1, 'descents': COARSE[:-1],
              'descent_launches': 1, 'reps': 3, 'burst': {'gossamer': 1000}},
    'default': {'units': 10000, 'depths': DEPTHS, 'depth_launches': 1, 'descents': DESCENTS[::2] + DESCENTS[-1:],
                'descent_launches': 3, 'reps': 5, 'burst': FEWER},
    'full': {'units': 10000, 'depths': DEPTHS, 'depth_launches': 5, 'descents': DESCENTS, 'descent_launches': 9,
             'reps': 5, 'burst': BURST},
}


def units_at(profile, contender, depth):
    """Fewer threads, and fewer units where each takes much."""
    units = PROFILES[profile]['units']
    if contender == 'pthread':
        return min(units, 1000)
    return units if depth < 16384 else min(units, 2000)


def plan(add, profile, cases, contenders, cpus):
    """Adds the jobs: add(launches, case, contender, ...)."""
    p = PROFILES[profile]
    for name in CONTENDERS:
        if name not in contenders:
            continue
        threads = 1 if contenders[name] == 1 else cpus
        if 'depth' in cases:
            for depth in p['depths']:
                for variant in ('at', 'after') if depth else ('at',):
                    add(p['depth_launches'], 'depth', name, n=units_at(profile, name, depth), threads=threads,
                        reps=1, depth=depth, variant=variant)
        if 'descent' in cases:
            for depth in p['descents']:
                add(p['descent_launches'], 'descent', name, reps=p['reps'], depth=depth)
        if 'burst' in cases and name in p['burst']:
            add(1, 'burst', name, n=p['burst'][name], threads=threads, reps=1, depth=BURST_DEPTH)


def guess(job):
    """Seconds, before this kind has run once."""
    if job.case == 'burst':
        return 6 + job.n * (1.2e-3 if job.contender == 'gossamer' else 3e-3)
    if job.case == 'depth':
        return 0.1 + job.n * (60e-6 if job.contender == 'pthread' else 5e-6 + job.depth * 2e-9)
    return 0.05 + job.depth * 4e-9


def summary(rows):
    """Bytes per unit: parked, and for a burst at the end of each phase."""
    if rows[0]['case'] == 'depth':
        return f"{sum(row['value'] for row in rows) / rows[0]['units_made']:,.0f} B/unit"
    last = {row['variant']: row['value'] / row['n'] for row in rows}
    phases = [phase for phase in ('shallow', 'after', 'deep') if phase in last]
    return ', '.join(f'{phase} {last[phase]:,.0f}' for phase in phases) + ' B/unit'
