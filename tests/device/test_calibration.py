"""A device's own thresholds: a few bytes, signed, of the one model that they
were made for; what does not fit leaves the type's.
"""

import struct

import golden
from golden import KEY, signed

try:
    from inlier.secure import authentic, calibration, slots
    from inlier.secure.authentic import hmac_sha256
    from inlier.secure.record import write_file
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.model import Model, ModelError, crc32

PATH = "limits.tmp"  # in .gitignore


def made(blob, limits, key=KEY):
    """Laid out as calibration.py says."""
    content = b"INLC" + bytes([1, 0 if key is None else 1, len(limits), 0])
    content += struct.pack("<I", calibration.identity(blob))
    for limit in limits:
        content += struct.pack("<i", limit)
    content += struct.pack("<I", crc32(content) & 0xFFFFFFFF)
    return content if key is None else content + hmac_sha256(key, content)


def limits_of(model):
    return [limit for _, _, limit in model.horizons()]


def test_thresholds_of_one_device_take_the_place_of_its_type_s():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob())
    model = Model(blob)
    before = list(model.horizons())
    mine = [900 - i for i in range(len(before))]
    calibration.apply(model, blob, made(blob, mine), KEY)
    after = list(model.horizons())
    assert limits_of(model) == mine
    assert [h[:2] for h in after] == [h[:2] for h in before]
    assert len(made(blob, mine)) == 48 + 4 * len(mine)


def test_what_does_not_fit_is_refused_and_changes_nothing():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob())
    n = len(limits_of(Model(blob)))
    good = made(blob, [5] * n)
    altered = bytearray(good)
    altered[12] ^= 1
    other = signed(golden.blob(), number=8)
    for bad, why in (
        (b"", "no calibration"),
        (good[:7], "no calibration"),
        (b"INLX" + good[4:], "no calibration"),
        (good[:-1], "cut"),
        (good + b"x", "cut"),
        (made(blob, [5] * (n + 1)), "other horizons"),
        (bytes(altered), "not signed"),
        (made(blob, [5] * n, b"another"), "not signed"),
        (made(blob, [5] * n, None), "not signed"),
        (made(other, [5] * n), "of another model"),
        (made(blob, [-1] * n), "contradicts itself"),
    ):
        model = Model(blob)
        before = limits_of(model)
        try:
            calibration.apply(model, blob, bad, KEY)
        except ModelError as error:
            assert why in str(error), (why, error)
        else:
            raise AssertionError(why)
        assert limits_of(model) == before
    if n > 1:
        try:
            calibration.apply(Model(blob), blob, made(blob, list(range(n))), KEY)
        except ModelError as error:
            assert "contradicts itself" in str(error)
        else:
            raise AssertionError("thresholds that ascend")


def test_slots_give_a_model_with_them_and_without_where_they_do_not_fit():
    if authentic is None:
        return "needs hashlib"
    import os

    folder = "limits_slots.tmp"
    try:
        os.mkdir(folder)
    except OSError:
        for name in os.listdir(folder):
            os.remove(folder + "/" + name)
    blob = signed(golden.blob())
    write_file(PATH, made(blob, [9] * len(limits_of(Model(blob)))))
    models = calibration.CalibratedSlots(authentic.Authentic(KEY), PATH)
    models.update(folder, blob)
    assert set(limits_of(models.load(folder))) == {9} and models.problem is None
    assert models.number(folder) == 7
    models.update(folder, signed(golden.blob(), number=8))
    assert limits_of(models.load(folder)) == limits_of(golden.model())
    assert "of another model" in models.problem
    assert isinstance(models, slots.Slots)
    loader = calibration.Calibrated(authentic.Authentic(KEY), PATH)
    write_file("limits_model.tmp", blob)
    assert set(limits_of(loader.load("limits_model.tmp"))) == {9}
