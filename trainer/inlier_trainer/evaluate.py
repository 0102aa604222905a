"""`inlier evaluate`: false alarms over weeks of a capture, and how soon an
attack laid over it is seen.

Each capture is a device of its own: trained on its first 75 %, tested on the
last 25 %. Over the test part each attack is laid at several starts. Units of
one type are left out in turn instead: trained on the others, tested whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlier.counters import DELTA_MAX
from inlier.packet_counters import Packets
from inlier_export import reference
from inlier_export.reference import Counts, Detector, Ints

from .overlays import Overlay
from .pcap.count import count
from .progress import Progress
from .sources import counters_of
from .threshold import PERIOD_MS
from .train import Trained, train
from .trainer import Settings

STARTS = 5
# no packet of the device for so long: it, or the capture, was off; a sleeping
# camera is silent for hours
SILENCE_S = 86400
# windows scored before an attack: the longest sum and horizon have forgotten
# what came earlier
LEAD_IN = 900


@dataclass
class Laid:
    """One attack over one capture.

    detected: at every start.
    delay_s: from the first attack packet to the end of the window that
        alarmed, the median of the starts that were seen.
    unseen: the share of attack windows before the alarm.
    """

    name: str
    detected: bool
    delay_s: float | None
    worst_delay_s: float | None
    detected_starts: int
    starts: int
    unseen: float


@dataclass
class Evaluation:
    """days: of the test part.
    alarm_episodes: in it, without any attack.
    novel_alarms: on folds of the training part that were left out of
        everything, in novel_days.
    novel_per_week, with its interval: what the model was chosen by.
    """

    name: str
    days: float
    alarm_episodes: int
    alarm_episodes_per_week: float
    novel_alarms: int
    novel_days: float
    novel_per_week: float
    novel_interval: tuple[float, float]
    rung: float
    model_bytes: int
    silent_windows_left_out: int
    overlays: list[Laid] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        return asdict(self)


def awake(seen: NDArray[Any], window_ms: int) -> Ints:
    """The windows (n,) that are not part of a silence of SILENCE_S or longer."""
    silent = np.concatenate([[0], (seen == 0).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(silent))
    keep = np.ones(len(seen), bool)
    for begin, end in edges.reshape(-1, 2):
        if (end - begin) * window_ms >= SILENCE_S * 1000:
            keep[begin:end] = False
    return np.flatnonzero(keep)


@dataclass(frozen=True)
class Capture:
    """The windows (n, counters) int32 that a device in a capture would have
    counted.

    left_out: of long silences.
    """

    name: str
    windows: Counts
    left_out: int


def read(
    path: Path, device: str, window_ms: int, progress: Progress, source: str = Packets.name
) -> Capture:
    """As a source on the device would have counted it. Raises BadInput."""
    counted = count(path, device, window_ms, progress, source)
    seen = np.concatenate([seen > 0 for _, seen in counted.parts()])
    kept = awake(seen, window_ms)
    windows = np.empty((len(kept), len(counters_of(source))), np.int32)
    at = begin = 0
    for rows, _ in counted.parts():
        end = int(np.searchsorted(kept, at + len(rows)))
        windows[begin:end] = np.minimum(rows[kept[begin:end] - at], DELTA_MAX)
        at, begin = at + len(rows), end
    return Capture(path.name, windows, len(counted) - len(kept))


def settings(
    window_ms: int,
    false_alarms: str,
    seed: int,
    detectors: str = "both",
    source: str = Packets.name,
) -> Settings:
    return Settings(
        source=source,
        counters=counters_of(source),
        window_ms=window_ms,
        false_alarms=false_alarms,
        seed=seed,
        detectors=detectors,
        allow_constant=counters_of(source),
        accept_anomalies=True,  # it measures, and its models go nowhere
    )


def split(n: int) -> tuple[slice, slice]:
    """What is trained on and what is tested on, in the order of time:
    neighbouring windows share a damped sum, so that a random split would test
    on what it was fitted on.
    """
    return slice(0, n * 75 // 100), slice(n * 75 // 100, n)


def evaluate(
    capture: Capture, chosen: Settings, attacks: Sequence[Overlay], progress: Progress
) -> Evaluation:
    """A device by itself: trained on the first part, tested on the rest. Raises
    BadInput.
    """
    base, test = (capture.windows[part] for part in split(len(capture.windows)))
    trained = train([base], chosen, capture.name, _told(capture.name, progress))
    return _test(trained, capture, base[-LEAD_IN:], test, attacks, progress)


def evaluate_units(
    captures: Sequence[Capture], chosen: Settings, attacks: Sequence[Overlay], progress: Progress
) -> Iterator[Evaluation]:
    """Units of one type: each left out in turn, and tested whole. Raises
    BadInput.
    """
    for i, unit in enumerate(captures):
        others = [other.windows for j, other in enumerate(captures) if j != i]
        names = ", ".join(other.name for j, other in enumerate(captures) if j != i)
        trained = train(others, chosen, names, _told(f"without {unit.name}", progress))
        yield _test(trained, unit, unit.windows[:0], unit.windows, attacks, progress)


def _told(name: str, progress: Progress) -> Progress:
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)


def _test(
    trained: Trained,
    capture: Capture,
    before: Counts,
    test: Counts,
    attacks: Sequence[Overlay],
    progress: Progress,
) -> Evaluation:
    window_ms = trained.detector.window_ms
    days = len(test) * window_ms / PERIOD_MS["day"]
    event = reference.run(trained.detector, np.concatenate([before, test])).event[len(before) :]
    episodes = int((event == 1).sum())
    choice = trained.choice
    result = Evaluation(
        capture.name,
        days,
        episodes,
        episodes / days * 7,
        choice.counted,
        choice.weeks * 7,
        choice.per_week,
        (choice.low, choice.high),
        choice.rung,
        len(trained.blob),
        capture.left_out,
    )
    for i, attack in enumerate(attacks):
        result.overlays.append(_lay(trained.detector, test, attack))
        progress(f"{capture.name}: attacks", i + 1, len(attacks))
    return result


def _lay(detector: Detector, test: Counts, attack: Overlay) -> Laid:
    delays, unseen = [], []
    starts = list(_starts(len(test), len(attack.windows)))
    for start in starts:
        boot = max(0, start - LEAD_IN)
        laid = test[boot : start + len(attack.windows)].astype(np.int64)
        before = start - boot
        laid[before:] += attack.windows[: len(laid) - before]
        event = reference.run(detector, laid).event
        raised = np.flatnonzero(event[before:] == 1)
        on = (event[:before] == 1).sum() > (event[:before] == -1).sum()
        if on:  # a false alarm that is still on tells nothing of the attack
            raised = raised[:0]
        unseen.append(
            float(raised[0] if len(raised) else len(attack.windows)) / len(attack.windows)
        )
        if len(raised):
            delays.append((int(raised[0]) + 1) * detector.window_ms / 1000)
    return Laid(
        attack.name,
        len(delays) == len(starts),
        float(np.median(delays)) if delays else None,
        max(delays, default=None),
        len(delays),
        len(starts),
        float(np.mean(unseen)),
    )


def _starts(test: int, attack: int) -> Iterator[int]:
    """STARTS places in the test part, evenly spread, past its warm-up."""
    first = test // 10
    for start in np.unique(np.linspace(first, max(test - attack, first), STARTS).astype(int)):
        yield int(start)
