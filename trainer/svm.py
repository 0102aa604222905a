"""The linear one-class SVM on hinges of the quantised features.

scikit-learn's SGDOneClassSVM (Schölkopf's one-class SVM, solved in the primal) is fitted on 1 - h / 64 for each hinge h:
on benign windows nearly all are 1, the margin to the origin is largest where all weigh alike, and what benign windows
themselves exceed weighs less. The decision w . (1 - h / 64) - rho falls as hinges open, so that sum(w * h) is a score that
rises with outlyingness. A hinge that no benign window ever opens keeps its full weight.
"""

import numpy as np
from numpy.typing import NDArray

from export.quantise import Floats
from export.reference import hinge_map

ROWS_MAX = 50_000
# A recording's extremes are not its device's: one feature may go a quarter of the benign half range beyond an open hinge.
MARGIN = 16
OPEN_MIN = 20
CANDIDATES: tuple[tuple[int, ...], ...] = ((63,), (0, 63), (31, 63), (0, 31, 63))


def fit(q: NDArray[np.int8], knots: tuple[int, ...], seed: int, nu: float = 0.01) -> Floats:
    """Weights (features, 2 * knots) >= 0: knots above zero, then below. q: int8 (n, features)."""
    from sklearn.linear_model import SGDOneClassSVM

    if len(q) > ROWS_MAX:
        q = q[np.linspace(0, len(q) - 1, ROWS_MAX).astype(np.int64)]
    h = _hinges(q, knots)
    model = SGDOneClassSVM(nu=nu, random_state=seed, max_iter=50, tol=None, average=True)
    model.fit(1 - h / 64)
    # An excursion must never make a window more of an inlier.
    weights: Floats = np.maximum(model.coef_.reshape(q.shape[1], -1), 0).astype(np.float32)
    return weights


def choose_knots(q_fit: NDArray[np.int8], q_check: NDArray[np.int8], seed: int) -> tuple[int, ...]:
    """The knots whose SVM accepts the least beside the benign windows, judged on benign data alone.

    At a threshold that all of q_check stays under, the share of made-up outliers that are rejected: benign windows
    in which one feature to a quarter of them took a value drawn from the whole int8 range. What is left is the volume
    of the accepted region around the benign windows. A tie goes to fewer knots. Knots that fewer than OPEN_MIN windows of
    q_check reach are passed over: from scores that are nearly all zero no threshold can be told.
    """
    rng = np.random.default_rng(seed)
    base = q_fit[rng.integers(0, len(q_fit), 4000)]
    count = rng.integers(1, max(2, q_fit.shape[1] // 4), len(base))
    chosen = rng.random(base.shape).argsort(axis=1) < count[:, None]
    made_up = np.where(chosen, rng.integers(-128, 128, base.shape), base).astype(np.int8)
    rejected = []
    for knots in CANDIDATES:
        weights = fit(q_fit, knots, seed).reshape(-1)
        scores = _hinges(q_check, knots) @ weights
        limit = max(scores.max(), MARGIN * weights.max())
        calibrated = (scores > 0).sum() >= min(OPEN_MIN, len(scores))
        rejected.append(calibrated and float((_hinges(made_up, knots) @ weights > limit).mean()))
    return CANDIDATES[int(np.argmax(np.round(rejected, 3)))]


def _hinges(q: NDArray[np.int8], knots: tuple[int, ...]) -> Floats:
    x = (q.astype(np.int16) + 128).astype(np.uint8)
    return hinge_map(x, knots).reshape(len(q), -1).astype(np.float32)
