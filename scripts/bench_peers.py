"""What bench.py runs for the runtimes and libraries of other people: baselines/peers."""

UNITS = ('memory', 'spawn', 'yield', 'handover')
WHOLE = (*UNITS, 'scale', 'timers', 'lateness', 'descent')
# Programs beside gosbench in the build folder: their contenders, cases, and how to install what they need.
PEERS = {
    'peer-fcontext': {'contenders': ('fcontext',), 'cases': (*UNITS, 'scale'),
                      'install': 'Boost.Context is not installed: apt-get install libboost-context-dev, then make'},
    'peer-fiber': {'contenders': ('boost-fiber', 'boost-fiber-pool'), 'cases': (*UNITS, 'scale', 'timers', 'lateness'),
                   'install': 'Boost.Fiber is not installed: apt-get install libboost-fiber-dev, then make'},
    'peer-cxx20': {'contenders': ('cxx20', 'cxx20-pool'), 'cases': UNITS,
                   'install': 'this compiler has no C++20: use gcc 11, clang 15 or later'},
    'peer-st': {'contenders': ('st', 'st-small'), 'cases': (*UNITS, 'scale', 'lateness'),
                'install': 'State Threads is not installed: apt-get install libst-dev, then make'},
    'peer-pth': {'contenders': ('pth', 'pth-small'), 'cases': (*UNITS, 'lateness'),
                 'install': 'GNU Pth is not installed: apt-get install libpth-dev, then make'},
    'tokiobench': {'contenders': ('tokio', 'tokio-tuned'), 'cases': (*UNITS, 'scale', 'timers', 'lateness', 'progress'),
                   'install': 'Tokio is not here: install cargo, then make setup-peers all'},
    'maybench': {'contenders': ('may', 'may-tuned'), 'cases': (*WHOLE, 'progress'),
                 'install': 'may is not here: install cargo, then make setup-peers all'},
    'javabench': {'contenders': ('java', 'java-tuned'), 'cases': (*WHOLE, 'progress'),
                  'install': 'no JDK of version 21 or later: install one (Debian 13: apt-get install '
                             'openjdk-21-jdk-headless) or set JAVA_HOME to one, then make'},
    'erlbench': {'contenders': ('erlang', 'erlang-tuned'), 'cases': WHOLE,
                 'install': 'Erlang is not installed: apt-get install erlang-base, then make'},
    'peer-tbb': {'contenders': ('tbb',), 'cases': ('spawn',),
                 'install': 'oneTBB is not installed: apt-get install libtbb-dev, then make'},
    'peer-split-context': {'contenders': ('split-context',), 'cases': ('yield',),
                           'install': 'split stacks through Boost.Context need a libboost_context that was built with '
                                      'segmented-stacks=on; that of Debian is not: baselines/peers/libgcc'},
}
NAMES = tuple(name for peer in PEERS.values() for name in peer['contenders'])
# Of these programs, those that stop by themselves when memory or time are used up, as all of gosbench's contenders do.
STOPPABLE = ('go',)
ONE_THREAD = ('fcontext', 'boost-fiber-pool', 'cxx20', 'cxx20-pool', 'st', 'st-small', 'pth', 'pth-small',
              'split-context')

# tuned: launches of the second variant of a peer, whose first is what its users write.
PROFILES = {
    'quick': {'spawn': (1000,), 'launches': 1, 'tuned': 0, 'programs': (), 'timers': 100000, 'timer_launches': 1,
              'blocked': (1000,), 'sleeps': ('own',), 'depths': ()},
    'default': {'spawn': (1000, 10000), 'launches': 3, 'tuned': 1,
                'programs': ('skynet', 'skynet-chan', 'fan'), 'timers': 1000000, 'timer_launches': 3,
                'blocked': (1000,), 'sleeps': ('own',), 'depths': (1 << 20,)},
    'full': {'spawn': (1000, 10000, 100000), 'launches': 7, 'tuned': 3,
             'programs': ('skynet', 'skynet-chan', 'ring', 'fan', 'tree'), 'timers': 1000000, 'timer_launches': 3,
             'blocked': (0, 1, 10, 100, 1000), 'sleeps': ('own', 'own-busy'),
             'depths': (1024, 32 << 10, 1 << 20, 64 << 20)},
}
# Programs of their own, in other languages.
SCALE = {'tokio': ('skynet', 'skynet-chan', 'fan'), 'may': ('skynet', 'skynet-chan', 'fan'),
         'java': ('skynet', 'skynet-chan', 'fan'), 'erlang': ('skynet-chan', 'fan')}
