"""Detectors of scikit-learn in floats, as a yardstick: the same features, folds
and rule for the threshold.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from inlier_export.reference import Bytes
from inlier_trainer.threshold import row_threshold

from .detectors import RATE, Scores


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
    """Name, scores (n,) of rows q (n, columns), and threshold of each
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
        limit = row_threshold(np.concatenate(unseen), RATE)
        yield name, -model.score_samples(_scaled(q)), limit


def _scaled(q: Scores) -> Scores:
    return q / 64
