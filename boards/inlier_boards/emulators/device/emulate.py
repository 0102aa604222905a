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
        model = load(model_path)
        self._source = Batches((), model.counters())
        self._pipeline = Pipeline(model, self._source)
        self._timer = instructions.timer(timer)
        print(kernels.NAME)

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
