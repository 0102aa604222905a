"""The NumPy reference gives the runtime's integers, however its work is cut
into pieces. With the device's own interpreter: test_parity.py.
"""

from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inlier.kernels import plain
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier_export import damped, reference
from inlier_export.model_file import pack
from inlier_export.reference import NEVER, Detector, Layer, Schema
from inlier_export.synthetic import extreme_windows, random_detector, with_thresholds

WINDOWS = np.minimum(extreme_windows(5, 400), NEVER)
COLUMNS = ("x", "f", "ae", "svm", "quiet", "hot", "event", "gone")


def ints(*values):
    return np.array(values, np.int64)


def detector(**options):
    """With thresholds that half of WINDOWS exceed. Three horizons: an alarm
    that is on comes to its end.
    """
    d = random_detector(3, hidden=(5, 3), scales=(0, 3), **options)
    d = replace(d, horizons=d.horizons[:3])
    return with_thresholds(d, reference.run(d, WINDOWS))


def device(d, windows):
    """What the runtime makes of each window."""
    model = Model(pack(d))
    pipeline = Pipeline(model, Replay((), model.counters()), plain)
    rows = []
    for row in windows.tolist():
        event = pipeline.score(array("i", row))
        scores = pipeline.ae, pipeline.svm, pipeline.quiet.score, pipeline.hot
        rows.append(
            (
                list(pipeline.x),
                list(pipeline.f),
                *scores,
                event,
                0 if d.by_rows else pipeline.quiet.event,
            )
        )
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("options", [{}, {"by_rows": True}, {"persistence": ()}], ids=str)
def test_a_run_is_the_runtime_s_window_by_window(options):
    d = detector(**options)
    trace = reference.run(d, WINDOWS)
    for name, expected in zip(COLUMNS, device(d, WINDOWS), strict=True):
        assert getattr(trace, name).tolist() == expected, name
    assert set(trace.hot.tolist()) == {False, True} and {1, -1} <= set(trace.event.tolist())
    assert set(trace.gone.tolist()) == ({0} if d.by_rows else {-1, 0, 1})


def test_a_run_in_small_pieces_is_the_same(monkeypatch):
    d = detector()
    whole = reference.run(d, WINDOWS)
    monkeypatch.setattr(reference, "BLOCK", 7)
    monkeypatch.setattr(damped, "STRETCH", 32)
    monkeypatch.setattr(damped, "STRETCHES", 4)
    monkeypatch.setattr(damped, "SOON", 8)
    told = []
    cut = reference.run(d, WINDOWS, lambda done, of: told.append((done, of)))
    for name in (*COLUMNS, "y"):
        assert np.array_equal(getattr(cut, name), getattr(whole, name)), name
    assert told == [(128, 400), (256, 400), (384, 400), (400, 400)]


def test_several_recordings_at_once_are_each_by_itself():
    d = detector()
    state = reference.start_state(d.offset, d.schema)
    before = state.copy()
    both = reference.log_features(np.stack([WINDOWS, WINDOWS[::-1]]), d.schema, state)
    for found, windows in zip(both, (WINDOWS, WINDOWS[::-1]), strict=True):
        assert np.array_equal(found, reference.log_features(windows, d.schema, state))
    assert np.array_equal(state, before)


def test_another_s_reconstruction_takes_the_place_of_its_own():
    d = detector()
    own = reference.run(d, WINDOWS)
    theirs = np.zeros_like(own.y)
    found = reference.score(d, own.f, theirs)
    assert found.y is theirs
    assert np.array_equal(found.ae, (own.x.astype(np.int64) ** 2).sum(axis=1))
    assert np.array_equal(reference.score(d, own.f, own.y).svm, own.svm)


def test_levels_of_windows_by_hand():
    """A mean's: delta << shift up to 2^26 - 1. A persistence's: what a window
    holds of 2^cap events, of which 2^12 are all.
    """
    schema = Schema(("a", "b", "c"), (0,), (4,), ints(8, -2, 0), ints(0, 12, 14))
    level, full = reference.levels(
        ints(
            [0, 0, 0],
            [1, 3, 5],
            [2, 4, 4],
            [-5, 1 << 20, 1 << 40],
            [1 << 18, 7, 1 << 14],
            [(1 << 18) - 1, 0, 0],
        ),
        schema,
    )
    top = (1 << 26) - 1
    assert level.tolist() == [
        [0, 0, 0],
        [256, 0, 5],
        [512, 1, 4],
        [0, 1 << 18, top],
        [top, 1, 1 << 14],
        [top - 255, 0, 0],
    ]
    assert full.tolist() == [
        [0, 0, 0],
        [4096, 3, 1],
        [4096, 4, 1],
        [0, 4096, 4096],
        [4096, 7, 4096],
        [4096, 0, 0],
    ]
    assert level.dtype == full.dtype == np.int32


def test_floats_of_32_bits_hold_each_whole_number_up_to_the_bound_and_not_the_next():
    bound = reference.FLOAT32_EXACT
    assert int(np.float32(bound - 1)) == bound - 1 and int(np.float32(bound)) == bound
    assert int(np.float32(bound + 1)) != bound + 1


