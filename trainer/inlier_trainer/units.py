"""One model for a device type: what a unit that was not recorded would have to
expect, by leaving each out in turn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from inlier_export import reference
from inlier_export.reference import Ints

from .progress import Progress
from .threshold import PERIOD_MS
from .train import Trained, train
from .trainer import Settings


@dataclass(frozen=True)
class LeftOut:
    """alarm_episodes: of a model of the other units, over the whole recording
    of this one, from boot.
    """

    recording: str
    windows: int
    days: float
    alarm_episodes: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


Runs = Sequence[Ints]  # a unit's windows (n, counters), in pieces: it began at boot with each


def fit(
    units: Sequence[Runs], settings: Settings, names: Sequence[str], progress: Progress
) -> Trained:
    """A model of these units. Raises BadInput."""
    runs = [run for unit in units for run in unit]
    of = [i for i, unit in enumerate(units) for _ in unit]
    return train(runs, settings, ", ".join(names), progress, of)


def without(
    i: int, units: Sequence[Runs], settings: Settings, names: Sequence[str], progress: Progress
) -> Trained:
    """A model of all units but i. Raises BadInput."""
    others = [unit for j, unit in enumerate(units) if j != i]
    return fit(others, settings, [name for j, name in enumerate(names) if j != i], progress)


def leave_each_out(
    units: Sequence[Runs], settings: Settings, names: Sequence[str], progress: Progress
) -> list[LeftOut]:
    """Train on all units but one and count the false alarms of that one, for
    each. Raises BadInput.

    names: where each came from.
    """
    results = []
    for i, (unit, name) in enumerate(zip(units, names, strict=True)):
        progress("leaving each unit out", i, len(units))
        model = without(i, units, settings, names, lambda *_: None)
        alarms = sum(int((reference.run(model.detector, run).event == 1).sum()) for run in unit)
        windows = sum(map(len, unit))
        days = windows * settings.window_ms / PERIOD_MS["day"]
        results.append(LeftOut(name, windows, days, alarms))
    progress("leaving each unit out", len(units), len(units))
    return results
