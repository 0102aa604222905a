"""False-alarm budgets, and the threshold of rows without an order in time."""

import math
import re

import numpy as np
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.reference import Ints

PERIOD_MS = {"hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}


def per_week(false_alarms: str) -> float:
    """Alarms a week of a budget such as "1/week". Raises BadInput."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(hour|day|week)", false_alarms)
    if not match or float(match[1]) <= 0:
        raise BadInput(
            f"--false-alarms {false_alarms}: give a number per hour, day or week, such as 1/week"
        )
    return float(match[1]) * PERIOD_MS["week"] / PERIOD_MS[match[2]]


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
