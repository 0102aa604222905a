"""Every kernel that loads here gives the golden integers; the steady path
allocates nothing.
"""

import struct
from array import array

import golden

from inlier.counters import DELTA_MAX
from inlier.features import LEVEL_MAX
from inlier.kernels import native
from inlier.pipeline import Pipeline

try:
    import micropython
except ImportError:  # CPython
    micropython = None


def _kernel(name):
    """None for one that this interpreter can't load, and isn't said to."""
    try:
        return __import__("inlier.kernels." + name, None, None, (name,))
    except (ImportError, SyntaxError) as error:
        # Of MicroPython's compiler: it knows no such decorator, or instruction.
        strange = isinstance(error, SyntaxError) and micropython is None
        if strange or name in golden.KERNELS:
            raise
        return None


def _check(name):
    kernel = _kernel(name)
    if kernel is None:
        return "kernel '" + name + "' does not load on this interpreter"
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
    v = golden.vectors()
    for i in range(len(v["windows"])):
        event = pipeline.score(array("i", v["windows"][i]))
        assert bytes(pipeline.x).hex() == v["x"][i], ("features", i)
        assert [pipeline.f[j] for j in range(model.features)] == v["f"][i], ("log features", i)
        got = pipeline.ae, pipeline.svm, pipeline.quiet.score, event, pipeline.quiet.event
        want = v["ae"][i], v["svm"][i], v["quiet"][i], v["event"][i], v["gone"][i]
        assert got == want, (i, got, want)


def test_plain():
    return _check("plain")


def test_thumb():
    return _check("thumb")


def test_viper():
    return _check("viper")


def test_array():
    return _check("array")


def test_the_largest_level_of_every_kernel_is_that_of_the_features():
    """Kernels write LEVEL_MAX out: their compilers take no name for it."""
    for name in ("plain", "array", "thumb", "viper"):
        kernel = _kernel(name)
        if kernel is None:
            continue
        model = golden.model()
        pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
        pipeline.score(array("i", [DELTA_MAX] * len(model.counters())))
        # At time scale 0 a feature's state is the level itself.
        assert model.scales[0] == 0
        state = getattr(pipeline.work, "state", None)
        if state is None:
            state = struct.unpack_from("<%di" % model.features, pipeline.work, 4 * native.STATE)
        levels = [state[i] for i in range(0, model.features, len(model.kinds))]
        assert max(levels) == LEVEL_MAX, (name, max(levels))


def _allocates(name):
    """Net and transient: with the heap locked, any allocation raises
    MemoryError.
    """
    kernel = _kernel(name)
    if micropython is None or kernel is None:
        return "needs MicroPython's heap_lock and kernel '" + name + "'"
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()), kernel)
    quiet = array("i", [0] * len(model.counters()))
    busy = array("i", [1000] * len(model.counters()))
    pipeline.step()
    micropython.heap_lock()
    try:
        for _ in range(20):
            pipeline.step()
            pipeline.score(quiet)
            pipeline.score(busy)
    finally:
        micropython.heap_unlock()


def test_plain_allocates_nothing():
    return _allocates("plain")


def test_thumb_allocates_nothing():
    return _allocates("thumb")


def test_viper_allocates_nothing():
    return _allocates("viper")
