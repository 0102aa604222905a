"""Updates, in detail: what is written is on flash, what the record holds, which
model runs where numbers are equal or unrecorded, and never one below the floor.
"""

import os

import golden
from golden import KEY, folder, signed

try:
    from torn import File

    from inlier.secure import authentic, record, slots
except ImportError:  # a MicroPython without hashlib
    authentic, File = None, object
from inlier.model import ModelError


def test_a_record_is_laid_out_as_its_file_says():
    """So that what a former runtime wrote is read by the next."""
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/r"
    key = b"secret"

    def sealed(content):
        return content + authentic.hmac_sha256(key, content)[:16]

    def content(i):
        with open("%s.%d" % (path, i), "rb") as f:
            return f.read()

    kept = record.Record(path, key, b"INLS")
    kept.write(b"one")
    kept.write(b"")
    assert content(0) == sealed(b"INLS" + b"\1\0\0\0" + b"\3\0" + b"one")
    assert content(1) == sealed(b"INLS" + b"\2\0\0\0" + b"\0\0")
    assert kept.read() == b"", "an empty one is one"
    for whole in (
        sealed(b"INLX" + b"\3\0\0\0" + b"\0\0"),  # another format under the same key
        sealed(b"INLS" + b"\3\0\0\0" + b"\0\0") + b"x",
        sealed(b"INLS" + b"\3\0\0\0" + b"\1\0"),
        sealed(b"INLS" + b"\3\0\0\0" + b"\0\0")[:-1],
        sealed(b"INLS" + b"\3\0\0"),
        b"",
    ):
        record.write_file(path + ".0", whole)
        assert kept.read() == b"" and kept._newest()[0] == 1, whole
    kept.write(b"three")
    assert content(0) == sealed(b"INLS" + b"\3\0\0\0" + b"\5\0" + b"three"), "one further"


def test_of_two_models_of_one_number_the_record_says_which_runs():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models = slots.Slots(authentic.Authentic(KEY))
    first, second = (signed(named(golden.blob(), last), number=5) for last in b"AB")
    assert first != second
    for blob in (first, second, first, second, second):
        models.update(place, bytearray(blob))  # as it is put together when it comes in parts
        slot = models._current(place, None, None)[0]
        assert record.read_file(place + "/slot.%d" % slot) == blob


def named(blob, last):
    """The golden model with another name of its first counter: as good a one."""
    i = blob.find(golden.model().counters()[0].encode())
    changed = blob[: i + 1] + bytes([last]) + blob[i + 2 : -4]
    return golden.sealed(changed)


def test_without_a_record_the_higher_number_runs():
    if authentic is None:
        return "needs hashlib"
    models = slots.Slots(authentic.Authentic(KEY))
    for numbers in ((5, 6), (6, 5)):
        place = folder()
        for i in (0, 1):  # such as when somebody copied models there
            record.write_file(place + "/slot.%d" % i, signed(golden.blob(), number=numbers[i]))
        slot, model, number = models._current(place, None, None)
        assert number == 6 == numbers[slot]
        assert models.load(place).counters() == model.counters()
        said = refused(models.update, place, signed(golden.blob(), number=4))
        assert "older than 6" in said, "the one that runs counts, recorded or not"
        os.remove(place + "/slot.%d" % slot)
        assert models.number(place) == 5
        record.write_file(place + "/slot.%d" % slot, b"INLR")  # no header: it has no number
        assert models.number(place) == 5


def test_the_record_of_the_slots_holds_which_runs_and_of_both_number_and_digest():
    if authentic is None:
        return "needs hashlib"
    from hashlib import sha256

    place = folder()
    models = slots.Slots(authentic.Authentic(KEY))
    blobs = [signed(golden.blob(), number=n) for n in (5, 6)]
    for blob in blobs:
        models.update(place, blob)
    entries = [bytes([5 + i, 0, 0, 0]) + sha256(blobs[i]).digest()[:16] for i in (0, 1)]
    assert record.Record(place + "/slots", KEY, b"INLS").read() == b"\1" + entries[0] + entries[1]


