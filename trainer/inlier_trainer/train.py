"""From benign windows to a model: the most watchful point that keeps the
false-alarm budget. What is fitted for it: trainer.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.reference import Bytes, Counts, Detector

from . import budget, gone_quiet, infection_check, learnable, shifts
from .autoencoder import FloatLayers
from .folds import Plan
from .progress import Progress, quiet
from .threshold import per_week
from .trainer import Settings, Trainer, end_to_end

WINDOWS_MIN = 333  # a recording: ranges and some 1,000 weights rest on it


@dataclass
class Trained:
    """A model, with what is known of it.

    choice: the point on the budget's line.
    windows: recorded.
    benign: all windows, end to end.
    x_fit: the autoencoder's inputs of distinct benign rows.
    delay, other_delay: median windows to the alarm over made-up shifts, at
        the budget and at budget.OTHER times it.
    anomalies: what looks like an infection, and was accepted.
    """

    detector: Detector
    blob: bytes
    float_layers: FloatLayers
    plan: Plan
    choice: budget.Choice
    benign: Counts
    x_fit: Bytes
    delay: float
    other_delay: float
    quiet_counters: tuple[str, ...]
    anomalies: list[infection_check.Anomaly]

    def with_detector(self, detector: Detector) -> "Trained":
        """The same, but for thresholds."""
        return replace(self, detector=detector, blob=pack(detector))

    def summary(self) -> dict[str, object]:
        d, choice = self.detector, self.choice
        return {
            "model_bytes": len(self.blob),
            "windows": len(self.benign),
            "features": d.features,
            "horizons": [list(h) for h in d.horizons],
            "rung": choice.rung,
            "false_alarms_per_week": round(choice.per_week, 3),
            "false_alarms_interval": [round(choice.low, 3), round(choice.high, 3)],
            "budget_met": choice.met,
            "unseen_windows": self.plan.windows,
            "unseen_alarms": choice.counted,
            "record_weeks_more": round(choice.weeks_more, 2),
            "delay_windows": self.delay,
            "delay_windows_at_3_times": self.other_delay,
            "quiet_counters": list(self.quiet_counters),
            "anomalies_accepted": [anomaly.said() for anomaly in self.anomalies],
        }


def _anomalies(
    units: Sequence[Counts], settings: Settings, origin: str
) -> list[infection_check.Anomaly]:
    """What looks like an infection, if that is accepted. Raises BadInput if it
    is not.
    """
    found = []
    for i, unit in enumerate(units):
        found += infection_check.anomalies(unit, settings.counters)
        if found and not settings.accept_anomalies:
            which = f" (recording {i + 1})" if len(units) > 1 else ""
            raise BadInput(
                f"{origin}{which}: {found[0].said()}; an infection that is learned as normal is "
                f"never seen: record again "
                "from a device that you trust, or say --accept-anomalies if it always does that"
            )
    return found


def whole_units(recorded: Sequence[Counts], unit: Sequence[int] | None) -> list[Counts]:
    """The windows of each unit, its recordings end to end."""
    if unit is None:
        return list(recorded)
    pairs = list(zip(recorded, unit, strict=True))
    return [np.concatenate([r for r, i in pairs if i == u]) for u in dict.fromkeys(unit)]


def train(
    recorded: Sequence[Counts],
    settings: Settings,
    origin: str,
    progress: Progress = quiet,
    unit: Sequence[int] | None = None,
) -> Trained:
    """Train on benign windows (n, counters) of each recording, in the
    order in which they were counted; several are units of one type. The same
    windows and settings give the same bytes. Raises BadInput.

    origin: where they came from, for error messages.
    unit: which unit each is of, where some have several: between these the
        device began at boot.
    """
    allowed = set(settings.allow_constant)
    benign = end_to_end(recorded)
    learnable.check(benign, settings.counters, origin, WINDOWS_MIN, allowed)
    asked = per_week(settings.false_alarms)
    anomalies = _anomalies(whole_units(recorded, unit), settings, origin)
    trainer = Trainer(recorded, settings, progress, unit)
    counts = trainer.novelty()
    plan_ = trainer.plan
    choice = budget.choose(counts, plan_.windows, settings.window_ms, asked)
    other = budget.choose(counts, plan_.windows, settings.window_ms, budget.OTHER * asked)
    detector = trainer.detector(choice.rung)
    longest = max(recorded, key=len)
    delay, other_delay = shifts.delays(longest, [detector, trainer.detector(other.rung)])
    fit = trainer.fitted()
    return Trained(
        detector=detector,
        blob=pack(detector),
        float_layers=fit.float_layers,
        plan=plan_,
        choice=choice,
        benign=benign,
        x_fit=fit.x,
        delay=delay,
        other_delay=other_delay,
        quiet_counters=gone_quiet.used(detector),
        anomalies=anomalies,
    )
