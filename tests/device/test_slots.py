"""Updates and state survive a power cut at any byte, a damaged flash and a bad
model.
"""

import os
from array import array

import golden
from golden import KEY, signed

try:
    from inlier.secure import authentic, record, slots, state
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.model import IDENTITY_AT, ModelError, crc32
from inlier.pipeline import Pipeline

FOLDER = "slots.tmp"  # in .gitignore


def folder():
    """An empty one."""
    try:
        os.mkdir(FOLDER)
    except OSError:
        for name in os.listdir(FOLDER):
            os.remove(FOLDER + "/" + name)
    return FOLDER


def models(**options):
    return slots.Slots(authentic.Authentic(KEY), **options)


def running(place, **options):
    """The number of the slot's model that runs, by what the loader itself says."""
    return models(**options)._current(place, None, None)[2]


def refused(call, *arguments):
    try:
        call(*arguments)
    except ModelError as error:
        return str(error)
    return None


class PowerCut(OSError):
    pass


class Torn:
    """Stands for `open`: after `bytes` bytes of all that is written, the power
    fails.
    """

    def __init__(self, size):
        self.left = size

    def __call__(self, path, mode):
        f = open(path, mode)  # noqa: SIM115
        return TornFile(f, self) if "w" in mode else f


class TornFile:
    def __init__(self, f, power):
        self._f = f
        self._power = power
        self.fileno = getattr(f, "fileno", None)
        self.flush = f.flush

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._f.close()

    def write(self, content):
        left = self._power.left
        self._f.write(content[:left])
        self._power.left -= len(content)
        if self._power.left < 0:
            raise PowerCut()


def cut(size, call, *arguments):
    """True if the power failed before `call` was done."""
    record.open = Torn(size)
    try:
        call(*arguments)
        return False
    except PowerCut:
        return True
    finally:
        del record.open


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
    for blob, expected in (
        (bytes(forged), "altered"),
        (signed(golden.blob(), number=4), "older than 5"),
        (golden.blob(), "not signed"),
        (signed(otherwise, number=6), "self-test"),
        (b"", "not an inlier model"),
    ):
        assert expected in refused(models().update, place, blob), expected
        assert running(place) == 5
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


def pipeline_at(hot):
    """A pipeline whose alarm and means have moved."""
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()))
    for i in range(40):
        pipeline.score(array("i", [(i * 7919) % 100000 if hot else 0] * len(model.counters())))
    return pipeline


def test_state_outlives_a_reboot():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = pipeline_at(True)
    assert before.alarm.latched
    state.Keeper(path, b"").save(before)
    model = golden.model()
    after = Pipeline(model, golden.Source(model.counters()))
    assert state.Keeper(path, b"").restore(after)
    assert (
        after.alarm.latched
        and after.alarm.active == before.alarm.active
        and after.index == before.index
    )
    for i in range(30):
        deltas = array("i", [i * 100] * len(model.counters()))
        assert before.score(deltas) == after.score(deltas) and bytes(before.x) == bytes(after.x), i
        assert (before.ae, before.svm, before.hot) == (after.ae, after.svm, after.hot)


def test_state_of_another_model_leaves_only_the_latch():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    state.Keeper(path, b"").save(pipeline_at(True))
    blob = bytearray(golden.blob())
    blob[200] ^= 1
    blob[-4:] = (crc32(blob[:-4]) & 0xFFFFFFFF).to_bytes(4, "little")
    from inlier.model import Model

    other = Model(blob)
    after = Pipeline(other, golden.Source(other.counters()))
    assert not state.Keeper(path, b"").restore(after)
    assert after.alarm.latched and not after.alarm.active and after.index == -1
    assert not state.Keeper(path + ".none", b"").restore(after)


def test_an_alarm_that_a_full_flash_did_not_take_is_kept_once_there_is_room():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    keeper = state.Keeper(path, b"")
    pipeline = pipeline_at(True)
    assert cut(10, keeper.on_window, pipeline), "no room"
    keeper.on_window(pipeline)
    model = golden.model()
    after = Pipeline(model, golden.Source(model.counters()))
    assert state.Keeper(path, b"").restore(after) and after.alarm.latched


def test_state_is_written_rarely_and_at_once_when_an_alarm_is_raised():
    if authentic is None:
        return "needs hashlib"

    class Counted(state.Keeper):
        saves = 0

        def save(self, pipeline):
            self.saves += 1
            super().save(pipeline)

    keeper = Counted(folder() + "/state", b"", every=100)
    pipeline = pipeline_at(False)
    pipeline.alarm.active = pipeline.alarm.latched = False
    for pipeline.index in range(300, 500):
        keeper.on_window(pipeline)
    assert keeper.saves == 2
    pipeline.index = 500
    pipeline.alarm.active = pipeline.alarm.latched = True
    keeper.on_window(pipeline)
    keeper.on_window(pipeline)
    assert keeper.saves == 3
