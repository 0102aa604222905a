"""Models made byte for byte as the format says: without layers, of rows without
an order, of too many of anything.
"""

import struct
from array import array

import golden

from inlier.model import FLAG_ROWS, HEADER_BYTES, VERSION, Model, ModelError
from inlier.pipeline import Pipeline

LARGEST = (1 << 30) - 1


def _refused(blob):
    try:
        Model(blob)
    except ModelError as error:
        return str(error)
    return None


def small(horizons=1, means=1, persistences=1, layers=b"", n_layers=0, counters=2, flags=0):
    """A model made by hand, byte for byte as the format says."""
    kinds = means + persistences
    body = b"".join([struct.pack("<BBi", 1, n + 1, 500 - n) for n in range(horizons)])
    body += bytes([0] * means + [4] * persistences)
    if n_layers:
        body += struct.pack("<H", counters * kinds)
    body += bytes([0, 2] * counters)  # shift 8, cap 2^2
    feature = struct.pack("<HHHHBBBB", 10, 20, 5, 3, 0, 100, 50, 25)
    body += feature * (counters * kinds) + layers
    text = b"replay\0" + b"".join([b"c%d\0" % c for c in range(counters)]) + b"{}"
    length = HEADER_BYTES + len(body) + len(text) + 4
    head = struct.pack("<4sBBHIIii", b"INLR", VERSION, flags, counters, length, 1000, 7, 9)
    head += struct.pack(
        "<BBBBBBHHHII", means, persistences, n_layers, horizons, 8, 56, 8, 0, len(text), 0, 0
    )
    return golden.sealed(head + body + text)


def scored(blob, *windows):
    model = Model(blob)
    pipeline = Pipeline(model, golden.Source(model.counters()))
    for deltas in windows:
        event = pipeline.score(array("i", deltas))
    return pipeline, event


def test_a_model_without_layers_scores_by_what_lies_beyond_its_range():
    """Nothing is reconstructed, so that nothing is far from it."""
    pipeline, event = scored(small(persistences=0), [3, 0])
    # log2(1 + 3 events) = 2 octaves: 32, which is 12 beyond high; 0 is 5 below
    # low
    assert [pipeline.f[0], pipeline.f[1]] == [32, 0]
    assert pipeline.svm == 12 * 100 and pipeline.quiet.score == 5 * 50
    assert pipeline.ae == 0 and pipeline.hot and event == 1


def test_rows_without_an_order_score_below_their_range_and_by_the_autoencoder():
    identity = struct.pack("<4i", 0, 0, 0, 0) + bytes(4)  # bias and shift: y = 0
    layer = identity + bytes([128] * 8)
    plain = small(persistences=0, layers=layer, n_layers=1)
    rows = small(persistences=0, layers=layer, n_layers=1, flags=FLAG_ROWS)
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
    layer = struct.pack("<4i", 0, 0, 0, 0) + bytes(4) + bytes([128] * 8)
    blob = bytearray(small(persistences=0, layers=layer, n_layers=1, flags=FLAG_ROWS)[:-4])
    at = HEADER_BYTES + 2
    blob[at : at + 4] = (LARGEST).to_bytes(4, "little")  # no score is over it
    for limit, event in ((2 * 118 * 118, 0), (2 * 118 * 118 - 1, 1)):
        blob[16:20] = limit.to_bytes(4, "little")
        pipeline, found = scored(golden.sealed(blob), [0, 0])
        assert found == event and pipeline.hot == bool(event), limit


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
