"""Scores windows that the host sends as files, with the runtime as it is; one
line a window, for emulators/emulate.py.
"""

import gc

import instructions

from inlier import kernels
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay


class Batches(Replay):
    def follow(self, rows):
        self._rows = iter(rows)


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
        with open(path) as f:
            self._source.follow(f)
            while self._source.advance():
                gc.collect()  # no collection is counted
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
