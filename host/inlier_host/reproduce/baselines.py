"""Detectors of scikit-learn in floats, as a yardstick: the same features, folds
and rule for the threshold.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from inlier_export.reference import Bytes
from inlier_trainer.threshold import row_threshold

from .detectors import ALONE, Scores

STEPS = 1_000_000  # the threshold's rule takes integers: a score's range in so many steps


def models(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    return {
        "rbf_svm": lambda: OneClassSVM(nu=0.01, gamma="scale"),
        "isolation_forest": lambda: IsolationForest(random_state=seed),
        "lof": lambda: LocalOutlierFactor(novelty=True),
    }


def scores(
    parts: list[tuple[Bytes, Bytes]], q: Scores, seed: int
) -> Iterator[tuple[str, Scores, float]]:
    """Name, scores (n,) of rows q (n, features), and threshold of each
    baseline.

    parts: quantised benign rows to fit on and others to calibrate on; the last
    is the whole of them.
    """
    for name, make in models(seed).items():
        unseen = []
        for fit, check in parts:
            model = make().fit(_scaled(fit.astype(np.float64) - 128))
            if len(check):
                unseen.append(-model.score_samples(_scaled(check.astype(np.float64) - 128)))
        benign = np.concatenate(unseen)
        low, step = float(benign.min()), max(float(np.ptp(benign)), 1e-9) / STEPS
        top = row_threshold(np.rint((benign - low) / step).astype(np.int64), ALONE)
        yield name, -model.score_samples(_scaled(q)), low + top * step


def _scaled(q: Scores) -> Scores:
    return q / 64
