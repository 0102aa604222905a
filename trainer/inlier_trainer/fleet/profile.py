"""What each device does, as sums that add up: how far its features reach, and
histograms of each counter by firmware version and week, from which a type's
ranges, its misfits and its drift follow without reading a window twice.
"""

import io

import numpy as np
import polars as pl

from inlier.features import LOG_MAX
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector
from inlier_trainer.autoencoder import greatest_distance
from inlier_trainer.threshold import PERIOD_MS

from . import parts
from .engine import Summary, once
from .store import Device, Store, digest

PROFILE = "profile.parquet"
BIN = 4  # sixteenths of an octave
BINS = LOG_MAX // BIN + 1
WEEK_MS = PERIOD_MS["week"]


def place(device: Device) -> str:
    return f"profiles/{device.place}/{PROFILE}"


def profile(store: Store, device: Device, models: dict[str, Detector], until: str) -> Summary:
    """Of a device, with its type's model as fitted on a sample; ranges of the
    days before `until`, histograms of all.
    """
    detector = models[device.type]
    key = store.state(device, digest_of(detector), until)
    return once(
        store,
        "profile",
        device.place,
        key,
        lambda: _made(store, device, detector, until),
        place(device),
    )


def digest_of(d: Detector) -> str:
    return digest(
        d.schema.shifts.tolist(), d.schema.caps.tolist(), d.offset.tolist(), d.high.tolist(),
        d.far.tolist(), d.weights.tolist(), d.horizons,
    )  # fmt: skip


def _made(store: Store, device: Device, detector: Detector, until: str) -> Summary:
    try:
        span = parts.read(store, device, store.dates(device))
    except parts.Unreadable as problem:
        return {"rejected": str(problem)}
    start = reference.start_state(detector.offset, detector.schema)
    f = np.concatenate(
        [
            reference.log_features(span.windows[rows], detector.schema, start)
            for rows in span.stretches
        ]
    )
    learned = span.time < parts.ms_of(until)
    kinds = len(detector.schema.kinds)
    base = f[:, ::kinds]  # each counter's window itself
    store.write(place(device), _histograms(base, span), settled=False)
    told: Summary = {"type": device.type, "device": device.name, "rows": len(span)}
    if learned.any():
        rows = f[learned]
        told["high"] = rows.max(axis=0).tolist()
        far = greatest_distance(rows, detector.offset, detector.input_shift, detector.layers)
        told["far"] = far.tolist()
        told["median"] = np.median(base[learned], axis=0).astype(int).tolist()
    return told


def _histograms(base: np.ndarray, span: parts.Span) -> bytes:
    """Sparse: version, week (the day that it begins), counter, bin, windows."""
    week = span.time // WEEK_MS
    rows: list[tuple[str, int, str, int, int]] = []
    versions = span.firmware.astype(str)
    for version in np.unique(versions):
        for w in np.unique(week[versions == version]):
            inside = base[(versions == version) & (week == w)] // BIN
            for i, counter in enumerate(span.counters):
                counts = np.bincount(inside[:, i], minlength=BINS)
                rows += [
                    (str(version), int(w), counter, int(b), int(counts[b]))
                    for b in np.flatnonzero(counts)
                ]
    out = io.BytesIO()
    names = ["version", "week", "counter", "bin", "windows"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(out)
    return out.getvalue()


def read(store: Store, device: Device) -> pl.DataFrame:
    """Raises BadInput where there is none yet."""
    try:
        return pl.read_parquet(io.BytesIO(store.read(place(device))))
    except FileNotFoundError:
        raise BadInput(
            f"{store.address}: device '{device.name}' has no profile: run 'inlier fleet train' "
            f"first"
        ) from None
