#!/usr/bin/env python3
"""Ratios of two runs, row by row, with intervals; says what is not resolved and when the machines differ.

usage: scripts/compare.py A B [--all] [--across-machines]

A and B are folders of results/. Each row's medians of launches give an estimate and an interval for either run; the
interval of the ratio B/A is the widest that both allow. A row is resolved when all of it lies beyond its floor: 2 %, or
more where its own A/A control differed by more in either run, or, of a row without one, any warm control. Runs of
different machines say nothing about a change: they are refused, or with --across-machines labelled.
"""
import argparse
import hashlib
import json
import os
import sys
from math import isclose, log

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, '..', 'plots'))
import rows as results  # noqa: E402
import stats  # noqa: E402  (beside this file)

LEAST_FLOOR = 0.02
EXACT = ('instructions', 'system_calls', 'futexes')    # beginnings of metrics that need no interval
KEY = ('case', 'contender', 'variant', 'n', 'threads', 'depth', 'layout', 'metric')
CONTROLS = {results.AGAIN: results.US, 'plain-b': 'plain-a'}   # the same thing measured twice
NO_ROWS = (results.AGAIN, results.SLOWED, 'plain-a', 'plain-b')


def fail(message):
    print(f'compare.py: {message}', file=sys.stderr)
    sys.exit(2)


def load(folder):
    """(environment, rows) of a run."""
    try:
        with open(os.path.join(folder, 'env.json'), encoding='utf-8') as file:
            env = json.load(file)
        with open(os.path.join(folder, 'rows.jsonl'), encoding='utf-8') as file:
            rows = [json.loads(line) for line in file if line.strip()]
    except OSError as error:
        fail(f"'{folder}' is no folder of results: {error.strerror}: {error.filename}")
    except ValueError as error:
        fail(f"'{folder}' is damaged: {error}")
    try:
        for number, row in enumerate(rows, 1):
            results.check_row(row, f'{folder}/rows.jsonl:{number}')
        with results.guard(folder):
            heading('', env)
    except results.ResultsError as error:
        fail(error)
    return env, rows


def traits(env):
    """What makes two runs comparable: the same processor, kernel and compiler, and as many CPUs."""
    cpu, kernel, tools = env.get('cpu', {}), env.get('kernel', {}), env.get('tools', {})
    return {'processor': cpu.get('model'), 'CPUs': len(cpu.get('usable') or []), 'kernel': kernel.get('release'),
            'memory, GiB': round((kernel.get('memory_total_kib') or 0) / 2 ** 20), 'C library': tools.get('glibc'),
            'governor': cpu.get('governor'), 'mitigations': json.dumps(cpu.get('mitigations'), sort_keys=True)}


def fingerprint(env):
    """Twelve digits that are the same for runs of machines that do not differ in what decides."""
    return hashlib.sha256(json.dumps(traits(env), sort_keys=True).encode()).hexdigest()[:12]


def heading(name, env):
    commit = (env.get('git') or {}).get('commit') or 'unknown'
    return f"{name}: commit {commit[:12]}, {env.get('start')}, machine {fingerprint(env)}, {env.get('host')}"


def key_of(row):
    key = [row.get(name) if row.get(name) is not None else '' for name in KEY]
    if row['case'] in results.CALIBRATED:
        key[KEY.index('n')] = ''
    return tuple(key)


def launches(rows):
    """{key: [a value for each launch]}: medians over repetitions of what was measured well."""
    found = {}
    for row in rows:
        if row.get('value') is not None and row['status'] in ('ok', 'stopped') and not row.get('rejected'):
            found.setdefault(key_of(row), []).append(row)
    values = {}
    for key, of_key in found.items():
        by_launch = {}
        for row in results.undisturbed(of_key):
            by_launch.setdefault(row['launch'], []).append(row['value'])
        values[key] = [stats.median(reps) for reps in by_launch.values()]
    return values


def what(key):
    """All of a key but who was measured."""
    return key[:1] + key[2:]


