"""The loader refuses what it cannot run, in one sentence, and never reads
outside the blob.
"""

import golden

from inlier.features import LOG_MAX, PERSISTENCE_MAX, PERSISTENCE_OUT, SCALE_MAX
from inlier.model import (
    BIAS_MAX,
    CAP_MAX,
    FEATURE_BYTES,
    FEATURES_MAX,
    HEADER_BYTES,
    INPUT_SHIFT_MAX,
    SHIFT_MAX,
    VERSION,
    WEIGHT_MAX,
    WINDOW_MS_MAX,
    Model,
    ModelError,
    load,
)

LARGEST = (1 << 30) - 1


def _refused(blob, *arguments):
    try:
        Model(blob, *arguments)
    except ModelError as error:
        return str(error)
    return None


def _patched(at, value):
    """The golden model with bytes from `at` replaced, and a fitting checksum."""
    blob = bytearray(golden.blob())
    blob[at : at + len(value)] = value
    return golden.sealed(blob[:-4])


def places():
    """Where the golden model has its kinds, the rows of its layers, its
    counters, features and layers, by the format's own words.
    """
    m = golden.model()
    at = {"horizons": HEADER_BYTES}
    at["kinds"] = HEADER_BYTES + 6 * len(list(m.horizons()))
    at["rows"] = at["kinds"] + len(m.kinds)
    at["counters"] = at["rows"] + 2 * len(m.rows)
    at["features"] = at["counters"] + 2 * len(m.counters())
    at["layers"] = at["features"] + FEATURE_BYTES * m.features
    return at


def test_golden_model_loads():
    m = load(golden.FOLDER + "model.inlier", "replay", golden.model().counters())
    assert m.features == 56 and m.window_ms == 1000
    assert (m.clear_after, m.quiet_after, m.cooldown, m.warmup) == (4, 6, 3, 5)
    assert [(k, n) for k, n, _ in m.horizons()] == [
        (2, 8),
        (8, 12),
        (20, 24),
        (56, 64),
        (170, 192),
    ]
    assert m.kinds == ((0, 0), (2, 2), (4, 4), (5, PERSISTENCE_OUT))
    assert m.feature_name(0) == "c0" and m.feature_name(55) == "c13~32"


def test_the_bounds_are_those_of_the_format():
    """docs/model_file.md; a runtime of other bounds reads another format."""
    assert (SCALE_MAX, PERSISTENCE_MAX, LOG_MAX) == (4, 10, 288)
    assert (SHIFT_MAX, CAP_MAX, INPUT_SHIFT_MAX, WEIGHT_MAX) == (30, 29, 3, 127)
    assert (FEATURES_MAX, BIAS_MAX, WINDOW_MS_MAX) == (4096, 268435456, 3600000)


def test_what_is_no_model_is_said_to_be_none():
    for blob in (b"", b"INLR", b"INLR" + bytes(39), b"inlr" + golden.blob()[4:]):
        assert "not an inlier model" in _refused(blob), blob[:8]
    assert "version 0" in _refused(b"INLR" + bytes(40))


def test_every_truncation_is_refused():
    blob = golden.blob()
    for n in range(0, len(blob), 7):
        assert _refused(blob[:n]), n
    assert "says" in _refused(blob + b"\0")


def test_every_altered_bit_is_refused():
    blob = bytearray(golden.blob())
    for i in range(len(blob)):
        blob[i] ^= 1 << (i & 7)
        assert _refused(blob), i
        blob[i] ^= 1 << (i & 7)
    assert _refused(blob) is None


def test_later_version_names_both():
    blob = bytearray(golden.blob())
    blob[4] = 9
    message = _refused(blob)
    assert "version 9" in message and "version %d" % VERSION in message and "update" in message


def test_other_source_names_both():
    message = _refused(golden.blob(), "sockets")
    assert "'replay'" in message and "'sockets'" in message


def test_other_counters_are_named():
    names = golden.model().counters()
    assert "c13" in _refused(golden.blob(), "replay", names[:-1])
    assert "order" in _refused(golden.blob(), "replay", (names[1], names[0]) + names[2:])
    assert _refused(golden.blob(), "replay", names) is None


def test_the_former_version_is_refused_and_says_what_to_do():
    blob = bytearray(golden.blob())
    for version in range(VERSION):
        blob[4] = version
        message = _refused(blob)
        assert "version %d" % version in message and "export the model again" in message


def test_contradicting_header_is_refused_even_with_a_fitting_checksum():
    # counters, means, persistences, layers, horizons
    for at, values in (
        (6, (0, 13, 15, 255)),
        (24, (0, 2, 4, 250)),
        (25, (0, 2, 250)),
        (26, (0, 3, 5, 255)),
        (27, (0, 4, 6, 9, 255)),
        (34, (0, 255)),
    ):
        for value in values:
            message = _refused(_patched(at, bytes([value])))
            assert message and "contradicts" in message, (at, value, message)


def test_an_alarm_that_nothing_clears_or_a_silence_of_no_windows_is_refused():
    for at in (28, 29):
        assert "alarm" in _refused(_patched(at, b"\0")), at
        assert _refused(_patched(at, b"\1")) is None


