"""What a made-up device counts: the example doorbell's life (examples/
doorbell.py) as a law of its windows, drawn at once, and what can befall it.

It is a model of that application, not a recording: it has its periods, its
bells by day, homes whose network is away, and visitors in crowds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier.counters import DELTA_MAX
from inlier.sockets import Sockets
from inlier_export.reference import Ints
from inlier_trainer.threshold import PERIOD_MS

Floats = NDArray[np.float64]
Columns = dict[str, Ints]
COUNTERS = tuple(Sockets.counters)
DAY_S = PERIOD_MS["day"] // 1000
INFECTIONS = ("scan", "beacon", "flood", "theft")
TELEMETRY, ANSWER, PICTURE = 190, 105, 1024  # bytes
VICTIMS_MAX = 480  # distinct hosts that a window's bitmap tells apart, about


@dataclass(frozen=True)
class Habits:
    """A type's, or a device's: periods in seconds, bells a day."""

    telemetry_s: float
    heartbeat_s: float
    time_s: float
    bells: float
    looks: float  # at its status page, a day
    off_chimes: int
    size: float  # of what it tells, times the doorbell's
    trouble: float  # events a day


TYPES = (
    Habits(7, 4, 8, 12, 10, 1, 1.0, 0.06),  # the doorbell of examples/
    Habits(30, 20, 64, 3, 4, 0, 0.6, 0.04),
    Habits(60, 15, 128, 0.4, 1, 0, 0.4, 0.03),
    Habits(15, 60, 32, 40, 20, 2, 1.6, 0.1),
)


def of_type(index: int) -> Habits:
    base = TYPES[index % len(TYPES)]
    slower = 1 + index // len(TYPES)
    return Habits(
        base.telemetry_s * slower,
        base.heartbeat_s * slower,
        base.time_s,
        base.bells,
        base.looks,
        base.off_chimes,
        base.size,
        base.trouble,
    )


def of_device(habits: Habits, rng: np.random.Generator) -> Habits:
    """One of its type: somewhat busier or calmer, and a few with much trouble."""
    factor = np.exp(rng.normal(0, 0.15, 4))
    return Habits(
        habits.telemetry_s,
        habits.heartbeat_s,
        habits.time_s,
        habits.bells * factor[0] * np.exp(rng.normal(0, 0.4)),
        habits.looks * factor[1],
        habits.off_chimes,
        habits.size * factor[2],
        min(1.5, habits.trouble * np.exp(rng.normal(0, 0.9))),
    )


def by_day(window_ms: int, first: int, count: int) -> Floats:
    """How awake a home is in each window, 1 on average."""
    hour = (np.arange(first, first + count) * window_ms / 3.6e6) % 24
    awake = 0.15 + np.clip(np.sin((hour - 6) / 18 * np.pi), 0, None) * (hour >= 6)
    return awake / awake.mean() if len(awake) * window_ms >= DAY_S * 1000 else awake / 0.63


def calm(habits: Habits, window_ms: int, count: int, rng: np.random.Generator) -> Columns:
    """Columns of `count` windows from a midnight on, with nothing unusual."""
    seconds = window_ms / 1000
    awake = by_day(window_ms, 0, count)

    def periodic(period_s: float) -> Ints:
        mean = seconds / period_s
        drawn = rng.normal(mean, 0.06 * np.sqrt(mean) + 0.3, count)
        return np.maximum(np.rint(drawn), 0).astype(np.int64)

    def poisson(per_day: float) -> Ints:
        return rng.poisson(per_day * seconds / DAY_S * awake).astype(np.int64)

    told, beats, asked = (
        periodic(s) for s in (habits.telemetry_s, habits.heartbeat_s, habits.time_s)
    )
    bells, looks = poisson(habits.bells), poisson(habits.looks)
    pictures = rng.binomial(2 * bells, 0.5) + 3 * bells  # three to five of them
    parts = rng.binomial(2 * pictures, 0.5) + 3 * pictures
    lost = rng.binomial(asked, 0.004)
    hiccups = rng.random(count) < 0.0004 * seconds / 60
    own = habits.size
    off = bells * habits.off_chimes
    columns = {
        "bytes_out": (told * TELEMETRY * own).astype(np.int64)
        + beats * 5 + asked * 48 + pictures * 110 + parts * PICTURE + bells * 10 + looks * 95,
        "bytes_in": told * ANSWER + (beats - hiccups).clip(0) * 5 + (asked - lost) * 48
        + pictures * ANSWER + looks * 60,
        "sends": 2 * told + beats + pictures + parts + 2 * bells + looks,
        "receives": told + beats + pictures + 2 * looks,
        "connects": told + pictures + 3 * bells + hiccups,
        "connects_refused": off,
        "connects_failed": hiccups.astype(np.int64),
        "accepts": looks,
        "datagrams_out": asked,
        "datagrams_in": asked - lost,
        "lookups": told + pictures,
        "peers": (told + pictures > 0) * 1 + (asked > 0) + 3 * np.minimum(bells, 1) + (looks > 0),
        "ports": (told + pictures > 0) * 1 + (asked > 0) + np.minimum(bells, 1),
        "peers_new": np.zeros(count, np.int64),
    }  # fmt: skip
    columns["peers_new"][0] = columns["peers"][0]
    return columns


def trouble(columns: Columns, habits: Habits, window_ms: int, rng: np.random.Generator) -> None:
    """Benign events, most of them small and a few not: at times of their own."""
    count = len(columns["sends"])
    days = count * window_ms / 1000 / DAY_S
    for _ in range(rng.poisson(habits.trouble * days)):
        kind = (network_away, crowd, download, rebooted)[rng.integers(4)]
        lasts = max(1, int(rng.pareto(1.6) * 600_000 / window_ms) + 1)
        at = int(rng.integers(0, count))
        kind(columns, slice(at, min(count, at + min(lasts, 3_600_000 * 6 // window_ms))), rng)


def network_away(columns: Columns, where: slice, rng: np.random.Generator) -> None:
    """Nothing is answered: look-ups and connections are tried again."""
    tried = np.maximum(columns["connects"][where], 1)
    for name in ("bytes_in", "bytes_out", "sends", "receives", "datagrams_in", "accepts"):
        columns[name][where] = 0
    for name in ("connects", "connects_failed", "lookups"):
        columns[name][where] = tried
    columns["peers"][where] = 1


def crowd(columns: Columns, where: slice, rng: np.random.Generator) -> None:
    """Visitors: bells, pictures."""
    bells = rng.poisson(rng.uniform(2, 8), len(columns["sends"][where]))
    for name, each in (
        ("bytes_out", 16_000), ("bytes_in", 420), ("sends", 22), ("receives", 4),
        ("connects", 7), ("connects_refused", 1), ("lookups", 4),
    ):  # fmt: skip
        columns[name][where] += bells * each


def download(columns: Columns, where: slice, rng: np.random.Generator) -> None:
    """It fetches something, such as its sounds, from a host of its own."""
    size = int(20_000 * (1 + rng.pareto(1.3)))
    here = slice(where.start, min(where.start + 2, where.stop))
    columns["bytes_in"][here] += size
    columns["receives"][here] += size // 1024
    for name in ("connects", "lookups", "peers", "peers_new", "sends"):
        columns[name][here.start] += 1


def rebooted(columns: Columns, where: slice, rng: np.random.Generator) -> None:
    """All its hosts are new to it."""
    columns["peers_new"][where.start] += 3 + int(rng.integers(0, 3))
    columns["connects"][where.start] += 2
    columns["lookups"][where.start] += 3


def cloud_refuses(columns: Columns, where: slice, window_ms: int) -> None:
    """The provider's outage: every report is refused at once, and tried again
    each two seconds, by every device at the same time.
    """
    tries = window_ms // 2000
    columns["connects"][where] += tries
    columns["connects_refused"][where] += tries
    columns["lookups"][where] += tries
    columns["receives"][where] //= 4
    columns["bytes_in"][where] //= 4


def infect(
    columns: Columns, kind: str, begins: int, window_ms: int, rng: np.random.Generator
) -> None:
    """From window `begins` on: what examples of Mirai's kind do, and a theft."""
    seconds = window_ms // 1000
    where = slice(begins, None)
    n = len(columns["sends"][where])
    if kind == "scan":
        tried = rng.poisson(rng.uniform(0.5, 3) * seconds, n)
        _add(columns, where, connects=tried, connects_failed=tried, ports=np.minimum(tried, 2))
        _add(columns, where, peers=np.minimum(tried, VICTIMS_MAX), peers_new=tried)
    elif kind == "beacon":
        kept = rng.poisson(rng.uniform(6, 30) / 60 * seconds, n)
        _add(columns, where, connects=kept, sends=kept, receives=kept, ports=np.minimum(kept, 1))
        _add(columns, where, bytes_out=5 * kept, bytes_in=5 * kept, peers=np.minimum(kept, 16))
        columns["peers_new"][begins] += 16
    elif kind == "flood":
        sent = rng.poisson(rng.uniform(50, 1000) * seconds, n)
        _add(columns, where, datagrams_out=sent, bytes_out=512 * sent, ports=1, peers=1)
    else:
        stolen = rng.poisson(rng.uniform(4, 60) * seconds, n)
        _add(columns, where, bytes_out=1024 * stolen, sends=stolen, peers=1, ports=1)


def _add(columns: Columns, where: slice, **added: Ints | int) -> None:
    for name, values in added.items():
        columns[name][where] += values


def together(columns: Columns) -> Ints:
    """(windows, counters) int64."""
    rows = np.stack([columns[name] for name in COUNTERS], axis=1)
    return np.clip(rows, 0, DELTA_MAX)
