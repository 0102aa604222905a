"""Updates survive a power cut at any byte, a damaged flash and a bad model."""

import gc

import golden
from golden import KEY, folder, signed

try:
    from torn import cut

    from inlier.secure import authentic, record, slots
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.model import IDENTITY_AT, ModelError


def models(**options):
    return slots.Slots(authentic.Authentic(KEY), **options)


def running(place, **options):
    return models(**options).number(place)


def refused(call, *arguments):
    try:
        call(*arguments)
    except ModelError as error:
        return str(error)
    return None


def test_a_newer_model_runs_and_the_one_before_is_kept():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    for n in (5, 6, 9):
        models().update(place, signed(golden.blob(), number=n))
        assert running(place) == n
    with open(place + "/slot.0", "wb") as f:
        f.write(b"damaged")
    assert running(place) == 6, "the last good one"
    models().update(place, signed(golden.blob(), number=10))
    assert running(place) == 10


def test_what_fails_its_check_changes_nothing():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models().update(place, signed(golden.blob(), number=5))
    forged = bytearray(signed(golden.blob(), number=6))
    forged[600] ^= 1
    otherwise = bytearray(golden.blob())
    otherwise[IDENTITY_AT + 4] ^= 1  # the digest of its self-test
    for made, expected in (  # one at a time: a board's heap is small
        (lambda: bytes(forged), "altered"),
        (lambda: signed(golden.blob(), number=4), "older than 5"),
        (golden.blob, "not signed"),
        (lambda: signed(otherwise, number=6), "self-test"),
        (lambda: b"", "not an inlier model"),
    ):
        gc.collect()
        assert expected in refused(models().update, place, made()), expected
        assert running(place) == 5
    gc.collect()
    assert "this device counts" in refused(
        models().update, place, signed(golden.blob(), number=6), "sockets"
    )


def test_the_power_may_fail_at_any_byte_of_an_update():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    number = 1
    models().update(place, signed(golden.blob(), number=number))
    failed = done = 0
    size = len(signed(golden.blob()))
    # The model in steps, the record that follows it byte by byte.
    for size in list(range(0, size, 167)) + list(range(size, size + 77)):
        torn = cut(size, models().update, place, signed(golden.blob(), number=number + 1))
        now = running(place)
        assert now == (number if torn else number + 1), (size, torn, now)
        number = now
        failed += torn
        done += not torn
    assert failed > 70 and done > 2, (failed, done)


def test_a_slot_that_holds_another_signed_model_than_was_installed_is_not_used():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models().update(place, signed(golden.blob(), number=5))
    models().update(place, signed(golden.blob(), number=6))
    with open(place + "/slot.1", "wb") as f:
        f.write(signed(golden.blob(), number=1))  # an old one that the maker did sign
    assert running(place) == 5
    with open(place + "/slot.0", "wb") as f:
        f.write(signed(golden.blob(), number=1))
    assert "does not hold what was installed" in refused(models().load, place)
    assert "older than 6" in refused(models().update, place, signed(golden.blob(), number=2)), (
        "the record remembers"
    )


def test_a_floor_that_files_cannot_lower_outlives_the_folder():
    if authentic is None:
        return "needs hashlib"

    class Floor:
        lowest = 0

        def read(self):
            return self.lowest

        def raise_to(self, number):
            self.lowest = max(self.lowest, number)

    floor = Floor()
    place = folder()
    for n in (5, 6, 7):
        models(floor=floor).update(place, signed(golden.blob(), number=n))
    assert floor.lowest == 6, "of the one before, which must stay allowed"
    place = folder()  # emptied: the attacker's way to forget
    assert "older than 6" in refused(
        models(floor=floor).update, place, signed(golden.blob(), number=5)
    )


def test_a_record_is_one_of_the_last_two_whatever_byte_is_lost():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/r"
    kept = record.Record(path, b"", b"TEST")
    assert kept.read() is None
    kept.write(b"one")
    kept.write(b"two")
    for size in range(40):
        torn = cut(size, kept.write, b"three")
        assert kept.read() == (b"two" if torn else b"three"), size
        kept.write(b"two")
    record.Record(path, b"secret", b"TEST").write(b"mine")
    assert record.Record(path, b"other", b"TEST").read() is None, (
        "nobody else's record is taken for ours"
    )