def test_horizons_that_do_not_ascend_or_cannot_be_reached_are_refused():
    at = places()["horizons"]
    for h, k, n, bad in (
        (0, 0, 8, True),  # none of 8: always
        (0, 9, 8, True),
        (0, 8, 8, False),
        (1, 2, 8, True),  # as long as the one before
        (1, 2, 7, True),
        (1, 9, 9, False),
        (4, 1, 63, True),
        (4, 255, 255, False),
    ):
        message = _refused(_patched(at + 6 * h, bytes([k, n])))
        assert (message is not None and "horizon" in message) == bad, (h, k, n, message)


def test_thresholds_that_ascend_or_are_negative_or_too_large_are_refused():
    at = places()["horizons"]
    limits = [limit for _, _, limit in golden.model().horizons()]
    for h, limit, bad in (
        (0, LARGEST, False),
        (0, LARGEST + 1, True),
        (0, 0x7FFFFFFF, True),
        (0, limits[1], False),
        (0, limits[1] - 1, True),
        (4, limits[3], False),
        (4, limits[3] + 1, True),
        (4, 0, False),
        (4, 0xFFFFFFFF, True),  # -1
        (2, 0x80000000, True),
    ):
        message = _refused(_patched(at + 6 * h + 2, limit.to_bytes(4, "little")))
        assert (message is not None and "threshold" in message) == bad, (h, limit, message)
    for at in (16, 20):  # of the autoencoder, and of silence
        for limit, bad in ((0, False), (LARGEST, False), (LARGEST + 1, True), (0xFFFFFFFF, True)):
            message = _refused(_patched(at, limit.to_bytes(4, "little")))
            assert (message is not None and "threshold" in message) == bad, (at, limit, message)


def test_a_time_scale_or_persistence_out_of_range_is_refused():
    at = places()["kinds"]
    for t in range(4):
        most = SCALE_MAX if t < 3 else PERSISTENCE_MAX
        assert _refused(_patched(at + t, bytes([most]))) is None
        for k in (most + 1, 255):
            assert "time scale" in _refused(_patched(at + t, bytes([k]))), (t, k)


def test_a_counter_shift_or_cap_out_of_range_is_refused():
    at = places()["counters"]
    for c in (0, 13):  # first and last
        for j, name, most in ((0, "counter shift", 8 + SHIFT_MAX), (1, "counter cap", CAP_MAX)):
            assert _refused(_patched(at + 2 * c + j, bytes([most]))) is None
            for value in (most + 1, 255):
                message = _refused(_patched(at + 2 * c + j, bytes([value])))
                assert message and name in message, (c, name, value, message)


def test_a_feature_out_of_range_is_refused():
    at = places()["features"]
    for i in (0, 55):
        p = at + FEATURE_BYTES * i
        for j, name in ((0, "offset"), (4, "low")):
            assert _refused(_patched(p + j, LOG_MAX.to_bytes(2, "little"))) is None
            for value in (LOG_MAX + 1, 0xFFFF):
                message = _refused(_patched(p + j, value.to_bytes(2, "little")))
                assert message and name in message, (i, name, value, message)
        for j in (2, 6):  # high and far: what is never exceeded is in range
            assert _refused(_patched(p + j, b"\xff\xff")) is None
        for j, name, most in (
            (8, "input shift", INPUT_SHIFT_MAX),
            (9, "weight", WEIGHT_MAX),
            (10, "weight", WEIGHT_MAX),
            (11, "weight", WEIGHT_MAX),
        ):
            assert _refused(_patched(p + j, bytes([most]))) is None
            for value in (most + 1, 255):
                message = _refused(_patched(p + j, bytes([value])))
                assert message and name in message, (i, name, value, message)


def test_a_layer_s_bias_or_shift_out_of_range_is_refused():
    at = places()["layers"]
    cols = 56
    for rows in golden.model().rows:
        blocks = rows + 3 >> 2
        for row in (0, rows - 1):
            for bias, bad in (
                (BIAS_MAX, False),
                (BIAS_MAX + 1, True),
                (-BIAS_MAX, False),
                (-BIAS_MAX - 1, True),
                (0x7FFFFFFF, True),
                (-0x80000000, True),
            ):
                value = (bias & 0xFFFFFFFF).to_bytes(4, "little")
                message = _refused(_patched(at + 4 * row, value))
                assert (message is not None and "layer" in message) == bad, (rows, row, bias)
            for shift, bad in ((SHIFT_MAX, False), (SHIFT_MAX + 1, True), (255, True)):
                message = _refused(_patched(at + 16 * blocks + row, bytes([shift])))
                assert (message is not None and "layer" in message) == bad, (rows, row, shift)
        at += 4 * blocks * (5 + cols)
        cols = rows


def test_layers_of_no_rows_or_too_many_or_that_do_not_end_at_the_features_are_refused():
    at = places()["rows"]
    for layer, rows, name in (
        (0, 0, "layers"),
        (1, FEATURES_MAX + 1, "layers"),
        (0, 9, "length"),
        (3, 55, "length"),  # as many blocks, one feature short
    ):
        message = _refused(_patched(at + 2 * layer, rows.to_bytes(2, "little")))
        assert message and name in message, (layer, rows, message)


def test_a_window_that_no_clock_can_count_is_refused():
    for window_ms in (0, WINDOW_MS_MAX + 1, 0xFFFFFFFF):
        blob = bytearray(golden.blob())
        blob[12:16] = window_ms.to_bytes(4, "little")
        assert "window" in _refused(golden.sealed(blob[:-4])), window_ms
