"""The axis of scores: symlog, from 0 to beyond all, with every horizon's
threshold named at its right.
"""

import altair as alt
import numpy as np

from inlier_export.reference import Detector

LIMIT = "#c77700"
LABEL_PX = 13  # what a line of a label takes
# labels of an axis: 0.01, 10, 20k
SHORT = "datum.value < 1000 ? format(datum.value, '~r') : format(datum.value, '~s')"


def named(k: int, n: int) -> str:
    """A horizon, as a label."""
    return "each window" if n == 1 else f"{k} of {n}"


class ScoreAxis:
    """For scores up to `greatest`, on `height` pixels."""

    def __init__(self, detector: Detector, greatest: int, height: int):
        self._limits: dict[int, str] = {}  # by threshold; equal ones share a label
        for k, n, limit in detector.horizons:
            shared = self._limits.get(limit)
            self._limits[limit] = f"{shared}, {named(k, n)}" if shared else named(k, n)
        self._constant = max(1.0, detector.least / 50)
        self.top = 1.4 * max(greatest, *self._limits, 1)
        self._height = height
        self._whole = float(np.log1p(self.top / self._constant))
        self.scale = alt.Scale(
            type="symlog", constant=self._constant, domain=[0, self.top], nice=False
        )

    def pixel(self, score: float) -> float:
        """From the top."""
        return self._height * (1 - float(np.log1p(score / self._constant)) / self._whole)

    def score(self, pixel: float) -> float:
        return self._constant * float(np.expm1((1 - pixel / self._height) * self._whole))

    def y(self, title: str) -> alt.Y:
        first = max(0, int(np.log10(max(1.0, self._constant))))
        ticks = [0, *(10**i for i in range(first, int(np.log10(self.top)) + 1))]
        axis = alt.Axis(values=ticks, labelExpr=SHORT, labelOverlap="greedy")
        return alt.Y("score:Q", scale=self.scale, title=title, axis=axis)

    def thresholds(self) -> alt.LayerChart:
        """A dashed line each, and their names on an axis of their own, moved
        apart where they would lie over each other.
        """
        limits = sorted(self._limits)
        exact = [self.pixel(limit) for limit in limits]
        places = exact.copy()
        for i in range(1, len(places)):  # upwards
            places[i] = min(places[i], places[i - 1] - LABEL_PX)
        # then all of them back, by as much as they moved on average
        back = (sum(exact) - sum(places)) / len(exact)
        places = [min(place + back, self._height) for place in places]
        places[-1] = max(places[-1], 0.0)
        for i in reversed(range(len(places) - 1)):
            places[i] = max(places[i], places[i + 1] + LABEL_PX)
        at = [self.score(place) for place in places]
        said = f"'{self._limits[limits[-1]]}'"
        for i in reversed(range(len(at) - 1)):
            said = f"datum.value < {(at[i] + at[i + 1]) / 2} ? '{self._limits[limits[i]]}' : {said}"
        axis = alt.Axis(
            orient="right",
            values=at,
            labelExpr=said,
            labelOverlap=False,
            ticks=False,
            domain=False,
            grid=False,
            title=None,
        )
        values = [
            {"score": limit, "horizon": f"{name}: {limit:,}"}
            for limit, name in self._limits.items()
        ]
        rule = alt.Chart(alt.Data(values=values)).mark_rule(
            color=LIMIT, strokeDash=[6, 4], strokeWidth=1.2
        )
        y = alt.Y("score:Q", scale=self.scale, axis=axis)
        return alt.layer(rule.encode(y=y, tooltip=alt.Tooltip("horizon:N", title="threshold")))
