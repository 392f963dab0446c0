"""What the gate concludes from its numbers: pure functions, no measuring here. docs/PERF-GATE.md explains the rules.

A launch of a row gives one logarithm of a ratio for each arm against base: the median of its rounds. A row's estimate
is the median over launches, its interval a pair of order statistics of the launches.
"""
from math import expm1
from typing import NamedTuple

import stats

PASS, REGRESSED, INCONCLUSIVE, UNKNOWN = 'PASS', 'REGRESSED', 'INCONCLUSIVE', 'UNKNOWN'
EXIT = {PASS: 0, REGRESSED: 1, INCONCLUSIVE: 3, UNKNOWN: 4}    # 2 is a usage error or a failure of the gate itself
LIMIT = {'single': 0.05, 'multi': 0.15}    # how much slower head may be: all of the interval beyond it is too much
QUIET = 0.02      # how far identical code, and code that is not ours, may be from itself
INJECTED = 0.08   # the slowdown that the gate must see in every run
FEWEST_LAUNCHES = 6    # with fewer no interval of order statistics reaches 95 %


class Seen(NamedTuple):
    """A ratio less one, with the interval of its launches."""
    change: float
    low: float
    high: float

    def __str__(self):
        return f'{100 * self.change:+.1f} % [{100 * self.low:+.1f}, {100 * self.high:+.1f}]'


class Judged(NamedTuple):
    verdict: str
    why: str


def seen(logs):
    """From logarithms of ratios, one a launch."""
    got = stats.estimate(logs)
    return Seen(*(expm1(x) for x in got[:3]))


def quiet(what):
    return abs(what.change) <= QUIET


def disturbed(row, anchors):
    """Why nothing may be concluded from the row, or ''. row: {'kind', 'aa', 'slow'}; anchors: {name: Seen}."""
    if not quiet(row['aa']):
        return f"the same build differs from itself by {row['aa']}"
    for name, anchor in anchors.items():
        if not quiet(anchor):
            return f"the anchor {name}, which is not our code, moved by {anchor}"
    return ''


def judge_row(row, anchors):
    """One pass over a row of kind single: PASS, INCONCLUSIVE, or REGRESSED, which a second pass has to confirm."""
    limit = LIMIT[row['kind']]
    why = disturbed(row, anchors)
    if row['head'].low > limit:
        if why:
            return Judged(INCONCLUSIVE, f"slower by {row['head']}, but {why}")
        return Judged(REGRESSED, f"slower by {row['head']}")
    if row['aa'].low > limit:
        return Judged(INCONCLUSIVE, f"the same build was called slower than itself: {row['aa']}")
    if row['slow'].low <= limit:
        return Judged(INCONCLUSIVE, f"a slowdown of {100 * INJECTED:.0f} % that the gate injected was not seen: "
                                    f"{row['slow']}")
    return Judged(PASS, '')


def confirm(first, second):
    """Both passes together; the second is over relinked binaries, None when there was no need for one."""
    if first.verdict != REGRESSED or second is None:
        return first
    if second.verdict == REGRESSED:
        return Judged(REGRESSED, f'{first.why}; relinked in another order, {second.why}')
    if second.verdict == INCONCLUSIVE:
        return Judged(INCONCLUSIVE, f'{first.why}; relinked in another order, {second.why}')
    return Judged(PASS, f'{first.why} in one order of linking, not in another')


def overall(verdicts):
    """The worst that was found: what is regressed counts before what could not be told."""
    for verdict in (REGRESSED, INCONCLUSIVE, UNKNOWN):
        if verdict in verdicts:
            return verdict
    return PASS


# ---- exact budgets

# (absolute, relative): a value that exceeds its budget by more than both fails; as far below, the budget is to be
# lowered. Metrics are named GROUP/NAME.
TOLERANCE = {'instructions': (1.0, 0.01), 'system_calls': (0.005, 0.0), 'futexes': (0.005, 0.0),
             'pte_bytes': (0.0, 0.005), 'pss_bytes': (0.0, 0.01), 'mappings': (0.0005, 0.0),
             'minor_faults': (0.0, 0.01), 'stack_bytes': (0.0, 0.0), 'code_bytes': (0.0, 0.0)}


def beyond(group, value, budget):
    """1: more than the budget allows, -1: less by as much, 0: within."""
    absolute, relative = TOLERANCE[group]
    difference = value - budget
    if abs(difference) <= max(absolute, relative * abs(budget)) + 1e-9:
        return 0
    return 1 if difference > 0 else -1


def judge_exact(values, budget):
    """{metric: Judged} of measured values against a committed budget, both {metric: value}."""
    judged = {}
    for metric in sorted(set(values) | set(budget)):
        group = metric.split('/')[0]
        if metric not in budget:
            judged[metric] = Judged(UNKNOWN, 'has no budget: make perf-budget')
        elif metric not in values:
            judged[metric] = Judged(UNKNOWN, 'was not measured; if it is gone for good: make perf-budget')
        else:
            side = beyond(group, values[metric], budget[metric])
            change = f'{budget[metric]:g} -> {values[metric]:g}'
            judged[metric] = (Judged(REGRESSED, f'{change}') if side > 0 else
                              Judged(PASS, f'{change}: better, lower the budget by make perf-budget') if side < 0 else
                              Judged(PASS, ''))
    return judged
