"""A device whose windows are missing for hours: what was before a gap says
nothing of what comes after it.
"""

import numpy as np
import pytest

from device_of_tests import benign
from inlier.sockets import Sockets
from inlier_export import reference
from inlier_trainer.fleet import parts, profile, scoring, train
from inlier_trainer.fleet.store import Device, Store
from inlier_trainer.horizons import GAP

BEGAN = parts.ms_of("2026-02-01")
DEVICE = Device("bell", "bell1")
WINDOW_MS = 1000
BEFORE = 500  # windows, then some are missing


def span(windows, missing):
    number = np.arange(len(windows), dtype=np.int64)
    time = BEGAN + WINDOW_MS * (number + missing * (number >= BEFORE))
    firmware = np.full(len(windows), "1.0", object)
    return parts.Span("sockets", WINDOW_MS, tuple(Sockets.counters), time, firmware, windows)


@pytest.fixture
def detector(trained):
    return trained.detector


def scored(folder, windows, missing, detector):
    """time, severity, leading of a device that has this much missing."""
    store = Store(str(folder))
    parts.write_part(store, DEVICE, "2026-02-01", span(windows, missing))
    scoring.score(store, DEVICE, {"bell": detector})
    return scoring.read(store, DEVICE)


def shouting():
    """Outliers in the last windows before the gap, and in the first after the
    warm-up that follows it: neither are enough for the longest horizons.
    """
    windows = benign(1000)
    windows[BEFORE - 60 : BEFORE] *= 50
    windows[BEFORE + 40 : BEFORE + 60] *= 50
    return windows


@pytest.mark.parametrize("missing", [0, 1, GAP])
def test_a_few_lost_windows_part_nothing(missing):
    assert span(benign(1000), missing).stretches == [slice(0, 1000)]


def test_after_a_gap_a_device_is_scored_as_from_boot(tmp_path, detector):
    windows = shouting()
    _, severity, _ = scored(tmp_path / "gap", windows, 2000, detector)
    _, first, _ = scored(tmp_path / "first", windows[:BEFORE], 0, detector)
    _, after, _ = scored(tmp_path / "after", windows[BEFORE:], 0, detector)
    assert severity.tolist() == [*first.tolist(), *after.tolist()]
    assert first.max() > 0 and after.max() > 0
    _, whole, _ = scored(tmp_path / "whole", windows, 0, detector)
    assert (whole[BEFORE : BEFORE + 40] > 0).any(), "without a gap its past does count"
    assert not severity[BEFORE : BEFORE + detector.warmup].any()


def test_what_a_type_is_profiled_and_fitted_by_is_parted_too(tmp_path, detector):
    store, windows = Store(str(tmp_path)), shouting()
    parts.write_part(store, DEVICE, "2026-02-01", span(windows, 2000))
    told = profile.profile(store, DEVICE, {"bell": detector}, "2026-03-01")
    start = reference.start_state(detector.offset, detector.schema)
    pieces = [windows[:BEFORE], windows[BEFORE:]]
    f = np.concatenate([reference.log_features(p, detector.schema, start) for p in pieces])
    assert told["high"] == f.max(axis=0).tolist()
    runs = train._runs(store, DEVICE, train.Fitting(("2026-02-01",), 1, "svm"))
    assert [len(run) for run in runs] == [BEFORE, 500]
