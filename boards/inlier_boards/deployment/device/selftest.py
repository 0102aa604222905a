"""Scores windows with a model that was just copied and prints its integers, for
inlier_boards/deployment to compare.
"""

import gc
import sys
from array import array


def forget():
    """Modules of a runtime that ran before."""
    for name in list(sys.modules):
        if name.split(".")[0] == "inlier":
            del sys.modules[name]
    gc.collect()


class _NoSource:
    """The windows are handed to the pipeline."""

    def __init__(self, counters):
        self.counters = counters
        self.bits = 30

    def read(self, values):
        pass


class _Clock:
    """Microseconds: one unit a tick."""

    def __init__(self):
        from time import ticks_diff, ticks_us

        self._diff = ticks_diff
        self._now = ticks_us

    def start(self):
        self._start = self._now()

    def ticks(self):
        return self._diff(self._now(), self._start)


class SelfTest:
    """timer: an object with start() and ticks(), by default a clock."""

    def __init__(self, path, model_path, timer=None):
        forget()
        if path:
            sys.path.insert(0, path)
        before = gc.mem_alloc()
        from inlier import kernels
        from inlier.model import load
        from inlier.pipeline import Pipeline

        model = load(model_path)
        self._pipeline = Pipeline(model, _NoSource(model.counters()))
        gc.collect()
        self._timer = timer or _Clock()
        print(kernels.NAME, gc.mem_alloc() - before)

    def score(self, *rows):
        p = self._pipeline
        for row in rows:
            deltas = array("i", row)
            gc.collect()
            self._timer.start()
            event = p.score(deltas)
            ticks = self._timer.ticks()
            print(p.ae, p.svm, int(p.hot), event, ticks)


def end(path):
    if path in sys.path:
        sys.path.remove(path)
    forget()
