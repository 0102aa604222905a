"""`inlier evaluate`: false alarms over weeks of a capture, and how soon an
attack laid over it is seen.

Each capture is a device of its own: fitted on its first 60 %, calibrated on the
next 15 %, tested on the last 25 %, from boot. Over the test part each attack is
laid at several starts.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from inlier_export import reference
from inlier_export.reference import Ints
from inlier_trainer.pcap.count import Pcap, count

from .overlays import Overlay
from .progress import Progress
from .recordings import split
from .threshold import PERIOD_MS
from .train import Settings, Trained, train

STARTS = 5
# no packet of the device for so long: it, or the capture, was off; a sleeping
# camera is silent for hours
SILENCE_S = 86400
# windows scored before an attack: the slowest mean has forgotten all but 1e-7
# of what came earlier
LEAD_IN = 256


@dataclass
class Laid:
    """One attack over one capture. detected: at every start; delay_s: from the
    first attack packet to the end of the window that alarmed, the median of the
    starts that were seen; unseen: the share of attack windows before the alarm.
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
    """days: of the test part; alarm_episodes: in it, without any attack."""

    name: str
    days: float
    alarm_episodes: int
    alarm_episodes_per_week: float
    model_bytes: int
    silent_windows_left_out: int
    overlays: list[Laid] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        return asdict(self)


def awake(seen: Ints, window_ms: int) -> Ints:
    """The windows (n,) that are not part of a silence of SILENCE_S or longer."""
    silent = np.concatenate([[0], (seen == 0).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(silent))
    keep = np.ones(len(seen), bool)
    for begin, end in edges.reshape(-1, 2):
        if (end - begin) * window_ms >= SILENCE_S * 1000:
            keep[begin:end] = False
    return np.flatnonzero(keep)


def evaluate(
    path: Path,
    device: str,
    window_ms: int,
    false_alarms: str,
    seed: int,
    attacks: list[Overlay],
    progress: Progress,
) -> Evaluation:
    """Raises BadInput."""
    counted = count(path, device, window_ms, progress)
    kept = awake(counted.seen, window_ms)
    windows = counted.windows[kept]
    settings = Settings(
        source="pcap",
        counters=Pcap.counters,
        window_ms=window_ms,
        false_alarms=false_alarms,
        seed=seed,
        allow_constant=Pcap.counters,
        accept_anomalies=True,  # it measures, and its models go nowhere
    )
    trained = train(
        windows,
        settings,
        str(path),
        lambda stage, done, total: progress(f"{path.name}: {stage}", done, total),
    )
    test = windows[split(len(windows))[2]]
    days = len(test) * window_ms / PERIOD_MS["day"]
    episodes = int((trained.test.event == 1).sum())
    left_out = len(counted.windows) - len(kept)
    result = Evaluation(path.name, days, episodes, episodes / days * 7, len(trained.blob), left_out)
    for i, attack in enumerate(attacks):
        result.overlays.append(_lay(trained, test, attack, window_ms))
        progress(f"{path.name}: attacks", i + 1, len(attacks))
    return result


def _lay(trained: Trained, test: Ints, attack: Overlay, window_ms: int) -> Laid:
    delays, unseen = [], []
    starts = list(_starts(len(test), len(attack.windows)))
    for start in starts:
        boot = max(0, start - LEAD_IN)
        laid = test[boot : start + len(attack.windows)].copy()
        before = start - boot
        laid[before:] += attack.windows[: len(laid) - before]
        event = reference.run(trained.detector, laid).event
        raised = np.flatnonzero(event[before:] == 1)
        if event[:before].sum() == 1:  # a false alarm that is still on tells nothing of the attack
            raised = raised[:0]
        unseen.append(
            float(raised[0] if len(raised) else len(attack.windows)) / len(attack.windows)
        )
        if len(raised):
            delays.append((int(raised[0]) + 1) * window_ms / 1000)
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
    first, last = min(test // 10, test - 1), max(test - attack, test // 10)
    for start in np.unique(np.linspace(first, last, STARTS).astype(int)):
        yield int(start)