class Floors:
    """Below which difference nothing is resolved, row by row."""

    def __init__(self, *runs):
        self.controls, self.others = {}, LEAST_FLOOR
        for values in runs:
            for key, numbers in values.items():
                of = (key[0], CONTROLS.get(key[1]), *key[2:])
                if of in values and min(stats.median(numbers), stats.median(values[of])) > 0:
                    apart = abs(log(stats.median(numbers) / stats.median(values[of])))
                    self.controls[what(key)] = max(apart, self.controls.get(what(key), LEAST_FLOOR))
        self.others = max([apart for key, apart in self.controls.items() if 'cold' not in key] + [LEAST_FLOOR])

    def of(self, key):
        return self.controls.get(what(key), self.others)

    def __str__(self):
        most = max([*self.controls.values(), LEAST_FLOOR])
        return (f'floor: {100 * LEAST_FLOOR:.1f} %, or what the A/A control of a row differed by, at most '
                f'{100 * most:.1f} %; {100 * self.others:.1f} % where it has none')


def ratio(a, b):
    """(B/A, low, high) or None when there is none to give."""
    first, second = stats.estimate(a), stats.estimate(b)
    if min(first.low, second.low) <= 0:
        return None
    return second.median / first.median, second.low / first.high, second.high / first.low


def word(found, floor, samples):
    """What the ratio says."""
    if found is None:
        return 'no ratio: a zero'
    _, low, high = found
    if samples < 6:
        return 'not resolved: fewer than 6 launches'
    if low > 1 + floor:
        return 'more'
    return 'less' if high < 1 - floor else 'not resolved'


def exact_word(first, second):
    """Of counts, which may rise from zero."""
    if isclose(first, second, rel_tol=1e-9, abs_tol=1e-9):
        return 'same'
    return 'more' if second > first else 'less'


def compare(a, b, floors):
    """Lines of the table: (name, median of A, median of B, ratio or None, word), in A's order."""
    for key in a:
        if key not in b or key[1] in NO_ROWS:
            continue
        named = dict(zip(KEY, key))
        found, first, second = ratio(a[key], b[key]), stats.median(a[key]), stats.median(b[key])
        name = ' '.join(str(named[part]) for part in KEY[:-1] if named[part] not in ('', 0))
        said = (exact_word(first, second) if named['metric'].startswith(EXACT) else
                word(found, floors.of(key), min(len(a[key]), len(b[key]))))
        yield name, named['metric'], first, second, found, said


def show(lines, everything):
    shown = [line for line in lines if everything or line[-1] in ('more', 'less')]
    width = max([len(line[0]) for line in shown] + [3])
    metrics = max([len(line[1]) for line in shown] + [6])
    print(f"{'row':{width}}  {'metric':{metrics}}  {'A':>10}  {'B':>10}  {'B/A':>6}  95 % interval")
    for name, metric, a, b, found, said in shown:
        numbers = f'{found[0]:6.3f}  [{found[1]:.3f}, {found[2]:.3f}]' if found else ' ' * 6
        print(f'{name:{width}}  {metric:{metrics}}  {a:10.4g}  {b:10.4g}  {numbers}  {said}')
    count = {said: sum(line[-1] == said for line in lines) for said in ('more', 'less')}
    rest = len(lines) - sum(count.values())
    print(f"{len(lines)} rows in both: {count['more']} more, {count['less']} less, {rest} the same or not resolved" +
          ('' if everything else ' (--all shows them)'))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n\n')[0])
    parser.error = lambda message: fail(f'{message}; usage: make compare A=results/x B=results/y')
    parser.add_argument('a')
    parser.add_argument('b')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--across-machines', action='store_true')
    args = parser.parse_args()
    (env_a, rows_a), (env_b, rows_b) = load(args.a), load(args.b)
    here, there = traits(env_a), traits(env_b)
    differ = [f'{name}: {here[name]} / {there[name]}' for name in here if here[name] != there[name]]
    if differ and not args.across_machines:
        fail(f"the runs are of different machines ({'; '.join(differ)[:300]}): ratios would be theirs; "
             'ACROSS=1 compares all the same')
    for name, env in (('A', env_a), ('B', env_b)):
        print(heading(name, env))
    if differ:
        print('DIFFERENT MACHINES: ' + '; '.join(differ)[:600])
    a, b = launches(rows_a), launches(rows_b)
    floors = Floors(a, b)
    print(floors)
    lines = list(compare(a, b, floors))
    if not lines:
        fail('the runs have no row in common')
    show(lines, args.all)
    for name, one, other in (('A', a, b), ('B', b, a)):
        if one.keys() - other.keys():
            print(f'{len(one.keys() - other.keys())} rows in {name} alone')
    return 0


if __name__ == '__main__':
    sys.exit(main())
