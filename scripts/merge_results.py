#!/usr/bin/env python3
"""Files runs of many machines by kind: runs of machines that do not differ in what decides lie in one folder.

usage: scripts/merge_results.py --into FOLDER [--node NAME] RUN [RUN ...]
       scripts/merge_results.py --list FOLDER

A run is copied to FOLDER/FINGERPRINT/NODE-START; FOLDER/FINGERPRINT/machine.json says what the machines have in common.
Nothing is overwritten, and several nodes may do this at the same time.
"""
import argparse
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402  (beside this file)


def fail(message):
    print(f'merge_results.py: {message}', file=sys.stderr)
    sys.exit(2)


def merge(run, into, node):
    """Copies one run into its place, which it returns."""
    env, _ = compare.load(run)
    kind = os.path.join(into, compare.fingerprint(env))
    os.makedirs(kind, exist_ok=True)
    part = os.path.join(kind, f'machine.json.{os.getpid()}.{node}')
    with open(part, 'w', encoding='utf-8') as file:
        json.dump(compare.traits(env), file, indent=1)
        file.write('\n')
    os.replace(part, os.path.join(kind, 'machine.json'))
    start = re.sub(r'[^0-9TZ]', '', str(env.get('start') or 'unknown'))
    place = os.path.join(kind, f'{node}-{start}')
    if os.path.exists(place):
        fail(f'{place} is there already')
    try:
        shutil.copytree(os.path.realpath(run), place + '.part')
        os.rename(place + '.part', place)
    except OSError:
        shutil.rmtree(place + '.part', ignore_errors=True)    # or it would be in the way of the next attempt
        raise
    return place


def show(folder):
    for kind in sorted(os.listdir(folder)):
        path = os.path.join(folder, kind, 'machine.json')
        if os.path.exists(path):
            with open(path, encoding='utf-8') as file:
                machine = json.load(file)
            runs = sorted(name for name in os.listdir(os.path.join(folder, kind)) if name != 'machine.json')
            print(f"{kind}: {machine['processor']}, {machine['CPUs']} CPUs, {machine['kernel']}: {len(runs)} runs: "
                  f"{', '.join(runs)}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n\n')[0])
    parser.error = lambda message: fail(f'{message}; see --help')
    parser.add_argument('--into')
    parser.add_argument('--node', default=os.uname().nodename)
    parser.add_argument('--list')
    parser.add_argument('runs', nargs='*')
    args = parser.parse_args()
    if args.list:
        if not os.path.isdir(args.list):
            fail(f"'{args.list}' is no folder")
        show(args.list)
        return 0
    if not args.into or not args.runs:
        fail('say --into FOLDER and a run')
    node = re.sub(r'[^A-Za-z0-9.-]', '-', args.node)
    try:
        for run in args.runs:
            print(merge(run, args.into, node))
    except OSError as error:
        fail(f"--into='{args.into}': {error}")
    return 0


if __name__ == '__main__':
    sys.exit(main())
