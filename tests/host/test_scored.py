"""A recording that was interrupted is scored as its device did: from boot after
each interruption, and what was interrupted is no window.
"""

from dataclasses import fields

import numpy as np

from inlier_export import damped, reference
from inlier_export.reference import Trace
from inlier_export.synthetic import extreme_windows, random_detector
from inlier_trainer import scored
from inlier_trainer.recordings import Recording

DETECTOR = random_detector(3, hidden=(5,))
WINDOWS = extreme_windows(5, 100)


def marked(*lost, booted=()):
    marks = np.stack([np.ones(100), np.arange(100), np.ones(100)], axis=1).astype(np.int64)
    marks[list(lost), 2] = 0
    for at in booted:
        marks[at:, 0] += 1
    return Recording(DETECTOR.counters, WINDOWS, marks=marks)


def test_each_stretch_is_scored_from_boot_and_what_was_interrupted_is_not():
    told = []
    recording = marked(0, 40, 41, booted=(70,))
    found = scored.run(DETECTOR, recording, lambda done, of: told.append((done, of)))
    for rows in (slice(1, 40), slice(42, 70), slice(70, 100)):
        alone = reference.run(DETECTOR, WINDOWS[rows])
        for field in fields(Trace):
            part, whole = getattr(alone, field.name), getattr(found, field.name)
            assert np.array_equal(whole[rows], part), field.name
            assert whole.dtype == part.dtype and len(whole) == 100, field.name
            assert not whole[[0, 40, 41]].any(), field.name
    assert told == [(40, 100), (70, 100), (100, 100)]


def test_without_an_interruption_it_is_one_run_and_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(damped, "STRETCH", 32)
    monkeypatch.setattr(damped, "STRETCHES", 1)
    monkeypatch.setattr(damped, "SOON", 8)
    alone = reference.run(DETECTOR, WINDOWS)
    for recording in (Recording(DETECTOR.counters, WINDOWS), marked()):
        told = []
        found = scored.run(DETECTOR, recording, lambda done, of, told=told: told.append(done))
        assert told == [32, 64, 96, 100]
        assert np.array_equal(found.svm, alone.svm) and np.array_equal(found.f, alone.f)


def test_nobody_need_ask_how_far_it_is():
    assert len(scored.run(DETECTOR, marked(50)).svm) == 100
