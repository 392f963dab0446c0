#!/usr/bin/env python3
"""A contender that is a program of its own, as docs/ADDING-A-CONTENDER.md says: generators, in the case `spawn`."""
import json
import sys
import time

options = dict(word[2:].split('=', 1) if '=' in word else (word[2:], '') for word in sys.argv[1:])
n, reps = int(options['n']), int(options['reps'])
cheats = options['contender'] == 'dummy-py-lazy'


def turn_comes():
    """Before each repetition."""
    if 'lockstep' not in options:
        return True
    print('ready', flush=True)
    return sys.stdin.readline() != ''


def unit(done, i):
    done[i] = 1
    yield


def spawn_round():
    done = bytearray(n)
    begin = time.perf_counter_ns()
    for i in range(n - cheats):
        for _ in unit(done, i):
            pass
    return time.perf_counter_ns() - begin, sum(done)


with open(options['rows'], 'a', encoding='utf-8') as rows:
    for rep in range(-1, reps):
        if not turn_comes():
            break
        ns, made = spawn_round()
        rows.write(json.dumps({
            'case': options['case'], 'contender': options['contender'], 'variant': 'cold' if rep < 0 else 'warm',
            'n': n, 'threads': int(options['threads']), 'launch': int(options['launch']), 'rep': max(rep, 0),
            'metric': 'ns_per_op', 'value': ns / n, 'units_asked': n, 'units_made': made, 'ops': n, 'status': 'ok',
            'why': ''}) + '\n')
        rows.flush()
