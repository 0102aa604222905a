"""What export writes is the format of docs/model_file.md byte for byte, and
what it reads back is what stands there.
"""

import itertools
import struct
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest

from inlier.model import BIAS_MAX, Model, ModelError
from inlier.secure import authentic, selftest
from inlier_export import inputs
from inlier_export.errors import BadInput
from inlier_export.model_file import (
    model_of,
    pack,
    parsed,
    python_module,
    read_file,
    read_model,
    unpack,
)
from inlier_export.reference import Detector, Layer, Schema
from inlier_export.synthetic import random_detector

KEY = bytes(range(32))
WIDE = [[1, -2, 3, -4, 5, -6], [7, -8, 9, -10, 11, -12], [13, -14, 15, -16, 127, -128]]
NARROW = [[i, -i, 2 * i] for i in range(1, 7)]


def ints(*values):
    return np.array(values, np.int64)


DETECTOR = Detector(
    source="replay",
    window_ms=1500,
    schema=Schema(("höhe", "b"), (0, 3), (5,), shifts=ints(8, -30), caps=ints(29, 4)),
    offset=ints(10, 11, 12, 13, 14, 288),
    high=ints(300, 21, 22, 23, 24, 25),
    low=ints(288, 1, 2, 3, 4, 5),
    far=ints(30, 31, 32, 33, 34, 1000),
    input_shift=ints(0, 1, 2, 3, 0, 1),
    weights=ints([1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13, 14, 15], [16, 17, 127]),
    layers=[
        Layer(np.array(WIDE, np.int8), ints(BIAS_MAX, -BIAS_MAX, 5), ints(6, 7, 30)),
        Layer(np.array(NARROW, np.int8), ints(1, 2, 3, 4, 5, 6), ints(1, 2, 3, 4, 5, 6)),
    ],
    horizons=((2, 8, 70_000), (8, 12, 300)),
    threshold_ae=111,
    threshold_quiet=222,
    clear_after=9,
    quiet_after=57,
    cooldown=600,
    warmup=700,
    metadata={"seed": 1, "at": "now"},
    number=0x01020304,
)
SCALARS = [f.name for f in fields(Detector) if f.name not in ("schema", "layers")]


def by_hand() -> tuple[bytes, bytes]:
    """The header but for its digest, and the body of DETECTOR."""
    body = struct.pack("<BBiBBi", 2, 8, 70_000, 8, 12, 300)
    body += bytes([0, 3]) + bytes([5])
    body += struct.pack("<HH", 3, 6)
    body += bytes([8 - 8, 29]) + bytes([8 + 30, 4])
    for row in (
        (10, 300, 288, 30, 0, 1, 2, 3),
        (11, 21, 1, 31, 1, 4, 5, 6),
        (12, 22, 2, 32, 2, 7, 8, 9),
        (13, 23, 3, 33, 3, 10, 11, 12),
        (14, 24, 4, 34, 0, 13, 14, 15),
        (288, 25, 5, 1000, 1, 16, 17, 127),
    ):
        body += struct.pack("<HHHHBBBB", *row)
    body += struct.pack("<iiii", BIAS_MAX, -BIAS_MAX, 5, 0) + bytes([6, 7, 30, 0])
    for column in range(6):  # four rows interleaved; the fourth is there to fill up
        body += bytes([128 + row[column] for row in WIDE] + [128])
    body += struct.pack("<iiiiiiii", 1, 2, 3, 4, 5, 6, 0, 0) + bytes([1, 2, 3, 4, 5, 6, 0, 0])
    for four in (NARROW[:4], [*NARROW[4:], [0] * 3, [0] * 3]):
        body += bytes(128 + row[column] for column in range(3) for row in four)
    text = 'replay\0höhe\0b\0{"at":"now","seed":1}'.encode()
    head = b"INLR" + struct.pack("<BBHIIii", 3, 0, 2, 44 + len(body + text) + 4, 1500, 111, 222)
    head += struct.pack("<BBBBBB", 2, 1, 2, 2, 9, 57)
    head += struct.pack("<HHHI", 600, 700, len(text), 0x01020304)
    return head, body + text


