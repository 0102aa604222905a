"""One model for a device type: what a unit that was not recorded would have to
expect, by leaving each out in turn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from inlier_export import reference
from inlier_export.reference import Ints

from .progress import Progress
from .threshold import PERIOD_MS
from .train import Settings, Trained, train


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


def without(
    i: int, recorded: Sequence[Ints], settings: Settings, names: Sequence[str], progress: Progress
) -> Trained:
    """A model of all units but i. Raises BadInput."""
    others = [unit for j, unit in enumerate(recorded) if j != i]
    origin = ", ".join(name for j, name in enumerate(names) if j != i)
    return train(others, settings, origin, progress)


def leave_each_out(
    recorded: Sequence[Ints], settings: Settings, names: Sequence[str], progress: Progress
) -> list[LeftOut]:
    """Train on all units but one and count the false alarms of that one, for
    each. recorded: (n, counters) each; names: where each came from. Raises
    BadInput.
    """
    results = []
    for i, (unit, name) in enumerate(zip(recorded, names, strict=True)):
        progress("leaving each unit out", i, len(recorded))
        model = without(i, recorded, settings, names, lambda *_: None)
        alarms = int((reference.run(model.detector, unit).event == 1).sum())
        days = len(unit) * settings.window_ms / PERIOD_MS["day"]
        results.append(LeftOut(name, len(unit), days, alarms))
    progress("leaving each unit out", len(recorded), len(recorded))
    return results
