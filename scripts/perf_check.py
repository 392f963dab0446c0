#!/usr/bin/env python3
"""Has the runtime become slower? Compares a commit with this tree and says PASS, REGRESSED, INCONCLUSIVE or UNKNOWN.

usage: scripts/perf_check.py [--base COMMIT] [--compiler CC] [--only exact|timed] [--launches N] [--rounds N] [--seed N]
                             [--json FILE] [--update-budget]
       scripts/perf_check.py --programs BASE HEAD [--relinked BASE HEAD] [--budget FILE] [...]

The first form builds both; the second takes any two bench programs that speak the protocol of docs/PERF-GATE.md. Exit
status: 0 PASS, 1 REGRESSED, 3 INCONCLUSIVE, 4 UNKNOWN; 2 when the command line is wrong or the gate itself fails.
"""
import argparse
import os
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import perf_build  # noqa: E402  (beside this file)
import perf_exact  # noqa: E402
import perf_report  # noqa: E402
import perf_timed  # noqa: E402
from perf_lockstep import ToolError  # noqa: E402
from perf_verdict import EXIT, FEWEST_LAUNCHES, INCONCLUSIVE, REGRESSED, UNKNOWN, Judged  # noqa: E402
from perf_verdict import judge_exact, overall  # noqa: E402

BUDGETS = os.path.join(perf_build.ROOT, 'benches', 'budgets')
MUTANT_ROWS = ('yield', 'mutex')    # whose operations two instructions are more than the budget allows


def fail(message):
    print(f'perf_check.py: {message}', file=sys.stderr)
    sys.exit(2)


def parse_arguments():
    parser = argparse.ArgumentParser(usage=__doc__.split('usage: ')[1].split('\n\nThe first')[0])
    parser.error = lambda message: fail(f'{message}; see scripts/perf_check.py --help')
    parser.add_argument('--base', default='')
    parser.add_argument('--compiler', default='gcc')
    parser.add_argument('--only', choices=('exact', 'timed'), default='')
    parser.add_argument('--launches', type=int, default=15)
    parser.add_argument('--rounds', type=int, default=60)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    parser.add_argument('--json', default=os.path.join(perf_build.WORK, 'perf-check.json'))
    parser.add_argument('--update-budget', action='store_true')
    parser.add_argument('--programs', nargs=2, metavar=('BASE', 'HEAD'))
    parser.add_argument('--relinked', nargs=2, metavar=('BASE', 'HEAD'))
    parser.add_argument('--budget', default='')
    args = parser.parse_args()
    if args.launches < FEWEST_LAUNCHES or args.rounds < 1:
        fail(f'--launches={args.launches} --rounds={args.rounds}: at least {FEWEST_LAUNCHES} launches (fewer have no '
             'interval of 95 %) and one round')
    if shutil.which(args.compiler) is None:
        fail(f"--compiler='{args.compiler}' is not a program here: name a compiler")
    for program in (args.programs or []) + (args.relinked or []):
        if not os.access(program, os.X_OK) or os.path.isdir(program):
            fail(f"'{program}' is not a program")
    if args.relinked and not args.programs:
        fail('--relinked goes with --programs')
    if args.programs:
        args.programs = [os.path.abspath(program) for program in args.programs]
    args.budget = args.budget or os.path.join(BUDGETS, perf_exact.key(args.compiler) + '.json')
    return args


# ---- exact counts


def mutant_is_caught(builds, budget, say):
    """Whether two instructions more in each operation fail the budget; (bool, in words)."""
    program = builds.head('gate-mutant')
    values = perf_exact.measure(program, lambda what: say(f'self-test: {what}, two more'), MUTANT_ROWS,
                                ('instructions',))
    judged = judge_exact(values, {metric: budget[metric] for metric in values if metric in budget})
    missed = [metric for metric in values if judged[metric].verdict != REGRESSED]
    return not missed, (f"two instructions more were not noticed in {', '.join(missed)}" if missed else
                        f"two instructions more were noticed in {', '.join(values)}")