def test_a_record_that_no_update_writes_is_none():
    """Whoever has the key may have sealed it, or a runtime to come."""
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models = slots.Slots(authentic.Authentic(KEY))
    for number in (7, 5):  # such that the higher number is in the slot before
        record.write_file(place + "/slot.%d" % (number == 5), signed(golden.blob(), number=number))
    entries = [slots._entry(record.read_file(place + "/slot.%d" % i)) for i in (0, 1)]
    for content, expected in (
        (b"\1" + entries[0] + entries[1], 5),
        (b"\2" + entries[0] + entries[1], 7),
        (b"\xff" + entries[0] + entries[1], 7),
        (b"\1" + entries[0] + entries[1] + b"x", 7),
        (b"\1" + entries[0] + entries[1][:-1], 7),
        (b"\1", 7),
        (b"", 7),
    ):
        record.Record(place + "/slots", KEY, b"INLS").write(content)
        assert models.number(place) == expected, content
    models.update(place, signed(golden.blob(), number=8))
    assert models.number(place) == 8


def test_a_key_of_its_own_seals_the_record_in_the_place_of_the_models():
    """So that who signs models for a fleet can't forge what one device keeps."""
    if authentic is None:
        return "needs hashlib"
    for options, key in (({}, KEY), ({"key": b"own"}, b"own")):
        place = folder()
        slots.Slots(authentic.Authentic(KEY), **options).update(place, signed(golden.blob()))
        for other in (KEY, b"own", b""):
            kept = record.Record(place + "/slots", other, b"INLS").read()
            assert (kept is not None) == (other == key), (options, other)
    place = folder()
    slots.Slots(None).update(place, golden.blob())
    assert record.Record(place + "/slots", b"", b"INLS").read(), "a checksum where nobody signs"


def test_the_first_model_may_have_the_number_0():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models = slots.Slots(authentic.Authentic(KEY))
    models.update(place, signed(golden.blob(), number=0))
    assert models.load(place) and models.number(place) == 0


class Floor:
    def __init__(self, lowest):
        self.lowest = lowest

    def read(self):
        return self.lowest

    def raise_to(self, number):
        self.lowest = max(self.lowest, number)


def refused(call, *arguments):
    try:
        call(*arguments)
    except ModelError as error:
        return str(error)
    return ""


def test_a_model_below_the_floor_is_not_loaded_from_a_folder_that_was_put_back():
    if authentic is None:
        return "needs hashlib"
    for checks in (authentic.Authentic(KEY), None):
        place = folder()
        slots.Slots(checks).update(place, signed(golden.blob(), number=5))
        assert slots.Slots(checks, floor=Floor(5)).load(place)
        said = refused(slots.Slots(checks, floor=Floor(6)).load, place)
        assert "number 5 is older than 6" in said, said


class Forgetful:
    """Stands for `open`: flash that keeps one byte of a slot other than it was
    written, and says nothing of it.
    """

    def __call__(self, path, mode):
        f = open(path, mode)  # noqa: SIM115
        return ForgetfulFile(f) if "w" in mode and "/slot." in path else f


class ForgetfulFile(File):
    def write(self, content):
        self._f.write(content[:700] + bytes([content[700] ^ 1]) + content[701:])


def test_flash_that_does_not_keep_a_model_is_told_and_the_former_one_runs_on():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models = slots.Slots(authentic.Authentic(KEY))
    models.update(place, signed(golden.blob(), number=5))
    named = record.Record(place + "/slots", KEY, b"INLS").read()
    record.open = Forgetful()
    try:
        said = refused(models.update, place, signed(golden.blob(), number=6))
    finally:
        del record.open
    assert "flash did not keep the model" in said and "/slot.1" in said, said
    assert record.Record(place + "/slots", KEY, b"INLS").read() == named, (
        "the record names the former one still"
    )
    assert models.number(place) == 5


class Synced:
    """Stands for `os`: notes how large a file is when it is synced."""

    def __init__(self):
        self.sizes = []

    def fsync(self, handle):
        self.sizes.append(os.fstat(handle).st_size)
        os.fsync(handle)


def test_a_model_and_then_its_record_are_synced_whole():
    if authentic is None:
        return "needs hashlib"
    if not hasattr(os, "fsync"):
        return "MicroPython's file systems commit at close"
    place = folder()
    blob = signed(golden.blob(), number=5)
    former = record.os
    record.os = synced = Synced()
    try:
        slots.Slots(authentic.Authentic(KEY)).update(place, blob)
    finally:
        record.os = former
    sealed = [os.stat(place + "/" + name).st_size for name in os.listdir(place) if "slots" in name]
    assert synced.sizes == [len(blob)] + sealed, (
        "in this order: a record may name no model that a power cut can still take"
    )
