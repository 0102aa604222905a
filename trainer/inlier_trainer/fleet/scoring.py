"""A device's scores, window by window, by the arithmetic of the device; and how
close they bring its alarm: the severity.

Severity: over all horizons, the level that k of the last n scores reach, in
256ths of that horizon's threshold in the type's model. An alarm is a severity
over the device's own share of it (calibrate.py).
"""

import io

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inlier_export import reference
from inlier_export.reference import Detector, Ints
from inlier_trainer.horizons import GAP

from . import parts
from .engine import Summary, once
from .profile import digest_of
from .store import Device, Store

SCORES = "scores.parquet"
WHOLE = 256
SEVERITY_MAX = 1 << 20


def place(device: Device) -> str:
    return f"scores/{device.place}/{SCORES}"


def score(store: Store, device: Device, models: dict[str, Detector]) -> Summary:
    """Writes the device's scores; tells the greatest severity of each day."""
    detector = models[device.type]
    key = store.state(device, digest_of(detector))
    return once(
        store,
        "scores",
        device.place,
        key,
        lambda: _scored(store, device, detector),
        place(device),
    )


def _scored(store: Store, device: Device, detector: Detector) -> Summary:
    try:
        span = parts.read(store, device, store.dates(device))
    except parts.Unreadable as problem:
        return {"rejected": str(problem)}
    scores = np.zeros(len(span), np.int64)
    severity, leading = np.zeros_like(scores), np.zeros(len(span), np.int8)
    for rows in span.stretches:
        scores[rows], leading[rows] = scores_of(detector, span.windows[rows])
        severity[rows] = severities(scores[rows], detector)
        severity[rows][: detector.warmup] = 0  # as the device, which has no memory of before
    out = io.BytesIO()
    pl.DataFrame(
        {
            "time": pl.Series(span.time).cast(parts.TIME),
            "score": scores.astype(np.int32),
            "severity": severity.astype(np.int32),
            "leading": leading,
        }
    ).write_parquet(out)
    store.write(place(device), out.getvalue(), settled=False)
    day = span.time // parts.DAY_MS
    starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    return {
        "type": device.type,
        "device": device.name,
        "rows": len(span),
        "dates": [parts.date_of(int(span.time[i])) for i in starts],
        "severity": np.maximum.reduceat(severity, starts).tolist(),
        "firmware": str(span.firmware[-1]),
        "changed": _changes(span),
    }


def _changes(span: parts.Span) -> list[int]:
    """When its firmware became another, ms."""
    at = np.flatnonzero(span.firmware[1:] != span.firmware[:-1]) + 1
    return [int(t) for t in span.time[at]]


def scores_of(d: Detector, windows: Ints) -> tuple[Ints, NDArray[np.int8]]:
    """Scores (n,) of windows (n, counters) from boot, and the counter that gave
    most to each, -1 where the score is 0.
    """
    f = reference.log_features(windows, d.schema, reference.start_state(d.offset, d.schema))
    scores = np.zeros(len(f), np.int64)
    leading = np.full(len(f), -1, np.int8)
    kinds = len(d.schema.kinds)
    for start in range(0, len(f), reference.BLOCK):
        rows = slice(start, start + reference.BLOCK)
        part = f[rows]
        y = reference.reconstruct(reference.inputs(part, d.offset, d.input_shift), d.layers)
        parts_ = reference.contributions(part, y, d)
        scores[rows] = total = parts_.sum(axis=1)
        by_counter = parts_.reshape(len(part), -1, kinds).sum(axis=2)
        leading[rows] = np.where(total > 0, by_counter.argmax(axis=1), -1)
    return scores, leading


def severities(scores: Ints, d: Detector) -> Ints:
    """(n,), see above."""
    out = np.zeros(len(scores), np.int64)
    for k, n, limit in d.horizons:
        out = np.maximum(out, _levels(scores, k, n) * WHOLE // max(1, limit))
    return np.minimum(out, SEVERITY_MAX)


def _levels(scores: Ints, k: int, n: int) -> Ints:
    """The k-th largest of the last n scores, at each (windows,)."""
    out = np.zeros(len(scores), np.int64)
    padded = np.concatenate([np.zeros(n - 1, np.int64), scores])
    count = np.cumsum(np.concatenate([[0], padded > 0]))
    busy = np.flatnonzero(count[n:] - count[:-n] >= k)  # elsewhere it is 0
    runs = np.lib.stride_tricks.sliding_window_view(padded, n)
    for start in range(0, len(busy), 2048):
        rows = busy[start : start + 2048]
        out[rows] = np.partition(runs[rows], n - k, axis=1)[:, n - k]
    return out


def read(store: Store, device: Device) -> tuple[Ints, Ints, NDArray[np.int8]]:
    """time, severity, leading (n,) each. Raises FileNotFoundError."""
    table = pl.read_parquet(io.BytesIO(store.read(place(device))))
    return (
        table["time"].dt.epoch("ms").to_numpy(),
        table["severity"].to_numpy().astype(np.int64),
        table["leading"].to_numpy(),
    )


def alarms(
    store: Store,
    item: tuple[Device, int],
    window_ms: dict[str, int],
    counters: dict[str, list[str]],
) -> Summary:
    """Episodes in which a device's severity is over its limit: begin and end in
    ms, peak, and the counter that led at the peak.
    """
    device, limit = item
    time, severity, leading = read(store, device)
    on = np.flatnonzero(severity > limit)
    found = []
    if len(on):
        apart = np.diff(time[on]) > GAP * window_ms[device.type]
        for run in np.split(on, np.flatnonzero(apart) + 1):
            peak = int(run[severity[run].argmax()])
            led = int(leading[peak])
            found.append(
                (
                    int(time[run[0]]),
                    int(time[run[-1]]) + window_ms[device.type],
                    int(severity[peak]),
                    counters[device.type][led] if led >= 0 else "",
                )
            )
    return {"type": device.type, "device": device.name, "alarms": found}
