"""Measures one model of the benchmark with one kernel; prints JSON.
Instructions are counted by instructions.py's timer.
"""

import gc
import json
from array import array

import bench_models
import instructions
import micropython

gc.collect()
_before = gc.mem_alloc()

from inlier.model import Model
from inlier.pipeline import Pipeline

gc.collect()
_imported = gc.mem_alloc() - _before


class Source:
    """Counters of a model that `sockets` does not supply; they move by the
    same steps in every window.
    """

    name = "replay"
    bits = 30

    def __init__(self, counters):
        self.counters = counters
        self._totals = [0] * len(counters)

    def read(self, values):
        totals = self._totals
        for i in range(len(totals)):
            totals[i] = totals[i] + 37 * i & 0x3FFFFFFF
            values[i] = totals[i]


def main(name, kernel_name, timer, instructions_per_tick, times):
    source = Source(getattr(bench_models, name + "_COUNTERS"))
    gc.collect()
    before = gc.mem_alloc()
    kernel = __import__("inlier.kernels." + kernel_name, None, None, (kernel_name,))
    pipeline = Pipeline(Model(getattr(bench_models, name)), source, kernel)
    gc.collect()
    heap = _imported + gc.mem_alloc() - before

    timer = instructions.timer(timer)

    def cost(call, arguments, n=times):
        empty = (
            instructions.empty0,
            instructions.empty1,
            instructions.empty2,
            instructions.empty3,
        )[len(arguments)]
        ticks = instructions.ticks(timer, call, arguments, n) - instructions.ticks(
            timer, empty, arguments, n
        )
        return ticks * instructions_per_tick / n

    pipeline.step()
    deltas = array("i", pipeline.deltas)
    sums = array("i", pipeline._sums)
    params, work = pipeline._params, pipeline.work
    # The most that a window takes from the heap while it is scored: a large
    # block reaches for a new peak first.
    gc.collect()
    block = bytearray(micropython.mem_peak() - micropython.mem_current() + 64)
    peak = micropython.mem_peak()
    pipeline.step()
    transient = micropython.mem_peak() - peak
    del block
    before = gc.mem_alloc()
    pipeline.step()
    kept = gc.mem_alloc() - before
    found = {
        "features": cost(kernel.features, (deltas, params, work)),
        "autoencoder": cost(kernel.autoencoder, (params, work)),
        "evidence": cost(kernel.evidence, (params, work, sums)),
        "scored": cost(pipeline.score, (deltas,)),
        "heap": heap,
        "transient": transient,
        "kept": kept,
    }
    if name == "DEVICE":
        import bench_sockets

        found.update(bench_sockets.counted(kernel, cost, max(2, times // 4)))
    print(json.dumps(found))
