"""Thresholds for a stated false-alarm rate, from calibration windows alone."""

import math
import re

import numpy as np

from export.reference import Ints

from .errors import BadInput

PERIOD_MS = {"hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
TAIL = 0.1  # the part of the scores that counts as tail
SHRINK = 50  # exceedances at which the fitted shape weighs as much as the exponential's, 0
CONFIDENCE = 0.95
EXCEEDANCES_MIN = 5
SHAPE_MAX = 0.5  # beyond it the variance is infinite and a fit says nothing


def rate_per_window(false_alarms: str, window_ms: int, k: int, n: int) -> float:
    """The probability per window of being hot that keeps a k-of-n alarm to `false_alarms`, such as "1/week".

    Hot windows are taken as independent: an alarm is then raised at a window with probability of about
    C(n - 1, k - 1) * p^k, the window itself and k - 1 others of the n - 1 before it. Raises BadInput.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(hour|day|week)", false_alarms)
    if not match or float(match[1]) <= 0:
        raise BadInput(f"--false-alarms {false_alarms}: give a number per hour, day or week, such as 1/week")
    per_window = min(1.0, float(match[1]) * window_ms / PERIOD_MS[match[2]])
    return min(0.5, float((per_window / math.comb(n - 1, k - 1)) ** (1 / k)))


def threshold(scores: Ints, rate: float) -> int:
    """The score that benign windows exceed with probability of at most `rate`; never below the greatest in `scores`.

    Peaks over threshold: the exceedances over the 90 % quantile follow a generalised Pareto distribution (Pickands, 1975),
    fitted by maximum likelihood, its shape drawn towards 0 where there are few, and extrapolated to `rate`. A short
    calibration may have been a lucky one: of the exceedances' mean (gamma) and share (Clopper and Pearson, 1934) the
    upper 95 % bounds are used.
    """
    from scipy.stats import beta, chi2, genpareto

    top = int(scores.max())
    start = float(np.quantile(scores, 1 - TAIL))
    excess = scores[scores > start] - start
    m = len(excess)
    if m < EXCEEDANCES_MIN or rate >= m / len(scores):
        return top
    share = float(beta.ppf(CONFIDENCE, m + 1, len(scores) - m))
    shape, _, _ = genpareto.fit(excess, floc=0)
    shape = min(max(float(shape), 0.0), SHAPE_MAX) * m / (m + SHRINK)
    scale = float(excess.mean()) * (1 - shape) * 2 * m / float(chi2.ppf(1 - CONFIDENCE, 2 * m))
    beyond = float(genpareto.isf(rate / share, shape, scale=scale))
    return max(top, math.ceil(start + beyond))
