"""What bench.py runs for the libraries of other people: baselines/peers."""

UNITS = ('memory', 'spawn', 'yield', 'handover')
# Programs beside gosbench in the build folder: their contenders, cases, and how to install what they need.
PEERS = {
    'peer-fcontext': {'contenders': ('fcontext',), 'cases': (*UNITS, 'scale'),
                      'install': 'Boost.Context is not installed: apt-get install libboost-context-dev, then make'},
    'peer-fiber': {'contenders': ('boost-fiber', 'boost-fiber-pool'), 'cases': (*UNITS, 'scale'),
                   'install': 'Boost.Fiber is not installed: apt-get install libboost-fiber-dev, then make'},
    'peer-cxx20': {'contenders': ('cxx20',), 'cases': UNITS,
                   'install': 'this compiler has no C++20: use gcc 11 or later'},
    'peer-st': {'contenders': ('st',), 'cases': (*UNITS, 'scale'),
                'install': 'State Threads is not installed: apt-get install libst-dev, then make'},
    'peer-pth': {'contenders': ('pth',), 'cases': UNITS,
                 'install': 'GNU Pth is not installed: apt-get install libpth-dev, then make'},
    'tokiobench': {'contenders': ('tokio',), 'cases': (*UNITS, 'scale'),
                   'install': 'Tokio is not here: install cargo, then make setup-peers all'},
    'erlbench': {'contenders': ('erlang',), 'cases': (*UNITS, 'scale'),
                 'install': 'Erlang is not installed: apt-get install erlang-base, then make'},
    'peer-tbb': {'contenders': ('tbb',), 'cases': ('spawn',),
                 'install': 'oneTBB is not installed: apt-get install libtbb-dev, then make'},
}
NAMES = tuple(name for peer in PEERS.values() for name in peer['contenders'])
# Of these programs, those that stop by themselves when memory or time are used up, as all of gosbench's contenders do.
STOPPABLE = ('go',)
ONE_THREAD = ('fcontext', 'boost-fiber-pool', 'cxx20', 'st', 'pth')

PROFILES = {
    'quick': {'spawn': (1000,), 'launches': 1, 'programs': ()},
    'default': {'spawn': (1000, 10000), 'launches': 3,
                'programs': ('skynet', 'skynet-chan')},
    'full': {'spawn': (1000, 10000, 100000), 'launches': 9,
             'programs': ('skynet', 'skynet-chan', 'ring', 'fan', 'tree')},
}
# Programs of their own, in other languages.
SCALE = {'tokio': ('skynet', 'skynet-chan'), 'erlang': ('skynet-chan',)}
# Among many others whatever GNU Pth does takes it tens of microseconds, or more.
LARGEST = {'pth': 1000}


def plan(add, profile, cases, contenders, cpus):
    """Adds the jobs: add(launches, case, contender, ...). Those of cases that a peer lacks are not added."""
    p = PROFILES[profile]
    for name in (name for name in NAMES if name in contenders):
        threads = (1,) if name in ONE_THREAD or cpus == 1 else (1, 2)
        for n in p['spawn'][-1:] if 'spawn' in cases else ():
            for t in threads[1:] if n <= LARGEST.get(name, n) else ():
                add(p['launches'], 'spawn', name, n=n, threads=t, reps=3)
        for t in threads[1:] if 'handover' in cases else ():
            add(p['launches'], 'handover', name, threads=t, reps=3)
        for program in p['programs'] if 'scale' in cases else ():
            # Stacks for a million units fill the memory that there is: a tenth of them.
            many = 0 if name in SCALE or program not in ('skynet', 'skynet-chan') else 100000
            if program not in SCALE.get(name, p['programs']):
                continue
            add(1, 'scale', name, n=many, threads=threads[-1], reps=1,
                variant=program)
