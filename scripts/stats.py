"""Statistics of the report: nothing is assumed about how the samples are distributed.

The estimate of a quantity is its median; its interval is a pair of order statistics, whose probability to enclose the
true median follows from the binomial distribution alone. Below six samples no such pair reaches 95 %; the interval is
then [minimum, maximum] and `confidence` says what it is worth.
"""
from math import comb, erf, sqrt
from typing import NamedTuple

WANTED_CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A median with its interval, the number of samples behind it and the confidence that the interval has."""
    median: float
    low: float
    high: float
    n: int
    confidence: float


def median(values):
    """The middle value, or the mean of the two middle values."""
    if not values:
        raise ValueError("median of no samples")
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def confidence(n, k):
    """Probability that the median lies between the k-th smallest and the k-th largest of n samples, k from 1."""
    return 1.0 - 2 * sum(comb(n, i) for i in range(k)) / 2 ** n    # of whole numbers: no float holds 2 ** 1024


def interval_rank(n, wanted=WANTED_CONFIDENCE):
    """The largest k whose interval still has the wanted confidence; 1 when none has."""
    rank, term, below = 1, 1, 1    # the last of the coefficients that confidence(n, rank) adds up, and their sum
    while 2 * (rank + 1) <= n:
        term = term * (n - rank + 1) // rank
        if 1.0 - 2 * (below + term) / 2 ** n < wanted:
            break
        rank, below = rank + 1, below + term
    return rank


def estimate(values, wanted=WANTED_CONFIDENCE):
    """Median and order-statistic interval of the samples."""
    ordered = sorted(values)
    n = len(ordered)
    middle = median(ordered)
    rank = interval_rank(n, wanted)
    return Estimate(middle, ordered[rank - 1], ordered[n - rank], n, max(0.0, confidence(n, rank)))


def slope(points):
    """Least-squares slope of y over x; None when all x are the same, since then there is no slope."""
    points = list(points)
    if len({x for x, _ in points}) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return (sum((x - mean_x) * (y - mean_y) for x, y in points) /
            sum((x - mean_x) ** 2 for x, _ in points))


TREND_P, TREND_EFFECT = 0.01, 0.02


def kendall(series):
    """(S, its variance) of the Mann-Kendall test for a trend in a series without ties worth speaking of."""
    n = len(series)
    s = sum((later > earlier) - (later < earlier) for i, earlier in enumerate(series) for later in series[i + 1:])
    return s, n * (n - 1) * (2 * n + 5) / 18


def trend_p(strata):
    """Two-sided p of a common trend within several series (the seasonal Kendall test), by the normal approximation with
    its correction for continuity. 1 where there is too little to tell."""
    parts = [kendall(series) for series in strata if len(series) > 1]
    s, variance = sum(part[0] for part in parts), sum(part[1] for part in parts)
    if s == 0 or variance == 0:
        return 1.0
    return 1 - erf((abs(s) - 1) / sqrt(2 * variance))


def has_trend(strata):
    """Whether the series, one a launch, still move: a trend that is beyond chance and of a size that matters."""
    strata = [series for series in strata if len(series) > 2]
    if not strata or trend_p(strata) >= TREND_P:
        return False
    change = median([median(series[:len(series) // 2]) / median(series[(len(series) + 1) // 2:]) for series in strata])
    return abs(change - 1) > TREND_EFFECT


def alike(*arms):
    """Arms with keys of one kind, so that they can be paired. A key is the launch, or, of an arm that has one launch
    only, a tuple for each repetition, which begins with the launch: beside an arm of several it is one of these."""
    if all(isinstance(key, tuple) for arm in arms for key in arm):
        return arms
    return tuple(launch_medians(arm) for arm in arms)


def launch_medians(arm):
    launches = {}
    for key, value in arm.items():
        launches.setdefault(key[0] if isinstance(key, tuple) else key, []).append(value)
    return {launch: median(values) for launch, values in launches.items()}


def paired_ratio(ours, theirs, wanted=WANTED_CONFIDENCE):
    """Estimate of theirs/ours over the keys (launches) that both have; None when they share none.

    Pairs cancel what both arms of a launch feel alike: a slower clock, a busy neighbour.
    """
    ours, theirs = alike(ours, theirs)
    ratios = [theirs[key] / ours[key] for key in ours if key in theirs and ours[key] > 0]
    return estimate(ratios, wanted) if ratios else None


def ratio(ours, theirs):
    """theirs / ours, paired by launch; where no launch has both, the widest ratio that the intervals allow."""
    paired = paired_ratio(ours, theirs)
    if paired:
        return paired
    ours, theirs = estimate(list(ours.values())), estimate(list(theirs.values()))
    return Estimate(theirs.median / ours.median, theirs.low / ours.high, theirs.high / ours.low, 0, 0.0)
