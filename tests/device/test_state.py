"""What a monitor knows is taken up after a reboot, whole or not at all, and
nothing that no device saves.
"""

import struct
from array import array

import golden
from golden import folder

try:
    from torn import cut

    from inlier.secure import record, state
except ImportError:  # a MicroPython without hashlib
    state = None
from inlier.model import Model, crc32
from inlier.pipeline import Pipeline


def fresh():
    model = golden.model()
    return Pipeline(model, golden.Source(model.counters()))


def pipeline_at(hot):
    """A pipeline whose alarm and means have moved."""
    pipeline = fresh()
    for i in range(40):
        level = (i * 7919) % 100000 << i % 11 if hot else 0
        pipeline.score(array("i", [level] * len(pipeline.deltas)))
    return pipeline


def integers(pipeline):
    """All that a later verdict rests on."""
    alarm, quiet = pipeline.alarm, pipeline.quiet
    ring = alarm.horizons
    grades = bytes(ring.grades[ring.at :]) + bytes(ring.grades[: ring.at])
    told = alarm.active, alarm.latched, alarm.calm, alarm.hold, alarm.since, alarm.peak
    told += alarm.n_told, bytes(alarm.told), quiet.active, quiet.run, pipeline.index
    return told + (grades, bytes(ring.counts), bytes(state._sums(pipeline)))


def restored(path):
    pipeline = fresh()
    assert state.Keeper(path, b"").restore(pipeline)
    return pipeline


def test_state_outlives_a_reboot():
    """Wherever it is cut: calm and hot by turns, so that alarms are raised,
    grow, cool down and the device goes quiet.
    """
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = fresh()
    seen = set()
    for i in range(150):
        level = 0 if i % 50 > 30 else (i * 7919) % 100000 << i % 11
        deltas = array("i", [level] * len(before.deltas))
        before.score(deltas)
        if i % 9 == 0:
            state.Keeper(path, b"").save(before)
            after = restored(path)
            assert integers(after) == integers(before), i
            alarm = before.alarm
            if alarm.active:
                seen.add("active")
            for name in ("calm", "hold", "since", "n_told"):
                if getattr(alarm, name):
                    seen.add(name)
            if before.quiet.active:
                seen.add("quiet")
            if before.quiet.run:
                seen.add("run")
    assert len(seen) == 7, seen
    state.Keeper(path, b"").save(before)
    after = restored(path)
    for i in range(100):
        deltas = array("i", [i * 100 if i < 60 else 0] * len(before.deltas))
        assert before.score(deltas) == after.score(deltas) and bytes(before.x) == bytes(after.x), i
        assert (before.ae, before.svm, before.hot) == (after.ae, after.svm, after.hot)
        assert before.quiet.event == after.quiet.event


def test_what_was_on_ends_after_a_reboot_as_it_would_have_without():
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = pipeline_at(True)
    for on, level in ((before.alarm, 0), (before.quiet, 10**6)):
        assert on.active, "an alarm, and then the silence of its calm windows"
        state.Keeper(path, b"").save(before)
        after = restored(path)
        for _ in range(12):
            deltas = array("i", [level] * len(before.deltas))
            assert before.score(deltas) == after.score(deltas)
            assert integers(before) == integers(after)
        assert not on.active


def test_every_field_of_the_state_is_kept():
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = pipeline_at(True)
    model = before.model
    alarm, quiet = before.alarm, before.quiet
    alarm.calm, alarm.hold, alarm.since, alarm.peak = model.clear_after, model.warmup, 321, 54321
    alarm.told[:] = b"\x03\x00\xff\x07"
    alarm.n_told = 3
    quiet.run = model.quiet_after
    before.index = 1234567
    for active, latched, silent in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)):
        alarm.active, alarm.latched, quiet.active = bool(active), bool(latched), bool(silent)
        state.Keeper(path, b"").save(before)
        assert integers(restored(path)) == integers(before)
    alarm.since = 1 << 20
    state.Keeper(path, b"").save(before)
    assert restored(path).alarm.since == 0xFFFF, "an alarm may be on for longer than 16 bits say"


