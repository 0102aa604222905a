"""Every kernel that loads here gives the golden integers; the steady path
allocates nothing.
"""

import struct
from array import array

import golden

from inlier.alarm import Alarm, Quiet
from inlier.counters import DELTA_MAX
from inlier.features import FULL_BITS, LEVEL_MAX, LOG_MAX
from inlier.kernels import chosen, native
from inlier.model import crc32
from inlier.pipeline import Pipeline

try:
    import micropython
except ImportError:  # CPython
    micropython = None


def sums(pipeline):
    """Each feature's damped sum, from the kernel's own memory."""
    state = getattr(pipeline.work, "state", None)
    if state is not None:
        return state
    return struct.unpack_from("<%di" % pipeline.model.features, pipeline.work, 4 * native.STATE)


def log_features(pipeline):
    """The low bits of their CRC-32, as the vectors have them."""
    packed = bytearray(2 * pipeline.model.features)
    for i in range(pipeline.model.features):
        struct.pack_into("<h", packed, 2 * i, pipeline.f[i])
    return crc32(packed) & DELTA_MAX


def _check(name):
    kernel = golden.kernel(name)
    if kernel is None:
        return "kernel '" + name + "' does not load on this interpreter"
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
    v = golden.vectors()
    for i in range(len(v["windows"])):
        event = pipeline.score(array("i", v["windows"][i]))
        assert crc32(bytes(pipeline.x)) & DELTA_MAX == v["x"][i], ("features", i)
        assert log_features(pipeline) == v["f"][i], ("log features", i)
        got = pipeline.ae, pipeline.svm, pipeline.quiet.score, event, pipeline.quiet.event
        want = v["ae"][i], v["svm"][i], v["quiet"][i], v["event"][i], v["gone"][i]
        assert got == want, (i, got, want)


def test_plain():
    return _check("plain")


def test_dsp():
    return _check("dsp")


def test_thumb():
    return _check("thumb")


def test_rv32():
    return _check("rv32")


def test_viper():
    return _check("viper")


def test_array():
    return _check("array")


def test_the_kernel_that_is_chosen_is_the_fastest_that_loads():
    assert chosen is next(golden.kernels())[1]


def test_the_largest_level_of_every_kernel_is_that_of_the_features():
    """Kernels write LEVEL_MAX out: their compilers take no name for it."""
    for name, kernel in golden.kernels():
        model = golden.model()
        pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
        pipeline.score(array("i", [DELTA_MAX] * len(model.counters())))
        # At time scale 0 a feature's state is the level itself.
        assert model.kinds[0][0] == 0
        states = sums(pipeline)
        levels = [states[i] for i in range(0, model.features, len(model.kinds))]
        assert max(levels) == LEVEL_MAX, (name, max(levels))
        assert max([pipeline.f[i] for i in range(model.features)]) == LOG_MAX, name
        # and what is not over it is not cut
        shifts = [8 - model.params[2 * c] for c in range(len(model.counters()))]
        most = [LEVEL_MAX >> shift if shift > 0 else LEVEL_MAX for shift in shifts]
        pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
        pipeline.score(array("i", most))
        for c in range(len(most)):
            level = most[c] << shifts[c] if shifts[c] > 0 else most[c] >> -shifts[c]
            assert sums(pipeline)[c * len(model.kinds)] == level, (name, c)


def test_a_burst_fills_a_window_of_a_persistence_once_however_large():
    """2^12 is a full window: what 2^cap events fill, 2^29 fill no further."""
    model = golden.model()
    counters = len(model.counters())
    kinds = len(model.kinds)
    at = model.means
    k = model.kinds[at][0]
    caps = [model.params[2 * c + 1] for c in range(counters)]
    for name, kernel in golden.kernels():
        found = []
        for extra in (0, DELTA_MAX):
            pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
            before = list(sums(pipeline))
            deltas = [min((1 << cap) + extra, DELTA_MAX) for cap in caps]
            pipeline.score(array("i", deltas))
            after = sums(pipeline)
            found.append([after[i] for i in range(at, model.features, kinds)])
        assert found[0] == found[1], name
        for c in range(counters):
            was = before[kinds * c + at]
            assert found[0][c] == was + (1 << FULL_BITS) - (was >> k), (name, c)
        pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
        pipeline.score(array("i", [1 << cap >> 1 for cap in caps]))
        after = sums(pipeline)
        for c in range(counters):
            was = before[kinds * c + at]
            half = 1 << FULL_BITS - 1 if caps[c] else 0  # half of one event is none
            assert after[kinds * c + at] == was + half - (was >> k), (name, c)


def test_a_delta_of_any_size_keeps_every_sum_and_score_in_31_bits():
    model = golden.model()
    counters = len(model.counters())
    for name, kernel in golden.kernels():
        pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
        largest = array("i", [DELTA_MAX] * counters)
        for _ in range(300):
            pipeline.score(largest)
        states = sums(pipeline)
        for i in range(model.features):
            assert 0 <= states[i] <= DELTA_MAX and 0 <= pipeline.f[i] <= LOG_MAX, (name, i)
        # a mean of the largest level, kept up, is that level: the sum of 2^k of
        # it
        for t in range(model.means):
            of_kind = range(t, model.features, len(model.kinds))
            top = max([states[i] >> model.kinds[t][0] for i in of_kind])
            assert top in (LEVEL_MAX, LEVEL_MAX - 1), (name, t, top)
        assert 0 <= pipeline.ae <= DELTA_MAX and 0 <= pipeline.svm <= DELTA_MAX


