"""A device's own thresholds: a few bytes, signed, of the one model that they
were made for; what does not fit leaves the type's.
"""

import struct

import golden
from golden import KEY, folder, signed

try:
    from inlier.secure import authentic, calibration, record, slots
    from inlier.secure.authentic import hmac_sha256
    from inlier.secure.record import write_file
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.counters import DELTA_MAX
from inlier.model import Model, ModelError, crc32


def made(blob, limits, key=KEY, count=None):
    """Laid out as calibration.py says; the CRC of `blob` is where it must be."""
    content = b"INLC" + bytes([1, 0 if key is None else 1, count or len(limits), 0])
    content += blob[-36:-32] if blob[5] & 1 else blob[-4:]
    for limit in limits:
        content += struct.pack("<i", limit)
    content += struct.pack("<I", crc32(content) & 0xFFFFFFFF)
    return content if key is None else content + hmac_sha256(key, content)


def limits_of(model):
    return [limit for _, _, limit in model.horizons()]


def refused(blob, content, key=KEY):
    """Why; the model's thresholds are then as they were. None if it is taken."""
    model = Model(blob)
    before = list(model.horizons())
    try:
        calibration.apply(model, blob, content, key)
    except ModelError as error:
        assert list(model.horizons()) == before, error
        return str(error)
    return None


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


def test_thresholds_may_be_any_that_do_not_ascend():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob())
    n = len(limits_of(Model(blob)))
    for limits, good in (
        ([0] * n, True),
        ([DELTA_MAX] * n, True),
        ([DELTA_MAX] * (n - 1) + [0], True),
        ([DELTA_MAX + 1] + [0] * (n - 1), False),
        ([5] * (n - 1) + [6], n == 1),
        ([5] * (n - 1) + [-1], False),
    ):
        why = refused(blob, made(blob, limits))
        assert why is None if good else "contradicts itself" in why, limits


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
        (good[:11], "no calibration"),
        (good[:12], "cut"),
        (b"INLX" + good[4:], "no calibration"),
        (b"INLC\2" + good[5:], "no calibration of version 1"),
        (good[:-1], "cut"),
        (good + b"x", "cut"),
        (made(blob, [5] * (n + 1)), "other horizons"),
        (made(blob, [5] * n, count=n + 1), "other horizons"),
        (bytes(altered), "not signed"),
        (made(blob, [5] * n, b"another"), "not signed"),
        (made(blob, [5] * n, None), "not signed"),
        (made(other, [5] * n), "of another model"),
    ):
        assert why in refused(blob, bad), why


def test_where_nobody_signs_any_is_taken_that_is_whole():
    if authentic is None:
        return "needs hashlib"
    for blob in (golden.blob(), signed(golden.blob())):
        n = len(limits_of(Model(blob)))
        for level in range(4):  # so that checksums are odd and even
            for key in (None, b"anybody's"):
                assert refused(blob, made(blob, [level] * n, key), None) is None
            altered = bytearray(made(blob, [level] * n, None))
            altered[-1 - level] ^= 1
            assert "checksum" in refused(blob, altered, None)


def test_a_loader_gives_a_model_with_them_and_without_where_they_do_not_fit():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    path, limits = place + "/model", place + "/limits"
    types = limits_of(golden.model())
    mine = [9] * len(types)
    for who, blob, key in (
        (authentic.Authentic(KEY), signed(golden.blob()), KEY),
        (None, golden.blob(), None),
    ):
        write_file(path, blob)
        for content, expected, problem in (
            (b"", types, None),  # there is none
            (made(blob, mine, key), mine, None),
            (b"x", types, "no calibration"),
            (made(blob, mine, b"another"), types if key else mine, "not signed" if key else None),
        ):
            write_file(limits, content)
            loader = calibration.Calibrated(who, limits)
            assert loader.problem is None
            assert limits_of(loader.load(path)) == expected
            assert problem in loader.problem if problem else loader.problem is None
        try:
            loader.load(path, "sockets")
            raise AssertionError
        except ModelError as error:
            assert "this device counts" in str(error)
    try:
        calibration.Calibrated(authentic.Authentic(KEY), limits).load(path)
        raise AssertionError
    except ModelError as error:
        assert "not signed" in str(error), "the model itself"


def test_slots_give_a_model_with_them_and_without_where_they_do_not_fit():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    limits = place + "/limits"
    blob = signed(golden.blob())
    write_file(limits, made(blob, [9] * len(limits_of(Model(blob)))))
    models = calibration.CalibratedSlots(authentic.Authentic(KEY), limits)
    assert models.problem is None and isinstance(models, slots.Slots)
    models.update(place, blob)
    assert set(limits_of(models.load(place))) == {9} and models.problem is None
    assert models.number(place) == 7
    models.update(place, signed(golden.blob(), number=8))
    assert limits_of(models.load(place)) == limits_of(golden.model())
    assert "of another model" in models.problem


def test_slots_with_them_take_what_slots_take():
    """A record's own key, a floor; no key where nobody signs."""
    if authentic is None:
        return "needs hashlib"
    place = folder()
    limits = place + "/limits"
    blob = golden.blob()
    write_file(limits, made(blob, [9] * len(limits_of(Model(blob))), None))
    models = calibration.CalibratedSlots(None, limits, b"own")
    models.update(place, blob)
    assert set(limits_of(models.load(place))) == {9} and models.problem is None
    assert record.Record(place + "/slots", b"own", b"INLS").read()

    class Floor:
        def read(self):
            return 1

    try:
        calibration.CalibratedSlots(None, limits, b"own", Floor()).load(place)
        raise AssertionError
    except ModelError as error:
        assert "number 0 is older than 1" in str(error)
