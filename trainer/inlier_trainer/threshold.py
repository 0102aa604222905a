"""Thresholds for a stated false-alarm rate, from benign scores alone."""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.reference import Ints

PERIOD_MS = {"hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
TAILS = (
    0.1,
    0.3,
    0.5,
)  # the part of the windows that counts as tail: the least that holds enough clusters
CLUSTERS_MIN = 8
SHRINK = 50  # clusters at which the fitted shape weighs as much as the exponential's, 0
SHAPE_MAX = 0.5  # beyond it the variance is infinite and a fit says nothing
CONFIDENCE = 0.8
# times the windows scored: what happens more rarely they cannot tell
# (hydrology's rule of thumb)
EXTRAPOLATION_MAX = 4


def per_week(false_alarms: str) -> float:
    """Alarms a week of a budget such as "1/week". Raises BadInput."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(hour|day|week)", false_alarms)
    if not match or float(match[1]) <= 0:
        raise BadInput(
            f"--false-alarms {false_alarms}: give a number per hour, day or week, such as 1/week"
        )
    return float(match[1]) * PERIOD_MS["week"] / PERIOD_MS[match[2]]


def rate_per_window(false_alarms: str, window_ms: int) -> float:
    """The same as a probability per window, at most a half. Raises BadInput."""
    return min(0.5, per_week(false_alarms) * window_ms / PERIOD_MS["week"])


def alarm_level(scores: Ints, k: int, n: int) -> Ints:
    """The threshold below which k of n would alarm at each window
    (len(scores),): the k-th largest of its last n scores.
    """
    padded = np.concatenate([np.full(n - 1, scores.min(), np.int64), scores])
    last_n: Ints = np.lib.stride_tricks.sliding_window_view(padded, n)
    return np.concatenate(
        [
            np.partition(part, n - k, axis=1)[:, n - k]
            for part in np.array_split(last_n, -(-len(scores) // 100_000))
        ]
    )


def cluster_maxima(level: Ints, start: float, gap: int) -> NDArray[np.float64]:
    """The greatest of each run of windows over `start`; quiet for `gap` windows
    begins a new one: one alarm each.
    """
    over = np.flatnonzero(level > start)
    if not len(over):
        return np.empty(0)
    first = np.concatenate([[0], np.flatnonzero(np.diff(over) > gap) + 1])
    return np.maximum.reduceat(level[over], first).astype(np.float64)


@dataclass(frozen=True)
class Tail:
    """How the clusters of an alarm level exceed `start`: their rate per window;
    shape and scale of the generalised Pareto distribution of what they exceed
    it by. Few clusters may be lucky ones: upper bounds of CONFIDENCE.
    """

    start: float
    clusters_per_window: float
    shape: float
    scale: float

    def level(self, rate: float) -> float:
        """What is exceeded at `rate` clusters per window, which is below
        clusters_per_window.
        """
        from scipy.stats import genpareto

        return self.start + float(
            genpareto.isf(rate / self.clusters_per_window, self.shape, scale=self.scale)
        )


def clusters(level: Ints, gap: int) -> tuple[float, NDArray[np.float64]]:
    """The highest start that TAILS offers with CLUSTERS_MIN clusters over it,
    and what their maxima exceed it by.
    """
    for tail in TAILS:
        start = float(np.quantile(level, 1 - tail))
        maxima = cluster_maxima(level, start, gap)
        if len(maxima) >= CLUSTERS_MIN:
            break
    return start, maxima - start


def fit_tail(start: float, excess: NDArray[np.float64], windows: int) -> Tail:
    """By maximum likelihood, the shape drawn towards 0 where there are few."""
    from scipy.stats import chi2, genpareto

    m = len(excess)
    clusters_per_window = float(chi2.ppf(CONFIDENCE, 2 * m + 2)) / 2 / windows
    shape, _, _ = genpareto.fit(excess, floc=0)
    shape = min(max(float(shape), 0.0), SHAPE_MAX) * m / (m + SHRINK)
    scale = float(excess.mean()) * (1 - shape) * 2 * m / float(chi2.ppf(1 - CONFIDENCE, 2 * m))
    return Tail(start, clusters_per_window, shape, scale)


def tail_of(level: Ints, gap: int) -> Tail | None:
    """None where there are too few clusters to tell."""
    start, excess = clusters(level, gap)
    return fit_tail(start, excess, len(level)) if len(excess) >= CLUSTERS_MIN else None


def threshold(scores: Ints, rate: float, k: int = 1, n: int = 1) -> int:
    """The threshold at which k of n windows alarm with a probability of at most
    `rate` per window; never below what would have kept the benign `scores`, in
    order of time, without an alarm.

    Peaks over threshold on the level at which the alarm itself would be raised,
    so that k of n and windows that hang together are part of the estimate: runs
    over a high start are one cluster (Davison and Smith, "Models for
    exceedances over high thresholds", 1990), their maxima follow a generalised
    Pareto distribution (Pickands, 1975), fitted by maximum likelihood, its
    shape drawn towards 0 where there are few. Few clusters may be lucky ones:
    of their mean excess (gamma) and number (Poisson) the upper bounds of
    CONFIDENCE are used.
    """
    level = alarm_level(scores, k, n)
    top = int(level.max())
    tail = tail_of(level, n)
    if tail is None or rate >= tail.clusters_per_window:
        return top
    return max(top, math.ceil(tail.level(rate)))


@dataclass(frozen=True)
class Shortage:
    """What a budget asks for beyond the windows that there are: how many more
    to record; the least rate that they tell.
    """

    windows_more: int
    answerable: str


def shortage(recorded: int, unseen: int, rate: float, window_ms: int) -> Shortage | None:
    """None where `unseen` benign windows, of as many `recorded`, are enough to
    answer for alarms at `rate` per window.
    """
    needed = math.ceil(1 / rate / EXTRAPOLATION_MAX)
    if unseen >= needed:
        return None
    per_ms = 1 / (unseen * EXTRAPOLATION_MAX * window_ms)
    numbers = {
        period: math.ceil(per_ms * length_ms) for period, length_ms in reversed(PERIOD_MS.items())
    }
    period = next((period for period, number in numbers.items() if number < 10), "hour")
    return Shortage(math.ceil((needed - unseen) * recorded / unseen), f"{numbers[period]}/{period}")


def row_threshold(scores: Ints | NDArray[np.float64], rate: float) -> float:
    """The threshold that a benign row, drawn like `scores`, exceeds with a
    probability of at most `rate` by itself; one of the scores.

    Rows are exchangeable where windows are not, so that an order statistic does
    (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005:
    a conformal prediction set). Too few rows for the rate give the greatest
    score.
    """
    rows = len(scores)
    # n + 1 ranks are equally likely for a new row, of which it may take these.
    allowed = max(0, rows - math.ceil((rows + 1) * (1 - rate)))
    limit: float = np.sort(scores)[rows - 1 - allowed].item()
    return limit
