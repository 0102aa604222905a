"""Scores windows that the host sends as files, with the runtime as it is; one
line a window, for emulators/emulate.py.
"""

import gc
from array import array

import instructions

from inlier import kernels
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay

# Between collections, each of which takes longer than a window on a Pico.
WINDOWS = 8


class Batches(Replay):
    def follow(self, file):
        self._rows = self._read(file, array("i", bytes(4 * len(self.counters))))

    def _read(self, file, row):
        while file.readinto(row):
            yield row


class Scoring:
    def __init__(self, model_path, timer):
        self._model = load(model_path)
        self._timer = instructions.timer(timer)
        self.boot()
        print(kernels.NAME)

    def boot(self):
        self._source = self._pipeline = None  # there is room for one
        gc.collect()
        self._source = Batches((), self._model.counters())
        self._pipeline = Pipeline(self._model, self._source)

    def heap(self):
        gc.collect()
        print(gc.mem_alloc())

    def run(self, path):
        timer = self._timer
        p = self._pipeline
        step = p.step
        with open(path, "rb") as f:
            self._source.follow(f)
            n = 0
            while self._source.advance():
                if n % WINDOWS == 0:
                    gc.collect()  # no collection is counted
                n += 1
                timer.start()
                event = step()
                ticks = timer.ticks()
                print(
                    p.ae,
                    p.svm,
                    int(p.hot),
                    event,
                    p.quiet.event,
                    ticks,
                    *("%s=%d" % f for f in p.explain()) if event > 0 else (),
                )
