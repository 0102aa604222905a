"""A device's windows: a Parquet a day, with columns `time` (when the window
began, UTC), `firmware`, and the source's counters; source, length and device
as its metadata.
"""

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_export.reference import Ints
from inlier_trainer.about import About, parsed
from inlier_trainer.horizons import GAP
from inlier_trainer.parquet import METADATA
from inlier_trainer.threshold import PERIOD_MS

from .store import PART, Device, Store

TIME = pl.Datetime("ms", "UTC")
DAY_MS = PERIOD_MS["day"]
OWN = ("time", "firmware")
T = TypeVar("T")


class Unreadable(Exception):
    """A part that is none: its device is left out, and counted."""


class Kind(NamedTuple):
    """What windows must share to be one type's."""

    source: str
    window_ms: int
    counters: tuple[str, ...]


@dataclass
class Span:
    """Windows of a device in the order of time.

    time: (n,) int64, ms since 1970.
    firmware: (n,) str.
    windows: (n, counters) int64.
    """

    source: str
    window_ms: int
    counters: tuple[str, ...]
    time: Ints
    firmware: NDArray[np.object_]
    windows: Ints

    def __len__(self) -> int:
        return len(self.time)

    @property
    def kind(self) -> Kind:
        return Kind(self.source, self.window_ms, self.counters)

    @property
    def stretches(self) -> list[slice]:
        """Rows between which no more than GAP windows are missing, as one that
        a broker lost. Where more are, the device was away, or nobody listened:
        what was before tells nothing of now, and it begins as at boot.
        """
        missing = np.diff(self.time) > (GAP + 1) * self.window_ms
        cuts = [0, *(np.flatnonzero(missing) + 1).tolist(), len(self)]
        return [slice(*pair) for pair in itertools.pairwise(cuts)]

    def at(self, rows: NDArray[np.bool_] | slice | Ints) -> "Span":
        return Span(
            self.source,
            self.window_ms,
            self.counters,
            self.time[rows],
            self.firmware[rows],
            self.windows[rows],
        )


def date_of(time_ms: int) -> str:
    return str(np.datetime64(int(time_ms), "ms").astype("datetime64[D]"))


def ms_of(date: str) -> int:
    return int(np.datetime64(date, "ms").astype(np.int64))


def frame(span: Span) -> pl.DataFrame:
    columns = {name: span.windows[:, i].astype(np.uint32) for i, name in enumerate(span.counters)}
    return pl.DataFrame(
        {
            "time": pl.Series(span.time).cast(TIME),
            "firmware": pl.Series(span.firmware.astype(str), dtype=pl.String),
            **columns,
        }
    )


def write_part(store: Store, device: Device, date: str, span: Span, settled: bool = True) -> int:
    """Raises OSError. Returns its bytes."""
    content = packed(span, device)
    store.write(store.part(device, date), content, settled)
    return len(content)


def packed(span: Span, device: Device) -> bytes:
    """As Parquet, which says what it is as any recording does."""
    out = io.BytesIO()
    about = About(span.source, span.window_ms, device.name)
    frame(span).write_parquet(out, metadata={METADATA: about.line()})
    return out.getvalue()


def kind(store: Store, device: Device, date: str) -> Kind:
    """Of a part, without its rows. Raises Unreadable."""
    name = store.part(device, date)
    return _guarded(name, lambda: _kind(store.read(name)))


def _guarded(name: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        why = printable(str(error).partition("\n")[0], 120) or type(error).__name__
        raise Unreadable(f"{name}: not readable ({why})") from None
    except (KeyError, BadInput):
        raise Unreadable(f"{name}: it does not say its source and window") from None


def _kind(content: bytes) -> Kind:
    file = io.BytesIO(content)
    about = parsed(Path(PART), pl.read_parquet_metadata(file)[METADATA])
    names = tuple(n for n in pl.read_parquet_schema(file) if n not in OWN)
    return Kind(about.source, about.window_ms, names)


def read(store: Store, device: Device, dates: list[str]) -> Span:
    """Of these days, in order. Raises Unreadable."""
    spans: list[Span] = []
    for date in dates:
        name = store.part(device, date)
        span = span_of(_guarded(name, partial(store.read, name)), name)
        if spans and span.kind != spans[0].kind:
            raise Unreadable(f"{name}: its source, window or counters are not those of other days")
        spans.append(span)
    return Span(
        *spans[0].kind,
        np.concatenate([s.time for s in spans]),
        np.concatenate([s.firmware for s in spans]),
        np.concatenate([s.windows for s in spans]),
    )


def span_of(content: bytes, name: str) -> Span:
    """Of one file's content. Raises Unreadable."""
    return _guarded(name, lambda: _span(_kind(content), pl.read_parquet(io.BytesIO(content))))


def _span(what: Kind, table: pl.DataFrame) -> Span:
    """Raises ValueError for what is no part, though it is Parquet."""
    for column in (table[name] for name in ("time", *what.counters)):
        if not (column.name == "time" or column.dtype.is_integer()) or column.null_count():
            raise ValueError(f"column '{column.name}' holds other than whole numbers")
    time = table["time"].dt.cast_time_unit("ms").to_numpy().astype(np.int64)
    if (np.diff(time) < 0).any():
        raise ValueError("its windows are not in the order of time")
    windows = np.stack([table[c].to_numpy() for c in what.counters], axis=1)
    firmware = table["firmware"].to_numpy().astype(object)
    return Span(*what, time, firmware, windows.astype(np.int64))
