"""The threshold keeps the false-alarm rate that it was asked for, on tails
whose quantiles are known.
"""

import math

import numpy as np
import pytest

from inlier_export.errors import BadInput
from inlier_trainer.horizons import episodes, greatest_level, reached
from inlier_trainer.threshold import alarm_level, per_week, rate_per_window, threshold


def test_the_budget_in_windows():
    # 604,800 windows of a second in a week
    assert rate_per_window("1/week", 1000) == pytest.approx(1 / 604_800)
    assert rate_per_window("2/day", 1000) == pytest.approx(2 / 86_400)
    assert rate_per_window("0.5/hour", 10_000) == pytest.approx(5 / 3600)
    assert [per_week(text) for text in ("1/week", "3/week", "2/day", "1/hour")] == [1, 3, 14, 168]


@pytest.mark.parametrize("text", ["1", "week", "0/week", "-1/week", "1/year", "1e3/week", ""])
def test_a_rate_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadInput, match="such as 1/week"):
        rate_per_window(text, 1000)


def test_alarm_level_is_where_the_alarm_itself_would_be_raised():
    scores = np.random.default_rng(6).integers(0, 1000, 500)
    level = alarm_level(scores, 2, 8)
    for limit in (300, 700, 950):
        assert (level > limit).tolist() == reached(scores > limit, 2, 8).tolist()
    assert level.max() == greatest_level(scores, 2, 8)


def test_exponential_tail_is_extrapolated():
    scores = np.random.default_rng(2).exponential(1000, 5000).astype(np.int64)
    expected = 1000 * math.log(1e5)  # the exact 1e-5 quantile
    assert expected < threshold(scores, 1e-5) < 1.3 * expected, "an upper bound, and a close one"


@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 8), (3, 5)])
def test_k_of_n_over_windows_that_hang_together_alarm_within_the_budget(k, n):
    rates = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        # A device's bursts: what one window brings, the following ones still
        # show.
        burst = rng.exponential(1000, 200_000) * (rng.random(200_000) < 0.05)
        scores = np.convolve(burst, 0.7 ** np.arange(20), "valid")
        limit = threshold(scores[:5000].astype(np.int64), 1e-4, k, n)
        rates.append(episodes(reached(scores > limit, k, n), gap=n) / len(scores))
    assert np.median(rates) < 1e-4, "kept by most recordings of 5,000 windows"
    assert np.mean(rates) > 1e-5, "without giving all power away"


def test_heavy_tail_is_set_further_out_than_a_light_one():
    uniform = np.random.default_rng(3).random(2000)
    heavy = (1000 * uniform**-0.3).astype(np.int64)
    light = (-1000 * np.log(uniform)).astype(np.int64)
    assert threshold(heavy, 1e-6) / np.median(heavy) > threshold(light, 1e-6) / np.median(light)


def test_never_below_the_greatest_benign_score():
    scores = np.array([10] * 99 + [5000])
    assert threshold(scores, 0.4) == 5000
    assert threshold(np.full(100, 7), 1e-6) == 7, "no tail to fit"