def test_a_device_that_has_raised_nothing_keeps_nothing_of_an_alarm():
    """Zeros, so that the record says no more than what happened."""
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    pipeline = fresh()
    state.Keeper(path, b"").save(pipeline)
    kept = record.Record(path, b"", b"INLT").read()
    _, _, flags, calm, hold, since, peak, run, n_told, told, *_ = struct.unpack_from(HEAD, kept, 0)
    assert hold == pipeline.model.warmup
    assert (flags, calm, since, peak, run, n_told, told) == (0, 0, 0, 0, 0, 0, bytes(4))


def test_of_a_kernel_s_memory_the_sums_alone_are_kept():
    if state is None:
        return "needs hashlib"
    pipeline = pipeline_at(True)
    assert len(bytes(state._sums(pipeline))) == 4 * pipeline.model.features


def test_the_known_hosts_of_a_source_are_kept():
    if state is None:
        return "needs hashlib"

    class Known(golden.Source):
        def __init__(self, counters, size=8):
            super().__init__(counters)
            self.known = bytearray(size)

    path = folder() + "/state"
    model = golden.model()
    before = Pipeline(model, Known(model.counters()))
    before.windows.source.known[:] = b"12345678"
    state.Keeper(path, b"").save(before)
    after = Pipeline(model, Known(model.counters()))
    assert state.Keeper(path, b"").restore(after) and after.windows.source.known == b"12345678"
    for size in (0, 7, 9):
        other = Pipeline(model, Known(model.counters(), size))
        assert not state.Keeper(path, b"").restore(other), size
        assert bytes(other.windows.source.known) == bytes(size)


# fields of the head by their places in it, and its sizes
HEAD = "<IIBBHHIBB4sHHH"
CALM, HOLD, PEAK, RUN, N_TOLD, GRADES, SUMS, HOSTS = 3, 4, 6, 7, 8, 10, 11, 12


def forged(kept, **changes):
    """What an attacker seals: fields of the head by their place, bytes of the
    body by theirs.
    """
    size = struct.calcsize(HEAD)
    head = list(struct.unpack_from(HEAD, kept, 0))
    body = bytearray(kept[size:])
    for place, value in changes.get("head", {}).items():
        head[place] = value
    for at, value in changes.get("body", {}).items():
        body[at : at + len(value)] = value
    return struct.pack(HEAD, *head) + bytes(body) + changes.get("more", b"")