def exact(args, program, builds, say):
    """The result of the exact part: {'verdict', 'why', 'values', 'budget', 'judged', 'self_test'}."""
    result = {'verdict': UNKNOWN, 'why': '', 'values': {}, 'budget': {}, 'judged': {}, 'self_test': None,
              'file': args.budget}
    try:
        result['values'] = perf_exact.measure(program, say)
        if args.update_budget:
            for _ in range(perf_exact.TRIES - 1):
                result['values'] = perf_exact.least(program, result['values'], list(result['values']), say)
            perf_exact.save(args.budget, args.compiler, result['values'])
        budget, why = perf_exact.load(args.budget, args.compiler)
        if budget is None:
            return dict(result, why=why)
        result.update(budget=budget, judged=judge_exact(result['values'], budget))
        for _ in range(perf_exact.TRIES - 1):
            suspects = [metric for metric, j in result['judged'].items() if j.verdict == REGRESSED]
            result['values'] = perf_exact.least(program, result['values'], suspects, say)
            result['judged'] = judge_exact(result['values'], budget)
        result['verdict'] = overall([j.verdict for j in result['judged'].values()])
        if builds is not None and not args.update_budget:
            caught, result['self_test'] = mutant_is_caught(builds, budget, say)
            if not caught and result['verdict'] != REGRESSED:
                result.update(verdict=INCONCLUSIVE, why=f"self-test: {result['self_test']}")
    except ToolError as error:
        result['why'] = str(error)
    return result


# ---- both, in order


def programs_of(args, say):
    """(programs, builds, what base is); programs may be None with the reason in its place."""
    if args.programs:
        return dict(zip(('base', 'head'), args.programs)), None, args.programs[0]
    commit, how = perf_build.base_commit(args.base)
    say(f'building {commit[:12]} ({how}) and this tree')
    builds = perf_build.Builds(commit, args.compiler)
    return builds.pair(), builds, f'{commit[:12]} ({how})'


def relink(args, builds, seed):
    """Bench programs whose code lies in another order, or None when there are none."""
    if builds is not None:
        return builds.pair(1 + seed % 1000000)
    return dict(zip(('base', 'head'), args.relinked)) if args.relinked else None


def check(args, say):
    begin = time.monotonic()
    result = {'schema': 1, 'compiler': args.compiler, 'seed': args.seed, 'launches': args.launches,
              'rounds': args.rounds, 'base': args.base or '', 'exact': None, 'timed': None}
    programs = builds = None
    if args.programs:
        result['head'] = args.programs[1]
    missing = ''
    try:
        programs, builds, result['base'] = programs_of(args, say)
    except (perf_build.UnknownBase, ToolError) as error:
        missing = str(error)
    if args.only != 'timed' and (programs or not args.programs):
        result['exact'] = exact_without_base(args, say) if missing else exact(args, programs['head'], builds, say)
    if args.only != 'exact':
        result['timed'] = ({'verdict': UNKNOWN, 'why': missing, 'rows': {}, 'anchors': {}, 'self_test': None}
                           if missing else
                           perf_timed.timed(args, programs, lambda: relink(args, builds, args.seed), say))
    parts = [part['verdict'] for part in (result['exact'], result['timed']) if part]
    result.update(verdict=overall(parts), seconds=round(time.monotonic() - begin, 1))
    result['exit'] = EXIT[result['verdict']]
    return result


def exact_without_base(args, say):
    """The exact counts need this tree only."""
    try:
        builds = perf_build.Builds('none', args.compiler)
        say('building this tree')
        return exact(args, builds.head(), builds, say)
    except ToolError as error:
        return dict(zip(('verdict', 'why', 'values', 'budget', 'judged', 'self_test', 'file'),
                        (*Judged(UNKNOWN, str(error)), {}, {}, {}, None, args.budget)))


def renew_budget(args, say):
    result = exact_without_base(args, say)
    say.done()
    if not result['values']:
        fail(result['why'])
    print(f'{os.path.relpath(args.budget)}: {len(result["values"])} counts; look at the difference and commit it')
    return 0


def judge(args, say):
    perf_report.forget(args.json)
    result = check(args, say)
    say.done()
    print(perf_report.page(result), flush=True)    # before what may fail: a full disk takes no verdict away
    perf_report.save(result, args.json)
    print(f'({os.path.relpath(args.json)} holds all numbers)')
    return result['exit']


def main():
    say = perf_report.Progress()
    try:
        args = parse_arguments()
        return renew_budget(args, say) if args.update_budget else judge(args, say)
    except Exception as error:    # of any kind: Python's exit status 1 would read as REGRESSED
        say.done()
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
        fail(f'the gate itself failed, which says nothing about speed: {said} ({os.path.basename(place.filename)}:'
             f'{place.lineno})')


if __name__ == '__main__':
    sys.exit(main())
