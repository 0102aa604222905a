"""Models made byte for byte as the format says: without layers, of rows without
an order, of too many of anything; and the pipeline that runs them.
"""

from array import array

import golden
from by_hand import feature, layer, scored, small

from inlier.kernels import chosen
from inlier.model import (
    FLAG_HMAC,
    FLAG_ROWS,
    HEADER_BYTES,
    IDENTITY_AT,
    Model,
    ModelError,
)
from inlier.pipeline import Pipeline

LARGEST = (1 << 30) - 1


def _refused(blob):
    try:
        Model(blob)
    except ModelError as error:
        return str(error)
    return None


class Unlike:
    """A kernel but for what a subclass has of its own."""

    def __init__(self, kernel):
        for name in ("prepare", "subtract", "features", "autoencoder", "evidence"):
            if not hasattr(self, name):
                setattr(self, name, getattr(kernel, name))


class Counting(golden.Source):
    """From each reading to the next, 12 events."""

    events = 0

    def read(self, values):
        self.events += 12
        for i in range(len(values)):
            values[i] = self.events


def test_before_its_first_window_a_pipeline_has_found_nothing():
    """A live view may ask, and a state be saved."""
    model = Model(small())
    pipeline = Pipeline(model, golden.Source(model.counters()))
    assert (pipeline.ae, pipeline.svm, pipeline.event, pipeline.quiet.score) == (0, 0, 0, 0)
    assert not pipeline.hot and not pipeline.alarm.active and not pipeline.alarm.latched
    assert pipeline.index == -1, "windows are numbered from 0"


def test_a_step_takes_what_was_counted_since_the_one_before_as_a_mean_window():
    model = Model(small())
    pipeline = Pipeline(model, Counting(model.counters()))
    for i, elapsed, mean in ((0, 1, 12), (1, 2, 6), (2, 3, 4)):
        event = pipeline.step(elapsed) if elapsed > 1 else pipeline.step()
        assert list(pipeline.deltas) == [mean] * 2
        assert pipeline.index == i and event == pipeline.event == (i == 0)
    pipeline.windows.source.events = 0
    pipeline.step()
    assert list(pipeline.deltas) == [4, 4], "counters that were reset: as in the window before"


def test_a_kernel_is_asked_for_no_autoencoder_that_the_model_lacks():
    """thumb's has no way round its first layer."""

    class Kernel(Unlike):
        def autoencoder(self, params, work):
            return 77

    for name, kernel in golden.kernels():
        pipeline, _ = scored(small(), [3, 0], kernel=Kernel(kernel))
        assert pipeline.ae == 0, name
        pipeline, _ = scored(
            small(layers=layer(0, 0, 0, 4, 4), rows=(4,)), [3, 0], kernel=Kernel(kernel)
        )
        assert pipeline.ae == 77, name


def test_the_three_features_that_contributed_most_are_named():
    pipeline, _ = scored(small(means=1, persistences=0, counters=5), [3, 7, 15, 31, 0])
    # 32, 48, 64 and 80, of which 20 are within the range: 12 + 28 + 44 + 60
    assert pipeline.explain() == [("c3", 41), ("c2", 30), ("c1", 19)]
    assert pipeline.explain(1) == [("c3", 41)] and len(pipeline.explain(9)) == 4
    assert pipeline.leading() == 3


def test_one_sixteenth_of_an_octave_at_weight_1_is_a_whole_contribution():
    each = feature(high=31, far=999, weight=1)
    for deltas, told, leads in (
        ([0, 3], [("c1", 100)], 1),
        ([3, 0], [("c0", 100)], 0),
        ([3, 3], [("c0", 50), ("c1", 50)], 0),
        ([0, 0], [], 0),
    ):
        pipeline, _ = scored(small(means=1, persistences=0, each=each), deltas)
        assert pipeline.explain() == told and pipeline.leading() == leads, deltas


def test_a_model_without_layers_scores_by_what_lies_beyond_its_range():
    """Nothing is reconstructed, so that nothing is far from it."""
    pipeline, event = scored(small(persistences=0), [3, 0])
    # log2(1 + 3 events) = 2 octaves: 32, which is 12 beyond high; 0 is 5 below
    # low
    assert [pipeline.f[0], pipeline.f[1]] == [32, 0]
    assert pipeline.svm == 12 * 100 and pipeline.quiet.score == 5 * 50
    assert pipeline.ae == 0 and pipeline.hot and event == 1


def test_rows_without_an_order_score_below_their_range_and_by_the_autoencoder():
    layers = layer(0, 0, 0, 2, 2)  # y = 0
    plain = small(persistences=0, layers=layers, rows=(2,))
    rows = small(persistences=0, layers=layers, rows=(2,), flags=FLAG_ROWS)
    assert Model(rows).by_rows and not Model(plain).by_rows
    pipeline, event = scored(rows, [3, 0])
    # 12 beyond high and 32 - 10 - 3 above the centre; the other is 5 below low,
    # and 10 below the centre, which is not above its reconstruction
    assert pipeline.svm == 12 * 100 + 19 * 25 + 5 * 50
    # inputs of 128 + 22 and 128 - 10, against 0
    assert pipeline.ae == 150 * 150 + 118 * 118 > pipeline.model.threshold_ae and event == 1
    assert not pipeline.quiet.run, "what has no order is not silent"
    by_time, _ = scored(plain, [3, 0])
    assert by_time.svm == 12 * 100 + 19 * 25 and by_time.quiet.score == 5 * 50


