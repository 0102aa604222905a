"""Files of the slots and of the state that an unprivileged writer made, where
the device was given the key of its models and nothing else.
"""

import struct
from array import array

import golden
from golden import KEY, folder, signed

try:
    from inlier.secure import authentic, keys, record, slots, state
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.model import ModelError
from inlier.pipeline import Pipeline

HEAD = "<IIBBHHIBB4sHHH"  # of a state: state.py says what is in it


def models():
    return slots.Slots(authentic.Authentic(KEY))


def refused(call, *arguments):
    try:
        call(*arguments)
    except ModelError as error:
        return str(error)
    return None


def pipeline_at():
    """One whose alarm and means have moved."""
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()))
    for i in range(40):
        pipeline.score(array("i", [(i * 7919) % 100000] * len(model.counters())))
    return pipeline


def forge(path, magic, payload, key=b""):
    for i in range(2):  # both files, the second with the higher sequence
        record.Record(path, key, magic).write(payload)


def restored(path, payload, key=b""):
    """(what restore gives, the pipeline) with this state under a fitting seal."""
    forge(path, b"INLT", payload, key)
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()))
    return state.Keeper(path, key).restore(pipeline), pipeline


def saved():
    path = folder() + "/state"
    state.Keeper(path, b"").save(pipeline_at())
    return record.Record(path, b"", b"INLT").read()


def test_a_record_without_the_models_key_neither_stops_the_model_nor_the_next():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    models().update(place, signed(golden.blob(), number=5))
    forge(place + "/slots", b"INLS", b"\x00" + b"\xff" * 40)
    assert models().load(place).source == "replay", "the model is signed: it runs"
    models().update(place, signed(golden.blob(), number=6))
    assert models()._current(place, None, None)[2] == 6


def test_a_record_of_another_length_or_slot_is_none():
    if authentic is None:
        return "needs hashlib"
    for payload in (b"", b"\x00", b"\x00" * 40, b"\x00" * 42, b"\xc8" + b"\x00" * 40, b"\x02" * 41):
        place = folder()
        forge(place + "/slots", b"INLS", payload, KEY)
        assert "nothing is there" in refused(models().load, place), payload
        models().update(place, signed(golden.blob()))
        assert models().load(place).source == "replay", payload


def test_a_sealed_state_is_no_record_of_slots():
    """One key seals both: what is ours in one place must not be in another."""
    if authentic is None:
        return "needs hashlib"
    place = folder()
    state.Keeper(place + "/state", KEY).save(pipeline_at())
    with open(place + "/state.0", "rb") as f:
        content = f.read()
    record.write_file(place + "/slots.0", content)
    assert models()._record(place).read() is None


def test_nobody_leaves_the_key_out_by_forgetting_it():
    if authentic is None:
        return "needs hashlib"
    for call in (lambda: slots.Slots(), lambda: state.Keeper("state")):
        try:
            call()
            raise AssertionError("a key was not asked for")
        except TypeError:
            pass
    assert models()._key == KEY
    assert slots.Slots(None)._key == b"", "unsigned models, and nobody who could sign"


def test_a_state_of_any_length_is_taken_up_or_refused():
    if authentic is None:
        return "needs hashlib"
    good = saved()
    path = folder() + "/forged"
    head = list(struct.unpack_from(HEAD, good, 0))
    for sizes in ((192, 1, 0), (192, 3, 0), (0, 0, 0), (192, 0, 3), (192, 7, 65), (65535,) * 3):
        head[10:] = sizes
        assert not restored(path, struct.pack(HEAD, *head) + bytes(min(sum(sizes), 400)))[0]
    for size in range(0, len(good), 7):
        assert not restored(path, good[:size])[0], size
    assert restored(path, good)[0]


def test_a_state_asks_for_no_more_time_without_alarms_than_the_model():
    if authentic is None:
        return "needs hashlib"
    good = saved()
    hold = struct.calcsize("<IIBB")
    taken, pipeline = restored(folder() + "/forged", good[:hold] + b"\xff\xff" + good[hold + 2 :])
    model = pipeline.model
    assert not taken and pipeline.alarm.hold == model.warmup <= max(model.cooldown, model.warmup)
    index = good[:4] + b"\xff\xff\xff\xff" + good[8:]
    taken, pipeline = restored(folder() + "/forged", index)
    pipeline.score(array("i", [0] * len(pipeline.model.counters())))
    assert taken and pipeline.index < 1 << 30, "a small int on every board, in years too"


class NoRoom:
    """Stands for `open` where a file is larger than the board's memory."""

    def __init__(self, name):
        self._name = name

    def __call__(self, path, mode):
        if path.endswith(self._name):
            raise MemoryError
        return open(path, mode)


def test_a_slot_too_large_to_read_leaves_the_other_one_to_run():
    if authentic is None:
        return "needs hashlib"
    place = folder()
    for number in (5, 6):
        models().update(place, signed(golden.blob(), number=number))
    record.open = NoRoom("slot.1")
    try:
        assert models()._current(place, None, None)[2] == 5
    finally:
        del record.open


def test_a_key_without_end_is_no_key():
    if authentic is None:
        return "needs hashlib"

    class Endless:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def read(self, size):  # asked for all of it, it would never return
            return "0" * size

    keys.open = lambda path: Endless()
    try:
        keys.from_file("/dev/zero")
        raise AssertionError("it was taken")
    except keys.KeyFault:
        pass
    finally:
        del keys.open
    path = folder() + "/key"
    with open(path, "w") as f:
        f.write("00" * 32 + "\r\n")
    assert keys.from_file(path) == bytes(32)
