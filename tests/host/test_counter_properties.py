"""Any readings at any time: deltas and scores stay in range, and what only
wraps is counted exactly.
"""

from hypothesis import given
from hypothesis import strategies as st

import fuzz
from inlier.counters import DELTA_MAX, Windows
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

WIDTHS = (30, 31, 32, 64)
MODEL = Model(pack(random_detector(3, (4,), ("a", "b"), (0, 4))))


class Readings:
    """A source that shows each reading of a list in turn, and then the last
    one.
    """

    name = "replay"
    counters = ("a", "b")

    def __init__(self, bits, readings):
        self.bits = bits
        self._readings = readings
        self._at = -1

    def read(self, values):
        self._at = min(self._at + 1, len(self._readings) - 1)
        for i, reading in enumerate(self._readings[self._at]):
            values[i] = reading


def numbers(bits):
    top = (1 << bits) - 1
    edges = [
        0,
        1,
        top,
        top - 1,
        top // 2,
        top // 4,
        top - top // 4,
        1_000_000_000,
        DELTA_MAX,
        DELTA_MAX + 1,
    ]
    return st.one_of(st.integers(0, top), st.sampled_from([edge for edge in edges if edge <= top]))


@st.composite
def anything(draw):
    bits = draw(st.sampled_from(WIDTHS))
    readings = draw(st.lists(st.tuples(numbers(bits), numbers(bits)), min_size=2, max_size=12))
    elapsed = draw(
        st.lists(
            st.one_of(st.just(1), st.integers(1, 1 << 30)),
            min_size=len(readings),
            max_size=len(readings),
        )
    )
    return bits, readings, elapsed


@fuzz.examples
@given(anything())
def test_scores_stay_in_range_whatever_is_read(case):
    bits, readings, elapsed = case
    pipeline = Pipeline(MODEL, Readings(bits, readings))
    for n in elapsed:
        assert pipeline.step(n) in (-1, 0, 1, 2)
        assert min(pipeline.deltas) >= 0 and max(pipeline.deltas) <= DELTA_MAX
        assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30
        assert all(0 <= share <= 100 for _, share in pipeline.explain())


@st.composite
def wrapping(draw):
    """Counters that count less than a quarter of their range a window, from
    anywhere.
    """
    bits = draw(st.sampled_from(WIDTHS))
    most = min(DELTA_MAX, (1 << bits - 2) - 1)
    moves = st.one_of(st.integers(0, most), st.sampled_from([0, 1, most]))
    deltas = draw(st.lists(st.tuples(moves, moves), min_size=1, max_size=12))
    return bits, (draw(numbers(bits)), draw(numbers(bits))), deltas


@fuzz.examples
@given(wrapping())
def test_what_only_wraps_is_counted_exactly(case):
    bits, reading, deltas = case
    readings = [reading]
    for row in deltas:
        readings.append(
            tuple((total + d) % (1 << bits) for total, d in zip(readings[-1], row, strict=True))
        )
    windows = Windows(Readings(bits, readings))
    for row in deltas:
        assert tuple(windows.take()) == row


@fuzz.examples
@given(wrapping(), st.integers(2, 1 << 29))
def test_a_missed_tick_gives_the_mean_to_the_nearest(case, elapsed):
    bits, reading, deltas = case
    after = tuple((total + d) % (1 << bits) for total, d in zip(reading, deltas[0], strict=True))
    for found, d in zip(
        Windows(Readings(bits, [reading, after])).take(elapsed), deltas[0], strict=True
    ):
        assert abs(found * elapsed - d) * 2 <= elapsed
