#!/usr/bin/env python3
"""Compares a build with itself, again and again, and counts how often the gate would have called it slower.

usage: scripts/perf_aa.py [--runs N] [--compiler CC] [--launches N] [--rounds N]
       scripts/perf_aa.py --write-docs

Each run is the timed half of the gate over the rows that decide, with its second chance and its relinked confirmation,
on two copies of one bench program. One line a run is appended to results/gate/aa.jsonl, from which --write-docs makes
the table of docs/PERF-GATE.md. Interrupted, it keeps the runs that are over.
"""
import argparse
import json
import os
import random
import re
import shutil
import sys
import time
from types import SimpleNamespace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_env  # noqa: E402  (beside this file)
import perf_build  # noqa: E402
import perf_report  # noqa: E402
import perf_timed  # noqa: E402
from perf_lockstep import ToolError  # noqa: E402
from perf_verdict import FEWEST_LAUNCHES, LIMIT  # noqa: E402

RECORD = os.path.join(perf_build.ROOT, 'results', 'gate', 'aa.jsonl')
DOCS = os.path.join(perf_build.ROOT, 'docs', 'PERF-GATE.md')
MARKS = ('<!-- generated:begin -->', '<!-- generated:end -->')


def fail(message):
    print(f'perf_aa.py: {message}', file=sys.stderr)
    sys.exit(2)


def parse_arguments():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n\nEach')[0])
    parser.error = lambda message: fail(f'{message}; see scripts/perf_aa.py --help')
    parser.add_argument('--runs', type=int, default=30)
    parser.add_argument('--compiler', default='gcc')
    parser.add_argument('--launches', type=int, default=9)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--write-docs', action='store_true')
    args = parser.parse_args()
    if args.runs < 1 or args.launches < FEWEST_LAUNCHES or args.rounds < 1:
        fail(f'use at least one run, {FEWEST_LAUNCHES} launches and one round')
    return args


def twins(builds, shuffle=None):
    """One program under two names, as base and head are two files."""
    name = f'gate{shuffle}' if shuffle else 'gate'
    program = builds.head_in_order(shuffle)
    copy = os.path.join(perf_build.WORK, f'twin-{name}')
    shutil.copy(program, copy)
    return {'base': program, 'head': copy}


def run_once(args, builds, say):
    seed = int.from_bytes(os.urandom(4), 'big')
    options = SimpleNamespace(launches=args.launches, rounds=args.rounds, seed=seed)
    begin = time.monotonic()
    shuffle = 1 + random.Random(seed).randrange(1000000)
    result = perf_timed.timed(options, twins(builds), lambda: twins(builds, shuffle), say,
                              (*perf_timed.DECIDE, 'anchor'))
    if not result['rows']:
        raise ToolError(result['why'])
    return {'at': bench_env.now(), 'cpu': bench_env.cpu()['model'], 'compiler': args.compiler, 'seed': seed,
            'launches': args.launches, 'rounds': args.rounds, 'seconds': round(time.monotonic() - begin, 1),
            'load': os.getloadavg()[0], 'verdict': result['verdict'], 'passes': result['passes'],
            'anchors': perf_report.plain(result['anchors']), 'self_test': result['self_test'],
            'rows': perf_report.plain(result['rows'])}


def runs(path=RECORD):
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as file:
        return [json.loads(line) for line in file if line.strip()]


def summary(records):
    """Lines of Markdown about the runs."""
    if not records:
        return ['No run has been recorded yet: `make perf-check-aa`.']
    verdicts = [record['verdict'] for record in records]
    rows = [row for record in records for row in record['rows'].values() if 'head' in row]
    beyond = sum(row['head']['low'] > LIMIT['single'] for row in rows)
    changes = sorted(abs(row['head']['change']) for row in rows)
    shapes = sorted({f"{record['launches']} launches x {record['rounds']} rounds" for record in records})
    loads = [record['load'] for record in records]
    caught = sum(record['self_test']['caught'] for record in records)
    tested = sum(record['self_test']['rows'] for record in records)
    return [
        '| runs of one build against itself | called slower (false alarms) | inconclusive | unknown | passed |',
        '| ---: | ---: | ---: | ---: | ---: |',
        f"| {len(records)} | **{verdicts.count('REGRESSED')}** | {verdicts.count('INCONCLUSIVE')} | "
        f"{verdicts.count('UNKNOWN')} | {verdicts.count('PASS')} |",
        '',
        f"{len(rows)} rows in all, {', '.join(shapes)}, on {', '.join(sorted({r['cpu'] for r in records}))}; load "
        f"average {min(loads):.1f} to {max(loads):.1f}. {beyond} of them lay beyond the limit after their last pass. "
        f"Half of the rows differed by less than {100 * changes[len(changes) // 2]:.2f} %, nine in ten by less than "
        f"{100 * changes[len(changes) * 9 // 10]:.2f} %, the worst by {100 * changes[-1]:.1f} %. The injected slowdown "
        f'was caught in {caught} of {tested} rows.']


def write_docs(records, path=DOCS):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    begin, end = (re.escape(mark) for mark in MARKS)
    body = '\n'.join([MARKS[0], *summary(records), MARKS[1]])
    new, count = re.subn(f'{begin}.*{end}', lambda _: body, text, flags=re.S)
    if count != 1:
        fail(f'{path} has no one place between {MARKS[0]} and {MARKS[1]}')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(new)


def main():
    args = parse_arguments()
    if args.write_docs:
        write_docs(runs())
        return 0
    say = perf_report.Progress()
    try:
        builds = perf_build.Builds('none', args.compiler)
        os.makedirs(os.path.dirname(RECORD), exist_ok=True)
        for number in range(args.runs):
            record = run_once(args, builds, lambda text, n=number: say(f'run {n + 1} of {args.runs}: {text}'))
            with open(RECORD, 'a', encoding='utf-8') as file:
                file.write(json.dumps(record) + '\n')
            say.done()
            print(f"run {number + 1} of {args.runs}: {record['verdict']} after {record['seconds']:.0f} s", flush=True)
    except ToolError as error:
        fail(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