def _allocates(name):
    """Net and transient: with the heap locked, any allocation raises
    MemoryError.
    """
    kernel = golden.kernel(name)
    if micropython is None or kernel is None:
        return "needs MicroPython's heap_lock and kernel '" + name + "'"
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
    quiet = array("i", [0] * len(model.counters()))
    busy = array("i", [1000] * len(model.counters()))
    largest = array("i", [DELTA_MAX] * len(model.counters()))
    pipeline.step()
    micropython.heap_lock()
    try:
        for _ in range(20):
            pipeline.step()
            pipeline.score(quiet)
            pipeline.score(busy)
            pipeline.score(largest)
    finally:
        micropython.heap_unlock()


def test_plain_allocates_nothing():
    return _allocates("plain")


def test_dsp_allocates_nothing():
    return _allocates("dsp")


def test_rv32_allocates_nothing():
    return _allocates("rv32")


def test_thumb_allocates_nothing():
    return _allocates("thumb")


def test_viper_allocates_nothing():
    return _allocates("viper")


def test_the_dsp_extension_is_seen_in_the_core_s_registers():
    """What a core lacks is a fault there: words of CPUID, ID_ISAR2 and ID_ISAR3
    from its manual, None where reading it is not allowed.
    """
    kernel = golden.kernel("dsp")
    if kernel is None:
        return "kernel 'dsp' does not load on this interpreter"
    for core, cpuid, isar2, isar3, expected in (
        ("Cortex-M0+", 0x410CC601, None, None, False),
        ("Cortex-M23", 0x411CD200, None, None, False),
        ("Cortex-M3", 0x412FC231, 0x21112231, 0x01111110, False),
        ("Cortex-M4", 0x410FC241, 0x21232231, 0x01111131, True),
        ("Cortex-M4 of QEMU", 0x410FC240, 0x21112231, 0x01111110, True),
        ("Cortex-M7", 0x411FC272, 0x20232232, 0x01111131, True),
        ("Cortex-M33 of the RP2350", 0x411FD210, 0x20232232, 0x01111131, True),
        ("Cortex-M33 without it", 0x411FD210, 0x20112232, 0x01111110, False),
        ("half of it", 0x411FD210, 0x20232232, 0x01111110, False),
    ):
        words = {0xE000ED00: cpuid, 0xE000ED68: isar2, 0xE000ED6C: isar3}
        assert kernel.has_dsp(words.get) == expected, core


class Scripted:
    """A kernel whose scores are what a test says."""

    def __init__(self, kernel):
        self.prepare = kernel.prepare
        self.subtract = kernel.subtract
        self.scores = [0, 0]

    def features(self, deltas, params, work):
        pass

    def autoencoder(self, params, work):
        return 0

    def evidence(self, params, work, sums):
        sums[0], sums[1] = self.scores
        return sums[0] > sums[2] or sums[1] > sums[3]


def counted(step, of, asked):
    def call(*arguments):
        asked.append(of)
        return step(*arguments)

    return call


def test_a_calm_window_s_short_way_changes_no_verdict():
    """Where nothing is hot the alarm and quiet are not asked: held against ones
    that are asked in every window.
    """
    model = golden.model()
    kernel = Scripted(chosen)
    pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
    alarm = Alarm(model)
    quiet = Quiet(model, kernel.scores)
    hottest = max([limit for _, _, limit in model.horizons()]) + 1
    silent = model.threshold_quiet + 1
    windows = []  # each stretch: how many windows, score, quiet score
    for count, svm, low in (
        (6, 0, 0),
        (200, 0, 0),  # the longest horizon forgets
        (1, hottest, 0),
        (4, 0, 0),
        (9, hottest, 0),  # raised
        (3, 0, 0),
        (9, 4 * hottest, 0),  # grown
        (230, pipeline.least, 0),  # cleared, and calm for long: at the threshold is not over it
        (5, 0, silent),
        (1, 0, silent - 1),
        (20, 0, silent),  # quiet
        (3, hottest, silent),
        (3, 0, silent - 1),
        (250, 0, silent - 1),  # back
        (20, pipeline.least + 1, 0),
        (60, pipeline.least + 1, silent),
        (250, 0, 0),
    ):
        windows += [(svm, low)] * count
    deltas = array("i", [0] * len(model.counters()))
    asked = []
    for asks in (pipeline.alarm, pipeline.quiet):
        asks.step = counted(asks.step, asks, asked)
    idle = 0
    found = []
    for i in range(len(windows)):
        score, low = windows[i]
        idle += alarm.idle
        expected = []
        if low > quiet.threshold or not quiet.idle:
            expected.append(pipeline.quiet)
        if score > pipeline.least or not alarm.idle:
            expected.append(pipeline.alarm)
        kernel.scores[0], kernel.scores[1] = windows[i]
        event = pipeline.score(deltas)
        quiet.step()
        assert asked == expected, i
        del asked[:]
        assert event == pipeline.event == alarm.step(windows[i][0]), i
        assert pipeline.svm == windows[i][0], i
        assert (pipeline.quiet.event, pipeline.quiet.active) == (quiet.event, quiet.active), i
        assert pipeline.alarm.active == alarm.active and pipeline.hot == (
            windows[i][0] > pipeline.least
        )
        if event or quiet.event:
            found.append((event, quiet.event))
    assert idle > 200, "nothing went the short way"
    assert found[:6] == [(1, 0), (2, 0), (-1, 0), (0, 1), (1, 0), (0, -1)], found
