"""The linear one-class SVM on hinges of the quantised features.

scikit-learn's SGDOneClassSVM (Schölkopf's one-class SVM, solved in the primal)
is fitted on 1 - h / 64 for each hinge h: on benign windows nearly all are 1,
the margin to the origin is largest where all weigh alike, and what benign
windows themselves exceed weighs less. The decision w . (1 - h / 64) - rho falls
as hinges open, so that sum(w * h) is a score that rises with outlyingness. A
hinge that no benign window ever opens keeps its full weight.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier_export.quantise import HEADROOM, Floats, svm_weights
from inlier_export.reference import Bytes, Ints, hinge_map, svm_score

ROWS_MAX = 50_000
# A recording's extremes are not its device's: one feature may go beyond a hinge
# by just less than an event brings that never happened in the recording, at a
# knot of 63 and full weight.
MARGIN = 62

Part = tuple[Bytes, Bytes]  # x of windows to fit on and of windows to score


@dataclass
class Fitted:
    """knots; int8 weights (features, 2 * knots), knots above zero, then below,
    and the floats that they were rounded from;
    unseen: scores of the benign windows that their detector had not seen;
    margin: see MARGIN.
    """

    knots: tuple[int, ...]
    weights: NDArray[np.int8]
    floats: Floats
    unseen: Ints
    margin: int

    def threshold(self, calibrate: Callable[[Ints], int]) -> int:
        return max(calibrate(self.unseen), self.margin * int(self.weights.max()))


def fit(x: Bytes, knots: tuple[int, ...], seed: int, nu: float = 0.01) -> Floats:
    """Weights (features, 2 * knots) >= 0. x: quantised features (n, features)."""
    from sklearn.linear_model import SGDOneClassSVM

    if len(x) > ROWS_MAX:
        x = x[np.linspace(0, len(x) - 1, ROWS_MAX).astype(np.int64)]
    h = hinge_map(x, knots).reshape(len(x), -1).astype(np.float32)
    model = SGDOneClassSVM(nu=nu, random_state=seed, max_iter=50, tol=None, average=True)
    model.fit(1 - h / 64)
    # An excursion must never make a window more of an inlier.
    return np.maximum(model.coef_.reshape(x.shape[1], -1), 0).astype(np.float32)


def candidates(half: int) -> list[tuple[int, ...]]:
    """Knots to choose from: the end of the benign range, [-half, half], with
    others inside it, and one twice as far out.
    """
    middle, beyond = half // 2, 2 * half + 1
    knots = [(half,), (0, half), (middle, half), (0, middle, half), (half, beyond)]
    return [each for each in knots if each[-1] < 127]


def choose(
    parts: list[Part],
    seed: int,
    calibrate: Callable[[Ints], int],
    margin: int = MARGIN,
    half: int = HEADROOM.half,
) -> Fitted:
    """The SVM, fitted on the last part, on the knots that accept the least
    beside the benign windows.

    parts: their second members are windows that the first, which they are
    scored by, does not hold, in order of time.
    calibrate: from those scores to the threshold. half: see candidates. The
    knots are judged on benign data alone: by the share of made-up outliers that
    the threshold rejects, benign windows in which one feature to a quarter of
    them took a value drawn from the whole int8 range. What is left is the
    volume of the accepted region around the benign windows. A tie goes to fewer
    knots.
    """
    x = parts[-1][0]
    rng = np.random.default_rng(seed)
    base = x[rng.integers(0, len(x), 4000)]
    count = rng.integers(1, max(2, x.shape[1] // 4), len(base))
    chosen = rng.random(base.shape).argsort(axis=1) < count[:, None]
    made_up = np.where(chosen, rng.integers(0, 256, base.shape), base).astype(np.uint8)
    best, most = None, -1.0
    for knots in candidates(half):
        floats = [fit(part, knots, seed) for part, _ in parts]
        weights = [svm_weights(w) for w in floats]
        unseen = np.concatenate(
            [svm_score(part[1], knots, w) for part, w in zip(parts, weights, strict=True)]
        )
        found = Fitted(knots, weights[-1], floats[-1], unseen, margin)
        rejected = round(
            float((svm_score(made_up, knots, found.weights) > found.threshold(calibrate)).mean()), 3
        )
        if rejected > most:
            best, most = found, rejected
    assert best
    return best
