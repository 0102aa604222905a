"""A reboot changes no alarm that comes later, and state that doesn't fit is left
alone.
"""

import os

import golden

try:
    from inlier.secure import authentic, record, state
except ImportError:  # a MicroPython without hashlib
    authentic = None
from inlier.pipeline import Pipeline

FOLDER = "reboot.tmp"  # in .gitignore
KNOWN_BYTES = 16


class Knowing(golden.Source):
    """A source that remembers hosts, as `sockets` does."""

    def __init__(self, counters, known_bytes=KNOWN_BYTES):
        super().__init__(counters)
        self._known = bytearray(known_bytes)


def folder():
    """An empty one."""
    try:
        os.mkdir(FOLDER)
    except OSError:
        for name in os.listdir(FOLDER):
            os.remove(FOLDER + "/" + name)
    return FOLDER


def booted(known_bytes=KNOWN_BYTES):
    model = golden.model()
    model.alarm = (2, 4, 3, 4, 2)  # 2 of 4 raise, 3 quiet clear, 4 of cooldown, 2 of warm-up
    return Pipeline(model, Knowing(model.counters(), known_bytes))


def known(pipeline):
    return pipeline.windows._source._known


# Warm-up in windows 0 and 1; raised by 4 and 6, cleared in 9; cooldown to 13;
# raised by 14 and 15, held by 18, cleared in 21; raised by 26 and 27, the first
# after the cooldown.
SCRIPT = "xx.x..x...xxxxxx..x...xxxxxxx."


def test_a_reboot_after_any_window_changes_no_later_alarm():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    for cut in range(len(SCRIPT)):
        before = booted()
        for c in SCRIPT[:cut]:
            before.alarm.step(c == "x")
        state.Keeper(path).save(before)
        after = booted()
        assert state.Keeper(path).restore(after)
        assert after.alarm.active == before.alarm.active, cut
        expected = [before.alarm.step(c == "x") for c in SCRIPT[cut:]]
        assert [after.alarm.step(c == "x") for c in SCRIPT[cut:]] == expected, cut


def test_hosts_that_were_known_are_known_after_a_reboot():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    before = booted()
    known(before)[3] = 0x81
    state.Keeper(path).save(before)
    after = booted()
    assert state.Keeper(path).restore(after)
    assert known(after) == known(before), "else each of its own hosts is a new one again"


def test_state_of_a_source_with_another_memory_of_hosts_is_left_alone():
    if authentic is None:
        return "needs hashlib"
    path = folder() + "/state"
    state.Keeper(path).save(booted())
    for size in (KNOWN_BYTES // 2, 2 * KNOWN_BYTES):
        after = booted(size)
        known(after)[1] = 7
        assert not state.Keeper(path).restore(after), size
        assert len(known(after)) == size and known(after)[1] == 7, (
            "a memory of another size would be indexed beyond its end"
        )


def test_a_record_that_says_other_sizes_than_it_has_or_the_model_needs_is_left_alone():
    if authentic is None:
        return "needs hashlib"
    import struct

    path = folder() + "/state"
    before = booted()
    before.index = 77
    keeper = state.Keeper(path)
    keeper.save(before)
    whole = record.Record(path).read()
    size = struct.calcsize(state._HEAD)
    head = list(struct.unpack_from(state._HEAD, whole, 0))
    means, hosts = head[-2], head[-1]
    body = whole[size:]
    assert means == 4 * before.model.features, "an int32 a feature, and nothing of the kernel's own"
    for n_means, n_hosts, content in (
        (means, hosts, body[:-1]),
        (means, hosts, body + b"\0"),
        (means - 4, hosts, body[4:]),  # consistent in itself, of a model with fewer features
        (means + 4, hosts, bytes(4) + body),
        (means - 4, hosts + 4, body),  # the sum fits, its parts don't
    ):
        forged = struct.pack(state._HEAD, *(head[:-2] + [n_means, n_hosts])) + content
        record.Record(path).write(forged)
        after = booted()
        assert not state.Keeper(path).restore(after), (n_means, n_hosts, len(content))
        assert after.index == -1
    for short in (b"", whole[: size - 1], whole[:size]):
        record.Record(path).write(short)
        assert state.Keeper(path).restore(booted()) is False
    record.Record(path).write(whole)
    after = booted()
    assert state.Keeper(path).restore(after) and after.index == 77, "it is the sizes that were odd"


def test_means_that_no_kernel_can_hold_are_left_alone():
    """A kernel's sums stay below 2^31 because each mean is below 2^30."""
    if authentic is None:
        return "needs hashlib"
    import struct

    path = folder() + "/state"
    state.Keeper(path).save(booted())
    whole = record.Record(path).read()
    size = struct.calcsize(state._HEAD)
    last = size + struct.unpack_from(state._HEAD, whole, 0)[-2] - 4
    for at in (size, last):
        for mean, taken in ((0, True), ((1 << 30) - 1, True), (1 << 30, False), (-1, False)):
            forged = whole[:at] + struct.pack("<i", mean) + whole[at + 4 :]
            record.Record(path).write(forged)
            assert state.Keeper(path).restore(booted()) == taken, (at, mean)
