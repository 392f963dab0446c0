#!/usr/bin/env python3
"""scripts/stats.py against known values, brute force, and scipy where it is installed."""
import itertools
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
import stats  # noqa: E402

try:
    import scipy.stats
except ImportError:
    scipy = None


class Median(unittest.TestCase):
    def test_odd_even_single(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 3, 2]), 2.5)
        self.assertEqual(stats.median([7]), 7)

    def test_nothing_is_an_error(self):
        self.assertRaises(ValueError, stats.median, [])


class Interval(unittest.TestCase):
    # Ranks and confidences as tabulated for the sign test.
    KNOWN = {6: (1, 0.969), 10: (2, 0.979), 20: (6, 0.959), 30: (10, 0.957)}

    def test_known_ranks(self):
        for n, (rank, confidence) in self.KNOWN.items():
            self.assertEqual(stats.interval_rank(n), rank)
            self.assertAlmostEqual(stats.confidence(n, rank), confidence, places=3)

    def test_few_samples_give_the_range_and_say_so(self):
        got = stats.estimate([5.0, 1.0, 3.0])
        self.assertEqual(got[:4], (3.0, 1.0, 5.0, 3))
        self.assertAlmostEqual(got.confidence, 0.75)
        self.assertEqual(stats.estimate([2.0]), (2.0, 2.0, 2.0, 1, 0.0))

    def test_confidence_by_brute_force(self):
        # Each sample lies above or below the median with equal chance: count the sign patterns that enclose it.
        for n in range(1, 11):
            for rank in range(1, n // 2 + 1):
                inside = sum(rank <= sum(signs) <= n - rank for signs in itertools.product((0, 1), repeat=n))
                self.assertAlmostEqual(stats.confidence(n, rank), inside / 2 ** n)

    def test_many_samples(self):
        got = stats.estimate(range(1, 3002))
        self.assertEqual(got.median, 1501)
        self.assertGreaterEqual(got.confidence, 0.95)
        self.assertLess(got.high - got.low, 3 * 3001 ** 0.5)

    @unittest.skipIf(scipy is None, "scipy is not installed")
    def test_against_scipy(self):
        for n in range(6, 60):
            rank = stats.interval_rank(n)
            self.assertAlmostEqual(stats.confidence(n, rank), 1 - 2 * scipy.stats.binom.cdf(rank - 1, n, 0.5))
            if 2 * (rank + 1) <= n:
                self.assertLess(1 - 2 * scipy.stats.binom.cdf(rank, n, 0.5), 0.95)


class Slope(unittest.TestCase):
    def test_exact_line(self):
        self.assertAlmostEqual(stats.slope([(n, 4096 + 513 * n) for n in (1000, 2000, 4000)]), 513)

    def test_known_fit(self):
        self.assertAlmostEqual(stats.slope([(1, 2), (2, 3), (3, 5), (4, 4)]), 0.8)

    def test_one_size_has_no_slope(self):
        self.assertIsNone(stats.slope([(5, 1), (5, 2)]))


class Trend(unittest.TestCase):
    FALLING = [[1.5, 1.3, 1.1, 1.0, 0.9]] * 6
    LEVEL = [[1.0, 1.2, 0.9, 1.1, 1.05], [1.1, 0.9, 1.0, 1.2, 0.95], [0.9, 1.0, 1.2, 1.1, 1.0]] * 2

    def test_a_trend_is_seen_and_noise_is_not(self):
        self.assertTrue(stats.has_trend(self.FALLING))
        self.assertFalse(stats.has_trend(self.LEVEL))
        self.assertFalse(stats.has_trend([[2.0, 1.0]] * 9))    # two repetitions are no series

    def test_a_trend_too_small_to_matter_is_none(self):
        small = [[1 + (value - 1) / 100 for value in series] for series in self.FALLING]
        self.assertLess(stats.trend_p(small), stats.TREND_P)
        self.assertFalse(stats.has_trend(small))

    def test_false_alarms_are_as_rare_as_promised(self):
        random = __import__("random").Random(7)
        alarms = sum(stats.trend_p([[random.random() for _ in range(5)] for _ in range(6)]) < 0.05
                     for _ in range(2000))
        self.assertLess(alarms, 2000 * 0.065)

    @unittest.skipIf(scipy is None, "scipy is not installed")
    def test_against_scipy(self):
        random = __import__("random").Random(8)
        for n in (5, 9, 30):
            series = [random.random() + i * 0.03 for i in range(n)]
            s, variance = stats.kendall(series)
            tau = scipy.stats.kendalltau(range(n), series, method="asymptotic")
            self.assertAlmostEqual(s / (n * (n - 1) / 2), tau.statistic if hasattr(tau, "statistic") else tau[0])
            # scipy corrects nothing for continuity.
            self.assertAlmostEqual(2 * scipy.stats.norm.sf(abs(s) / variance ** 0.5), tau[1])
            self.assertAlmostEqual(stats.trend_p([series]), 2 * scipy.stats.norm.sf((abs(s) - 1) / variance ** 0.5))

    @unittest.skipIf(scipy is None, "scipy is not installed")
    def test_slope_and_median_against_scipy(self):
        points = [(n, 4096 + 513 * n + (n % 7) * 100) for n in (1000, 2000, 5000, 10000)]
        self.assertAlmostEqual(stats.slope(points), scipy.stats.linregress(points).slope)
        for values in ([3.0, 1.0, 2.0], [4.0, 1.0, 3.0, 2.0]):
            self.assertEqual(stats.median(values), scipy.stats.scoreatpercentile(values, 50))


class Ratio(unittest.TestCase):
    def test_pairs_by_launch(self):
        # Both arms of a launch share its speed, so the ratio is exact although the times differ tenfold.
        ours = {launch: speed for launch, speed in enumerate((1.0, 10.0, 3.0, 2.0, 5.0, 4.0))}
        theirs = {launch: 7.0 * speed for launch, speed in ours.items()}
        got = stats.paired_ratio(ours, theirs)
        self.assertEqual(got[:4], (7.0, 7.0, 7.0, 6))
        self.assertAlmostEqual(got.confidence, 0.96875)

    def test_an_arm_of_one_launch_is_paired_with_that_launch(self):
        # Launches differ tenfold; repetitions of one launch are no pairs of other launches, whatever their numbers.
        several = {0: 2.0, 1: 20.0, 2: 3.0}
        once = {(0, rep, place): value for rep, place, value in ((0, 0, 13.0), (1, 1, 14.0), (2, 2, 15.0))}
        self.assertEqual(stats.ratio(several, once), (7.0, 7.0, 7.0, 1, 0.0))
        self.assertEqual(stats.ratio(once, several), (1 / 7, 1 / 7, 1 / 7, 1, 0.0))
        # Of one launch each, repetitions are pairs.
        self.assertEqual(stats.ratio(once, {key: 2 * value for key, value in once.items()})[:4], (2.0, 2.0, 2.0, 3))

    def test_nothing_shared(self):
        self.assertIsNone(stats.paired_ratio({0: 1.0}, {1: 1.0}))


if __name__ == "__main__":
    unittest.main()