def test_rows_are_outlying_by_the_autoencoder_s_error_alone():
    layers = layer(0, 0, 0, 2, 2)
    blob = bytearray(small(persistences=0, layers=layers, rows=(2,), flags=FLAG_ROWS)[:-4])
    at = HEADER_BYTES + 2
    blob[at : at + 4] = (LARGEST).to_bytes(4, "little")  # no score is over it
    for limit, event in ((2 * 118 * 118, 0), (2 * 118 * 118 - 1, 1)):
        blob[16:20] = limit.to_bytes(4, "little")
        pipeline, found = scored(golden.sealed(blob), [0, 0])
        assert found == event and pipeline.hot == bool(event), limit


def test_rows_are_hot_over_the_lowest_threshold_and_not_at_it():
    class Kernel(Unlike):
        def evidence(self, params, work, sums):
            sums[0], sums[1] = 200, self.low

    for low, hot in ((300, False), (301, True)):
        kernel = Kernel(chosen)
        kernel.low = low
        pipeline, event = scored(small(flags=FLAG_ROWS), [0, 0], kernel=kernel)
        assert pipeline.least == 500 and pipeline.svm == 200 + low
        assert pipeline.hot == hot and event == hot


def test_the_smallest_model_of_all_is_read():
    model = Model(small(1, 1, 0, layer(0, 0), (1,), 1, window_ms=1))
    assert model.features == 1 and model.rows == (1,) and model.window_ms == 1


def test_what_the_header_tells_is_where_the_format_says():
    blob = small(flags=FLAG_ROWS)
    assert FLAG_ROWS == 2 and Model(blob).bytes == len(blob)
    assert blob[IDENTITY_AT : IDENTITY_AT + 8] == b"\1\2\3\4\0\0\0\0"
    assert IDENTITY_AT + 8 == HEADER_BYTES
    flagged = small(flags=FLAG_HMAC)
    assert FLAG_HMAC == 1 and Model(flagged + bytes(32)).bytes == len(flagged) + 32
    for size in (0, 31, 33):
        assert "its header says %d" % (len(flagged) + 32) in _refused(flagged + bytes(size))


def test_the_views_of_a_model_end_where_what_they_show_ends():
    """A kernel's bounds, and what says that a saved state is of this model."""
    layers = layer(0, 0, 0, 5, 4) + layer(0, 0, 0, 4, 5)
    model = Model(small(layers=layers, rows=(5, 4), metadata=b'{"a": 1}'))
    sizes = [(len(w), cols, len(b), len(s), blocks) for w, cols, b, s, blocks in model.layers()]
    assert sizes == [(32, 4, 32, 8, 2), (20, 5, 16, 4, 1)]
    assert len(model.table()) == 4 * 12
    assert len(model.params) == 2 * 2 + len(model.table()) + len(layers)
    assert model.metadata() == '{"a": 1}' and model.counters() == ("c0", "c1")


def test_layers_beyond_the_end_of_the_file_are_refused():
    blob = bytearray(small()[:-4])
    for layers in (1, 128, 255):
        blob[26] = layers
        assert "length" in _refused(golden.sealed(blob)), layers


def test_a_text_that_is_no_utf_8_is_refused():
    assert "UTF-8" in _refused(small(metadata=b"\xff"))


def test_too_many_kinds_horizons_or_features_are_refused():
    for options, bad in (
        ({"means": 5, "persistences": 1}, False),
        ({"means": 5, "persistences": 2}, True),
        ({"means": 0, "persistences": 0}, True),
        ({"horizons": 8}, False),
        ({"horizons": 9}, True),
        ({"horizons": 0}, True),
        ({"counters": 0}, True),
    ):
        message = _refused(small(**options))
        assert (message is not None and "sizes" in message) == bad, (options, message)


def test_a_text_of_too_many_names_is_refused_before_it_is_split():
    blob = bytearray(golden.blob()[:-4])
    extra = 8190  # as strings more than a board's heap
    blob[34:36] = ((blob[34] | blob[35] << 8) + extra).to_bytes(2, "little")
    blob[8:12] = (len(blob) + extra + 4).to_bytes(4, "little")
    assert "names" in _refused(golden.sealed(blob + b"ab\0" * (extra // 3)))


def test_a_window_that_is_over_no_limit_is_scored_and_nothing_is_decided():
    """Of a device that is idle: neither alarm nor silence may begin."""
    blob = small(counters=1, scaling=bytes([0, 2]), each=feature(high=20, low=0))
    pipeline, _ = scored(blob, [0])
    assert pipeline.idle, "or each window would take the long way"
    decided = []
    pipeline._decide = decided.append
    for events, score in ((2, 400), (0, 0), (2, 400)):  # f is 24, 4 beyond high
        assert pipeline.score(array("i", [events])) == 0
        assert pipeline.svm == score and not decided
    pipeline.score(array("i", [9]))
    assert len(decided) == 1, "over the threshold, 500"
