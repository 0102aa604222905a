"""The threshold keeps the false-alarm rate that it was asked for, on tails whose quantiles are known."""

import math

import numpy as np
import pytest

from trainer.errors import BadInput
from trainer.threshold import rate_per_window, threshold


def test_one_of_one_is_the_budget_itself():
    # 604,800 windows of a second in a week
    assert rate_per_window("1/week", 1000, 1, 1) == pytest.approx(1 / 604_800)
    assert rate_per_window("2/day", 1000, 1, 1) == pytest.approx(2 / 86_400)
    assert rate_per_window("0.5/hour", 1000, 1, 1) == pytest.approx(0.5 / 3600)


@pytest.mark.parametrize(("k", "n"), [(2, 8), (3, 5)])
def test_k_of_n_of_independent_windows_raise_at_the_budget(k, n):
    budget = 50 / 3600  # alarms per window: 200 an hour at a second a window
    p = rate_per_window("50/hour", 1000, k, n)
    hot = np.random.default_rng(1).random(200_000) < p
    sums = np.convolve(hot, np.ones(n), "valid")
    raised = ((sums >= k) & hot[n - 1 :]).mean()
    assert raised == pytest.approx(budget, rel=0.25), "union bound: slightly fewer than asked"


@pytest.mark.parametrize("text", ["1", "week", "0/week", "-1/week", "1/year", "1e3/week", ""])
def test_a_rate_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadInput, match="such as 1/week"):
        rate_per_window(text, 1000, 2, 8)


def test_exponential_tail_is_extrapolated():
    scores = np.random.default_rng(2).exponential(1000, 5000).astype(np.int64)
    expected = 1000 * math.log(1e5)  # the exact 1e-5 quantile
    assert expected < threshold(scores, 1e-5) < 1.3 * expected, "an upper bound, and a close one"


def test_heavy_tail_is_set_further_out_than_a_light_one():
    uniform = np.random.default_rng(3).random(2000)
    heavy = (1000 * uniform**-0.3).astype(np.int64)
    light = (-1000 * np.log(uniform)).astype(np.int64)
    assert threshold(heavy, 1e-6) / np.median(heavy) > threshold(light, 1e-6) / np.median(light)


def test_never_below_the_greatest_benign_score():
    scores = np.array([10] * 99 + [5000])
    assert threshold(scores, 0.4) == 5000
    assert threshold(np.full(100, 7), 1e-6) == 7, "no tail to fit"
