"""The false-alarm budget: alarms on kinds of benign events never recorded.

A recording's own events say little of that rate: their detectors know them. So
each fold is left out of ranges, autoencoder, weights and thresholds, and what
alarms on it is counted. Few recordings are long enough for that count alone;
what six devices showed in 3.75 weeks stands beside it, as four weeks of
evidence (a gamma prior of a Poisson rate).

The shorter a recording, the more it has not seen: kinds that are new after it
come as the inverse of its length (Good, "The population frequencies of species
and the estimation of population parameters", 1953). So what the six showed
counts for as much less of a recording that is shorter than theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .threshold import PERIOD_MS

# Rungs multiply the floors of all horizons and the margin of the one-class SVM:
# the more patient, the fewer alarms and the later.
LADDER = (0.25, 0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.1, 1.2, 1.3, 1.4, 1.7, 2.0, 2.4, 2.8, 4.0)
PRIOR_WEEKS = 4.0
MEASURED_WEEKS = 1 / 3  # what the shortest of the six was trained on: 2.3 days
INTERVAL = (0.1, 0.9)
OTHER = 3  # times what was asked for: what that would buy is said


def prior_rate(rung: float) -> float:
    """Alarms a week on new kinds of benign events, after MEASURED_WEEKS or
    more: a smooth law through what six devices of three makers gave at each
    rung, windows of 10 s.
    """
    return 1.3 * rung**-1.5


def evidence_weeks(weeks: float) -> float:
    """What counts rest on: a recording of so many weeks, and the six devices'
    beside it.
    """
    return weeks + PRIOR_WEEKS * min(1.0, weeks / MEASURED_WEEKS)


def weeks_for(evidence: float) -> float:
    """How long a recording gives so much evidence: evidence_weeks(), inverted."""
    short = evidence_weeks(MEASURED_WEEKS)
    return evidence - PRIOR_WEEKS if evidence > short else evidence / short * MEASURED_WEEKS


@dataclass(frozen=True)
class Choice:
    """The rung that meets a budget.

    per_week: alarms a week on new kinds of events.
    low, high: its 80 % interval.
    counted: alarms on left-out folds.
    weeks: how long these are.
    met: whether any rung meets the budget.
    weeks_more: recording that would, where none does.
    """

    rung: float
    per_week: float
    low: float
    high: float
    counted: int
    weeks: float
    met: bool
    weeks_more: float


def choose(counts: Sequence[int], windows: int, window_ms: int, per_week: float) -> Choice:
    """The most watchful rung whose rate meets `per_week`.

    counts: alarms on the left-out folds at each rung of LADDER, in `windows`
        windows.
    """
    from scipy.stats import gamma

    weeks = windows * window_ms / PERIOD_MS["week"]
    # a more patient rung alarms no more often: what differs is luck
    own = np.maximum.accumulate(np.asarray(counts)[::-1])[::-1]
    shape = PRIOR_WEEKS * np.array([prior_rate(rung) for rung in LADDER]) + own
    evidence = evidence_weeks(weeks)
    rates = shape / evidence
    meeting = np.flatnonzero(rates <= per_week)
    at = int(meeting[0]) if len(meeting) else len(LADDER) - 1
    low, high = (float(gamma.ppf(p, shape[at], scale=1 / evidence)) for p in INTERVAL)
    more = 0.0 if len(meeting) else float(weeks_for(shape[at] / per_week) - weeks)
    return Choice(
        LADDER[at], float(rates[at]), low, high, int(counts[at]), weeks, bool(len(meeting)), more
    )
