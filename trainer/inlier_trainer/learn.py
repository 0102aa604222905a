"""The whole recipe: recordings of one or more units, and false alarms to learn
as benign, become a model and what is known of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inlier_export.reference import Detector, Ints

from . import learnable
from .added import keep_quiet, weave
from .progress import Progress, quiet
from .train import WINDOWS_MIN, Trained
from .trainer import Settings
from .units import LeftOut, Runs, fit, leave_each_out


@dataclass(frozen=True)
class Learned:
    """left_out: of several units, each tested on the others' model.
    before: the detector as trained, where `added` windows then raised its
        thresholds.
    """

    trained: Trained
    left_out: list[LeftOut]
    added: int
    before: Detector

    def summary(self) -> dict[str, object]:
        told = {**self.trained.summary(), "left_out": [unit.summary() for unit in self.left_out]}
        if self.added:
            told["added_windows"] = self.added
            told["horizons_learned"] = [list(h) for h in self.before.horizons]
        return told


def learn(
    units: Sequence[Runs],
    names: Sequence[str],
    settings: Settings,
    added: Sequence[Ints] = (),
    progress: Progress = quiet,
) -> Learned:
    """A model of what was recorded. Raises BadInput.

    units: of each, its windows (n, counters) in runs that nothing
        interrupted.
    names: where they came from.
    added: spans that were false alarms.
    """
    everything = set(settings.counters)
    whole = [np.concatenate(unit) for unit in units]
    for unit, name in zip(whole, names, strict=True):
        learnable.check(unit, settings.counters, name, WINDOWS_MIN, everything)
    woven = [weave(units[0], list(added)) if added else units[0], *units[1:]]
    trained = fit(woven, settings, names, progress)
    left_out = leave_each_out(woven, settings, names, progress) if len(woven) > 1 else []
    before = trained.detector
    if added:
        trained = trained.with_detector(keep_quiet(before, whole[0], list(added)))
    return Learned(trained, left_out, sum(map(len, added)), before)