def test_values_that_no_device_saves_are_refused_and_change_nothing():
    """A hold of days is an alarm that is switched off, a sum beyond its bound a
    score beyond its own.
    """
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = pipeline_at(True)
    before.alarm.latched = False  # of which alone another's state is believed
    state.Keeper(path, b"").save(before)
    kept = record.Record(path, b"", b"INLT").read()
    model = before.model
    grades = len(before.alarm.horizons.grades)
    sums = 4 * model.features
    hold = max(model.cooldown, model.warmup)
    run = max(model.quiet_after, model.clear_after)
    beyond = (1 << 30).to_bytes(4, "little")
    largest = ((1 << 30) - 1).to_bytes(4, "little")
    for what, good, changes in (
        ("nothing", True, {}),
        ("calm", True, {"head": {CALM: model.clear_after}}),
        ("calm", False, {"head": {CALM: model.clear_after + 1}}),
        ("hold", True, {"head": {HOLD: hold}}),
        ("hold", False, {"head": {HOLD: hold + 1}}),
        ("hold", False, {"head": {HOLD: 0xFFFF}}),
        ("peak", True, {"head": {PEAK: (1 << 30) - 1}}),
        ("peak", False, {"head": {PEAK: 1 << 30}}),
        ("run", True, {"head": {RUN: run}}),
        ("run", False, {"head": {RUN: run + 1}}),
        ("told", True, {"head": {N_TOLD: 4}}),
        ("told", False, {"head": {N_TOLD: 5}}),
        ("grade", True, {"body": {0: b"\x05"}}),
        ("grade", False, {"body": {0: b"\x06"}}),
        ("last grade", False, {"body": {grades - 1: b"\xff"}}),
        ("sum", True, {"body": {grades: largest}}),
        ("sum", False, {"body": {grades: beyond}}),
        ("last sum", False, {"body": {grades + sums - 4: beyond}}),
        ("negative sum", False, {"body": {grades: b"\xff\xff\xff\xff"}}),
        ("grades", False, {"head": {GRADES: grades - 1}}),
        ("grades", False, {"head": {GRADES: grades + 1, SUMS: sums - 1}}),
        ("sums", False, {"head": {SUMS: sums + 4}, "more": bytes(4)}),
        ("hosts", False, {"head": {HOSTS: 1}, "more": b"x"}),
        ("length", False, {"more": b"x"}),
    ):
        record.Record(path, b"", b"INLT").write(forged(kept, **changes))
        after = fresh()
        untouched = integers(after)
        assert state.Keeper(path, b"").restore(after) == good, (what, changes)
        if not good:
            assert integers(after) == untouched, (what, changes)
    for cut_off in (1, 4, sums, len(kept) - 5):
        record.Record(path, b"", b"INLT").write(kept[:-cut_off])
        after = fresh()
        assert not state.Keeper(path, b"").restore(after), cut_off


def test_state_of_another_model_leaves_only_the_latch():
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    state.Keeper(path, b"").save(pipeline_at(True))
    blob = bytearray(golden.blob())
    blob[200] ^= 1
    blob[-4:] = (crc32(blob[:-4]) & 0xFFFFFFFF).to_bytes(4, "little")
    other = Model(blob)
    after = Pipeline(other, golden.Source(other.counters()))
    sums = bytes(state._sums(after))
    assert not state.Keeper(path, b"").restore(after)
    assert after.alarm.latched and not after.alarm.active and after.index == -1
    assert bytes(state._sums(after)) == sums, "means of other features mean nothing here"
    assert not state.Keeper(path + ".none", b"").restore(after)


def test_an_alarm_that_a_full_flash_did_not_take_is_kept_once_there_is_room():
    if state is None:
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
    if state is None:
        return "needs hashlib"

    class Counted(state.Keeper):
        saves = 0

        def save(self, pipeline):
            self.saves += 1
            super().save(pipeline)

    keeper = Counted(folder() + "/state", b"", every=100)
    pipeline = pipeline_at(False)
    pipeline.alarm.active = pipeline.alarm.latched = pipeline.quiet.active = False
    for pipeline.index in range(300, 500):
        keeper.on_window(pipeline)
    assert keeper.saves == 2
    pipeline.index = 500
    pipeline.alarm.active = pipeline.alarm.latched = True
    keeper.on_window(pipeline)
    keeper.on_window(pipeline)
    assert keeper.saves == 3
    pipeline.quiet.active = True
    keeper.on_window(pipeline)
    keeper.on_window(pipeline)
    assert keeper.saves == 4, "and when it goes quiet"


def test_what_was_just_restored_is_not_written_again():
    if state is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = pipeline_at(True)
    state.Keeper(path, b"").save(before)
    keeper = state.Keeper(path, b"")
    after = fresh()
    assert before.alarm.active and keeper.restore(after)
    keeper.save = None
    keeper.on_window(after)


def test_unless_told_otherwise_state_is_written_every_360_windows():
    if state is None:
        return "needs hashlib"
    saved = []
    keeper = state.Keeper(folder() + "/state", b"")
    keeper.save = lambda pipeline: saved.append(pipeline.index)
    pipeline = fresh()
    for pipeline.index in range(721):
        keeper.on_window(pipeline)
    assert saved == [359, 719]
