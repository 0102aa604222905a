"""One model for a device type: what a unit that was not recorded would have to
expect, by leaving each out in turn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from inlier_export import reference
from inlier_export.reference import Ints

from .progress import Progress
from .threshold import PERIOD_MS
from .train import Settings, train


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


def leave_each_out(
    recordings: Sequence[Ints], settings: Settings, names: Sequence[str], progress: Progress
) -> list[LeftOut]:
    """Train on all units but one and count the false alarms of that one, for
    each. recordings: (n, counters) each; names: where each came from. Raises
    BadInput.
    """
    results = []
    for i, (unit, name) in enumerate(zip(recordings, names, strict=True)):
        progress("leaving each unit out", i, len(recordings))
        others = [other for j, other in enumerate(recordings) if j != i]
        origin = ", ".join(other for j, other in enumerate(names) if j != i)
        model = train(
            np.concatenate(others), settings, origin, lengths=[len(other) for other in others]
        )
        events = reference.run(model.detector, unit).event
        results.append(
            LeftOut(
                name,
                len(unit),
                len(unit) * settings.window_ms / PERIOD_MS["day"],
                int((events == 1).sum()),
            )
        )
    progress("leaving each unit out", len(recordings), len(recordings))
    return results
