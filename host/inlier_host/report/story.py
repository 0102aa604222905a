"""The alarms of a run as a person reads them: the runtime's own words, on the
host.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from inlier.explain import top_features
from inlier.sinks.message import Episode
from inlier_export.reference import reconstruct

from .subject import Subject

FEATURES = 6  # named of each alarm: the device names three


@dataclass
class Alarm:
    """Windows: index (raised), began, cleared (None: still on). features:
    [(name, per cent)], largest first.
    """

    index: int
    began: int
    cleared: int | None
    message: str
    features: list[tuple[str, int]]


def alarms(subject: Subject) -> list[Alarm]:
    trace, model = subject.trace, subject.model
    told: list[Alarm] = []
    episode = Episode()
    for i in np.flatnonzero(trace.hot | (trace.event != 0)).tolist():
        moment = SimpleNamespace(
            model=model,
            index=i,
            ae=int(trace.ae[i]),
            svm=int(trace.svm[i]),
            hot=bool(trace.hot[i]),
            deltas=subject.windows[i].tolist(),
            x=trace.x[i].tolist(),
        )
        if trace.event[i] > 0:
            y = reconstruct(trace.x[i : i + 1], subject.detector.layers)[0].tolist()
            features = top_features(model, moment.x, y, FEATURES)
            event = episode.alarm(moment, features[:3])
            told.append(Alarm(i, event["began"], None, event["message"], features))
        elif trace.event[i] < 0:
            told[-1].cleared = i
        episode.window(moment)
    return told