TIMERS = {'gossamer': ('timer', 'sleep'), 'go': ('timer', 'sleep'), 'java': ('timer', 'sleep'),
          'erlang': ('timer', 'sleep'), 'tokio': ('sleep',), 'may': ('sleep',), 'boost-fiber': ('sleep',)}
# Units at once, at most: among many others whatever GNU Pth does takes it tens of microseconds, or more.
LARGEST = {'pth': 1000}
# Leaves of a skynet whose units all have stacks at once.
LEAVES = {'may': 10000}
TIMERS_AT_ONCE = {'may': 30000, 'boost-fiber': 100000}


def base(name):
    """A peer, whichever of its variants this is."""
    for end in ('-tuned', '-pool', '-small'):
        name = name.removesuffix(end)
    return name


BUSY_CAP = 15    # seconds

TUNED = tuple(name for name in NAMES if name != base(name))
# A virtual machine that compiles for a second before each measurement.
DEAR = ('java',)


def most_launches(profile, name, launches):
    """Of so many launches, those that a contender takes part in."""
    p = PROFILES[profile]
    return min(launches, p['tuned'] if name in TUNED else p['launches'] if name in DEAR else launches)


def plan(add, profile, cases, contenders, cpus):
    """Adds the jobs: add(launches, case, contender, ...). Those of cases that a peer lacks are not added."""
    p = PROFILES[profile]
    for name in (name for name in NAMES if name in contenders):
        launches = p['launches'] if name == base(name) else p['tuned']
        threads = (1,) if name in ONE_THREAD or cpus == 1 else (1, 2)
        for n in p['spawn'][-1:] if 'spawn' in cases else ():
            for t in threads[1:] if n <= LARGEST.get(base(name), n) else ():
                add(launches, 'spawn', name, n=n, threads=t, reps=3)
        for t in threads[1:] if 'handover' in cases else ():
            add(launches, 'handover', name, threads=t, reps=3)
        for program in p['programs'] if 'scale' in cases else ():
            if program in SCALE.get(base(name), p['programs']):
                add(min(launches, 1), 'scale', name, n=leaves(name, program), threads=threads[-1], reps=1,
                    variant=program)
        plan_blocking(add, p, launches, cases, name, threads[-1])
    for name in ('gossamer', 'go', *NAMES) if 'timers' in cases else ():
        found = TIMERS.get(name, ()) if name in contenders else ()
        if profile != 'full' and name != 'gossamer':
            found = () if name in TIMERS_AT_ONCE else found[:1]
        for variant in found:
            # What Go takes differs by a factor of two from launch to launch; each is three seconds and more.
            is_repeated = profile == 'full' or (name in ('gossamer', 'go') and variant == 'timer')
            add(p['timer_launches'] if is_repeated else 1, 'timers', name,
                n=min(p['timers'], TIMERS_AT_ONCE.get(name, p['timers'])),
                threads=1 if name in ONE_THREAD else cpus, reps=1, variant=variant)


def plan_blocking(add, p, launches, cases, name, threads):
    launches = launches if p['launches'] > 3 else 1
    for n in p['blocked'] if 'progress' in cases else ():
        add(launches, 'progress', name, n=n, threads=threads, reps=1)
    # Beside busy units a sleeper of a runtime that does not preempt takes minutes for its sleeps, or never wakes: once.
    for variant in p['sleeps'] if 'lateness' in cases and name == base(name) else ():
        is_busy = variant == 'own-busy'
        add(1 if is_busy else launches, 'lateness', name, threads=threads, reps=1, variant=variant,
            cap=BUSY_CAP if is_busy else 0)
    for depth in p['depths'] if 'descent' in cases and name == base(name) else ():
        add(launches, 'descent', name, reps=3, depth=depth)


def leaves(name, program):
    """0: the program's own size. Stacks for a million units fill the memory that there is: fewer of them."""
    if program not in ('skynet', 'skynet-chan'):
        return 0
    return LEAVES.get(base(name), 0 if base(name) in SCALE else 100000)


def guess(job):
    """Seconds, before this kind has run once."""
    if job.case == 'timers':
        return 5
    return 2 if base(job.contender) == 'java' else 0.5


def summary(rows):
    """What the progress line says of timers."""
    found = {row['metric']: row['value'] for row in rows}
    text = [f'{found[metric]:,.0f} ns {words}' for metric, words in
            (('ns_per_op', 'to start'), ('cpu_ns_per_op', 'of CPU')) if metric in found]
    if {'rss_bytes', 'pte_bytes'} <= found.keys() and rows[0]['units_made']:
        text.append(f"{(found['rss_bytes'] + found['pte_bytes']) / rows[0]['units_made']:,.0f} B each")
    return ', '.join(text)
