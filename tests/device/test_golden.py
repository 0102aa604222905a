"""Every kernel that loads here gives the golden integers; the steady path
allocates nothing.
"""

from array import array

import golden

from inlier.pipeline import Pipeline

try:
    import micropython
except ImportError:  # CPython
    micropython = None


def _kernel(name):
    try:
        return __import__("inlier.kernels." + name, None, None, (name,))
    except (ImportError, SyntaxError):
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
        assert (pipeline.ae, pipeline.svm, event) == (v["ae"][i], v["svm"][i], v["event"][i]), i


def test_plain():
    return _check("plain")


def test_thumb():
    return _check("thumb")


def test_viper():
    return _check("viper")


def test_array():
    return _check("array")


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
