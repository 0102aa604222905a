"""The loader refuses what it cannot run, in one sentence, and never reads
outside the blob.
"""

import golden

from inlier.model import HEADER_BYTES, VERSION, WINDOW_MS_MAX, Model, ModelError


def _refused(blob, *arguments):
    try:
        Model(blob, *arguments)
    except ModelError as error:
        return str(error)
    return None


def test_golden_model_loads():
    m = golden.model()
    assert m.features == 42 and m.window_ms == 1000 and m.alarm == (2, 8, 4, 3, 5)
    assert m.feature_name(0) == "c0" and m.feature_name(41) == "c13~16"


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


def test_contradicting_header_is_refused_even_with_a_fitting_checksum():
    # offset in the header, value: counters, scales, knots, layers, alarm k, n,
    # m
    for at, value in (
        (6, 15),
        (24, 4),
        (24, 0),
        (25, 9),
        (26, 0),
        (26, 250),
        (27, 0),
        (27, 9),
        (28, 30),
        (29, 0),
    ):
        blob = bytearray(golden.blob())
        blob[at] = value
        message = _refused(golden.sealed(blob[:-4]))
        assert message and "contradicts" in message, (at, value, message)


def test_shift_or_time_scale_out_of_range_is_refused():
    blob = bytearray(golden.blob())
    blob[HEADER_BYTES] = 31
    assert "time scale" in _refused(golden.sealed(blob[:-4]))


def test_a_window_that_no_clock_can_count_is_refused():
    for window_ms in (0, WINDOW_MS_MAX + 1, 0xFFFFFFFF):
        blob = bytearray(golden.blob())
        blob[12:16] = window_ms.to_bytes(4, "little")
        assert "window" in _refused(golden.sealed(blob[:-4])), window_ms


def test_an_offset_beyond_the_largest_logarithm_is_refused():
    m = golden.model()
    at = HEADER_BYTES + len(m.scales) + len(m.knots) + 2 * len(m.rows) + len(m.counters())
    blob = bytearray(golden.blob())
    blob[at + 1] = 255  # a first state of 2^4096 would come from it
    assert "offset" in _refused(golden.sealed(blob[:-4]))


def test_knots_out_of_order_are_refused():
    blob = bytearray(golden.blob())
    at = HEADER_BYTES + len(golden.model().scales)
    blob[at], blob[at + 1] = blob[at + 1], blob[at]
    assert "knots" in _refused(golden.sealed(blob[:-4])), (
        "kernels would differ: found by selfcheck/device/mutate.py"
    )


def test_a_text_of_too_many_names_is_refused_before_it_is_split():
    blob = bytearray(golden.blob()[:-4])
    extra = 8190  # as strings more than a board's heap
    blob[34:36] = ((blob[34] | blob[35] << 8) + extra).to_bytes(2, "little")
    blob[8:12] = (len(blob) + extra + 4).to_bytes(4, "little")
    assert "names" in _refused(golden.sealed(blob + b"ab\0" * (extra // 3)))