def test_what_a_detector_does_unless_it_is_told_otherwise_is_what_the_pages_say():
    d = Detector(
        "replay", 1000, Schema(("a",), (0,), (), ints(0), ints(0)),
        *(ints(0) for _ in range(5)), ints([0, 0, 0]), [], ((2, 8, 9), (8, 12, 7)),
    )  # fmt: skip
    docs = Path(__file__).parents[2] / "docs"
    page = " ".join((docs / "how_it_decides.md").read_text().split())
    assert f"any horizon raises it, {d.clear_after} windows without one clear it" in page
    assert f"nothing in the first {d.warmup} after boot and {d.cooldown} after a clear" in page
    assert f"half an octave less than it seldom did, {d.quiet_after} windows long" in page
    assert (
        f"For {d.warmup} windows after boot nothing is raised" in (docs / "limits.md").read_text()
    )
    assert d.threshold_ae == d.threshold_quiet == NEVER and not d.by_rows and d.number == 0
    assert d.least == 7 and d.features == 1 and d.counters == ("a",)


def test_which_counter_contributes_most_is_asked_of_all_its_features():
    """Two features of 60 outdo one of 100."""
    d = random_detector(1, (), ("a", "b"), scales=(0, 1), persistence=(4,))
    d = replace(
        d, layers=[], high=ints(*[0] * 6), offset=ints(*[0] * 6), far=ints(*[288] * 6),
        low=ints(*[0] * 6), weights=np.full((6, 3), 1), warmup=0, horizons=((1, 1, 0),),
    )  # fmt: skip
    asked = []
    f = np.array([[100, 0, 0, 60, 60, 0]], np.int16)
    found = reference.alarm_events

    def events(d, scores, odd, leading):
        asked.append(leading(0))
        return found(d, scores, odd, leading)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "alarm_events", events)
        trace = reference.score(d, f)
    assert asked == [1] and trace.svm.tolist() == [220] and trace.event.tolist() == [1]
    y = np.full((1, 6), 128, np.uint8)
    assert reference.contributions(f, y, d).tolist() == [[100, 0, 0, 60, 60, 0]]


def test_a_layer_s_integers_by_hand():
    """x @ w + bias, shifted, cut to a byte."""
    layer = Layer(
        np.array([[1, -1], [127, 127], [-128, 0]], np.int8), ints(10, 0, 5), ints(1, 8, 0)
    )
    x = np.array([[9, 4], [255, 255]], np.uint8)
    assert reference.dense(x, layer).tolist() == [[7, 6, 0], [5, 253, 0]]
    assert reference.reconstruct(x, []) is x
    assert reference.squared_error(x, x[::-1]).tolist() == [246**2 + 251**2] * 2


def test_each_threshold_is_exceeded_by_what_is_over_it_and_not_at_it():
    d = replace(detector(by_rows=True), horizons=((1, 1, NEVER),), threshold_ae=NEVER, warmup=0)
    trace = reference.run(d, WINDOWS)
    assert not trace.hot.any() and not trace.event.any()
    for name, scores in (("ae", trace.ae), ("svm", trace.svm)):
        top = int(scores.max())
        for limit, expected in ((top, False), (top - 1, True)):
            limits = {"threshold_ae": limit} if name == "ae" else {"horizons": ((1, 1, limit),)}
            found = reference.run(replace(d, **limits), WINDOWS)
            assert found.hot.any() == (found.event == 1).any() == expected, (name, limit)
            assert np.array_equal(found.hot, scores > limit)
    quiet = replace(detector(), quiet_after=1)
    top = int(reference.run(quiet, WINDOWS).quiet.max())
    for limit, expected in ((top, False), (top - 1, True)):
        found = reference.run(replace(quiet, threshold_quiet=limit), WINDOWS)
        assert (found.gone == 1).any() == expected, limit


def test_below_its_range_a_feature_contributes_of_rows_alone():
    d = random_detector(1, (), ("a",), scales=(0,), persistence=())
    d = replace(d, high=ints(50), low=ints(40), far=ints(9), offset=ints(20), input_shift=ints(0),
                weights=ints([100, 10, 1]))  # fmt: skip
    f, y = np.array([[60], [45], [30]], np.int16), np.full((3, 1), 128 + 5, np.uint8)
    # beyond high by 10, and from the 25 of the reconstruction by 35, 20 and 5
    by_time = [[10 * 100 + (35 - 9) * 1], [(20 - 9) * 1], [0]]
    assert reference.contributions(f, y, d).tolist() == by_time
    by_time[2] = [10 * 10]
    assert reference.contributions(f, y, replace(d, by_rows=True)).tolist() == by_time


def test_the_first_window_may_decide_and_the_last_is_none_before_it():
    d = replace(detector(), horizons=((1, 1, 4),), warmup=0, threshold_quiet=4, quiet_after=1)
    none = np.zeros(6, bool)
    for scores in (ints(5, 0, 0, 0, 0, 9), ints(5, 5, 5, 5, 5, 5), ints(5, 0, 0, 0, 0, 0)):
        raised = reference.alarm_events(d, scores, none, lambda i: 0)
        gone = reference.quiet_events(d, scores)
        assert raised[0] == gone[0] == 1, scores
    odd = none.copy()
    odd[0] = True
    assert reference.alarm_events(d, ints(*[0] * 6), odd, lambda i: 0).tolist()[:2] == [1, 0]
    late = replace(d, warmup=2)
    scores = ints(5, 5, 5, 0, 0, 0)
    assert reference.alarm_events(late, scores, none, lambda i: 0).tolist()[:4] == [0, 0, 1, 0]
