"""The timed half of the gate: passes over the rows, what is repeated when, and what comes of it."""
import stats
from perf_lockstep import ToolError, rows_of, run_pass
from perf_verdict import INCONCLUSIVE, INJECTED, LIMIT, PASS, REGRESSED, UNKNOWN, Judged, confirm, judge_row, overall
from perf_verdict import quiet, seen

DECIDE, ADVISE = ('single',), ('noisy', 'multi')


def summary(kind, launches):
    """{'kind', 'ns', 'head', 'aa', 'slow'} of a row's launches, or {'kind', 'error'}."""
    if launches and isinstance(launches[0], str):
        return {'kind': kind, 'error': launches[0]}
    return dict({name: seen([launch[name] for launch in launches]) for name in ('head', 'aa', 'slow')},
                kind=kind, ns=stats.median([launch['ns'] for launch in launches]))


def judge_pass(rows):
    """({row: Judged}, anchors) of the summaries of one pass; a row that could not be measured is UNKNOWN."""
    anchors = {name: row['head'] for name, row in rows.items() if row['kind'] == 'anchor' and 'error' not in row}
    lost = [f"{name}: {row['error']}" for name, row in rows.items() if row['kind'] == 'anchor' and 'error' in row]
    judged = {}
    for name, row in rows.items():
        if row['kind'] == 'anchor':
            continue
        if 'error' in row or lost:
            judged[name] = Judged(UNKNOWN, row.get('error') or f'an anchor could not be measured: {lost[0]}')
        elif row['kind'] in DECIDE:
            judged[name] = judge_row(row, anchors)
        else:
            judged[name] = advice(row)
    return judged, anchors


def advice(row):
    """About a row that does not decide."""
    limit = LIMIT['multi']
    if row['head'].low > limit and quiet(row['aa']):
        return Judged(PASS, f'may be slower ({row["head"]}): look at it; it does not decide')
    return Judged(PASS, '')


def pass_over(programs, kinds, names, args, seed, say, title):
    """Summaries of the named rows and of the anchors."""
    rows = {name: kind for name, kind in kinds.items() if name in names or kind == 'anchor'}

    def progress(index, whole, row, left):
        time_left = f', about {max(1, round(left))} s left' if left else ''
        say(f'{title}: launch {index + 1} of {whole}, {row}{time_left}')

    found = run_pass(programs, rows, args.launches, args.rounds, seed, INJECTED, progress)
    return {name: summary(rows[name], found[name]) for name in rows}


def timed(args, programs, relinked, say, kinds_wanted=(*DECIDE, *ADVISE, 'anchor')):
    """The result of the timed part: {'verdict', 'why', 'rows', 'anchors', 'self_test', 'passes'}.

    relinked() gives bench programs whose code lies in another order, or None: a slower row must be slower there too.
    """
    result = {'verdict': UNKNOWN, 'why': '', 'rows': {}, 'anchors': {}, 'self_test': None, 'passes': 1}
    try:
        kinds = {name: kind for name, kind in rows_of(programs['head']).items()
                 if kind in kinds_wanted}
        first = pass_over(programs, kinds, set(kinds), args, args.seed, say, 'taking turns')
        judged, anchors = judge_pass(first)
        judged, first, anchors = once_more(args, programs, kinds, judged, first, anchors, result, say)
        candidates = {name for name in judged if judged[name].verdict == REGRESSED}
        if candidates:
            judged = confirmed(args, relinked, kinds, judged, candidates, result, say)
    except ToolError as error:
        return dict(result, why=str(error))
    for name, row in first.items():
        if row['kind'] != 'anchor':
            result['rows'][name] = dict(row, verdict=judged[name].verdict, why=judged[name].why)
    result.update(anchors=anchors, self_test=self_test(result['rows']))
    decide = [row['verdict'] for row in result['rows'].values() if row['kind'] in DECIDE]
    result['verdict'] = overall(decide) if decide else UNKNOWN
    result['why'] = '' if decide else 'no row of kind single: nothing that may decide'
    return result


def once_more(args, programs, kinds, judged, first, anchors, result, say):
    """What was disturbed gets a second chance, once."""
    again = {name for name in judged if judged[name].verdict == INCONCLUSIVE}
    if not again:
        return judged, first, anchors
    result['passes'] += 1
    repeat = pass_over(programs, kinds, again, args, args.seed + 1, say, 'once more, since it was disturbed')
    rejudged, anchors = judge_pass(repeat)
    return {**judged, **rejudged}, {**first, **repeat}, anchors


def confirmed(args, relinked, kinds, judged, candidates, result, say):
    """The judgement after a pass over relinked binaries."""
    say('relinking in another order')
    programs = relinked()
    if programs is None:
        return {**judged, **{name: Judged(INCONCLUSIVE, f'{judged[name].why}; not confirmed, since there are no '
                                          'relinked programs (--relinked)') for name in candidates}}
    result['passes'] += 1
    second, _ = judge_pass(pass_over(programs, kinds, candidates, args, args.seed + 2, say, 'relinked'))
    for name in candidates:
        result.setdefault('confirmation', {})[name] = list(second[name])
        if second[name].verdict == UNKNOWN:
            judged[name] = Judged(UNKNOWN, f'{judged[name].why}; relinked: {second[name].why}')
        else:
            judged[name] = confirm(judged[name], second[name])
    return judged


def self_test(rows):
    """What the run proved about itself, over the rows that decide and could be measured."""
    measured = [row for row in rows.values() if row['kind'] in DECIDE and 'error' not in row]
    limit = LIMIT['single']
    return {'rows': len(measured), 'silent': sum(row['aa'].low <= limit for row in measured),
            'caught': sum(row['slow'].low > limit for row in measured), 'injected': INJECTED}