def test_a_detector_is_written_byte_for_byte_as_the_format_says():
    head, body = by_hand()
    blob = pack(DETECTOR)
    assert blob[:40] == head
    assert blob[44:-4] == body
    assert blob[-4:] == zlib.crc32(blob[:-4]).to_bytes(4, "little")
    selftest.check(Model(blob), blob)  # the runtime reaches the digest that is left


@pytest.mark.parametrize(
    "made",
    # rows that fill no block of four
    [DETECTOR, *(random_detector(8, hidden) for hidden in ((), (5, 3, 6), (9,), (1, 8)))],
    ids=lambda made: f"{[len(layer.weights) for layer in made.layers]}",
)
def test_what_was_written_is_read_back(made):
    file = parsed(pack(made))
    assert file.blob == pack(made) == pack(file.detector)
    assert file.model.window_ms == made.window_ms
    found = file.detector
    assert pack(unpack(file.blob)) == file.blob
    for name in SCALARS:
        assert np.array_equal(getattr(found, name), getattr(made, name)), name
    for name in ("counters", "scales", "persistence", "shifts", "caps"):
        assert np.array_equal(getattr(found.schema, name), getattr(made.schema, name)), name
    for a, b in zip(found.layers, made.layers, strict=True):
        assert a.weights.dtype == np.int8
        for name in ("weights", "bias", "shift"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("by_rows", [False, True])
def test_flags_say_that_it_is_signed_and_of_rows(key, by_rows):
    blob = pack(replace(DETECTOR, by_rows=by_rows), key)
    assert blob[5] == (key is not None) + 2 * by_rows
    assert Model(blob).by_rows == parsed(blob).detector.by_rows == by_rows
    if key:
        authentic.Authentic(key).check(blob)


def test_what_the_runtime_would_refuse_is_not_written():
    with pytest.raises(ModelError, match="window"):
        pack(replace(DETECTOR, window_ms=0))


def test_a_bias_that_would_leave_the_accumulator_is_not_cut_to_its_low_bits():
    wide, narrow = DETECTOR.layers
    for bias in (BIAS_MAX + 1, -BIAS_MAX - 1, 1 << 32):
        with pytest.raises(AssertionError):
            pack(replace(DETECTOR, layers=[replace(wide, bias=ints(0, 0, bias)), narrow]))


def test_the_module_s_bytes_are_the_model_s():
    blob, found = pack(DETECTOR), {}
    source = python_module(blob)
    exec(source, found)
    assert found["MODEL"] == blob
    assert max(map(len, source.splitlines())) <= 4 + 24 * len(r"\xff") + 3, "24 bytes a line"
    assert len(source.splitlines()) == 4 + -(-len(blob) // 24)


def altered(text: bytes) -> bytes:
    """Of the same length, with another text of metadata."""
    blob = pack(DETECTOR)[:-4].replace(b'{"at":"now","seed":1}', text.ljust(21))
    return blob + zlib.crc32(blob).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"INLR", "not an inlier model"),
        (altered(b"{"), "training metadata is no JSON object; export it again"),
        (altered(b"[]"), "training metadata is no JSON object; export it again"),
    ],
)
def test_what_is_no_model_is_told_with_its_path(tmp_path, content, why):
    path = tmp_path / "m.inlier"
    path.write_bytes(content)
    for reads in (read_file, read_model):
        with pytest.raises(BadInput, match=f"^{path}: .*{why}"):
            reads(path)


def test_a_model_is_for_its_source_and_counters(tmp_path):
    path = tmp_path / "m.inlier"
    path.write_bytes(pack(DETECTOR))
    assert read_file(path).blob == path.read_bytes()
    for source, counters in itertools.product((None, "replay"), (None, ("höhe", "b"))):
        assert read_model(path, source, counters).source == "replay"
    assert model_of(path, pack(DETECTOR)).counters() == ("höhe", "b")
    with pytest.raises(BadInput, match=f"^{path}: model is for source 'replay'"):
        read_model(path, "sockets")
    with pytest.raises(BadInput, match=r"differ in counters \(c, b\)"):
        read_model(path, None, ("höhe", "c"))


def test_a_file_too_long_for_a_model_is_not_read(tmp_path):
    path = tmp_path / "m.inlier"
    with path.open("wb") as file:
        file.truncate(inputs.MODEL_MAX + 1)
    with pytest.raises(BadInput, match="no model of inlier's has more than 64 MiB"):
        read_file(path)
