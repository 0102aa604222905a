"""`inlier bench`: instructions, heap and flash of the runtime on the emulated boards, the same at every run."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export import reference
from export.reference import Detector
from trainer.errors import BadInput

from . import bench_models, c_baseline
from .board import Board, board, names
from .emulator import DEVICE, emulated
from .firmware import build

BASELINE_BOARD = "qemu_m0"
TIMES = {"thumb": 20, "viper": 20, "plain": 2}
# Loads and stores take two cycles on a Cortex-M0+ and taken branches two, the rest one (ARM DDI 0484C, table 3-1): with
# the runtime's mixture 1.4. Assumed for the others too.
CYCLES_PER_INSTRUCTION = 1.4
TABLE = Path(__file__).parent / "BENCH.md"


@dataclass
class Measured:
    """Of one model with one kernel: instructions of one call each; bytes of heap for runtime and model, taken for the
    time of a window, and kept by one."""

    features: float
    autoencoder: float
    svm: float
    window: float
    heap: int
    transient: int
    kept: int


@dataclass
class Result:
    """of: by name in bench_models. baseline: instructions of autoencoder and SVM in C, where that was measured."""

    board: Board
    kernel: str
    of: dict[str, Measured]
    frozen_bytes: int
    baseline: tuple[float, float] | None

    def summary(self) -> dict[str, object]:
        large, device = self.of["LARGE"], self.of["DEVICE"]
        score = large.autoencoder + large.svm
        row: dict[str, object] = {
            "board": self.board.name,
            "kernel": self.kernel,
            "instructions_per_mac": round(large.autoencoder / macs(bench_models.large()), 2),
            "instructions_per_autoencoder_score": round(large.autoencoder),
            "instructions_per_svm_score": round(large.svm),
            "instructions_per_score": round(score),
            "instructions_per_feature": round(device.features / bench_models.device().features),
            "instructions_per_window": round(device.window),
            "window_ms_derived": round(device.window * CYCLES_PER_INSTRUCTION / self.board.clock_hz * 1000, 3),
            "heap_bytes": large.heap,
            "heap_bytes_device_model": device.heap,
            "heap_kept_by_a_window_bytes": max(large.kept, device.kept),
            "heap_peak_of_a_window_bytes": max(large.transient, device.transient),
            "flash_bytes": self.frozen_bytes,
        }
        if self.baseline:
            row["ratio_to_c"] = round(score / sum(self.baseline), 2)
        return row


def macs(detector: Detector) -> int:
    return sum(layer.weights.size for layer in detector.layers)


def measure(name: str, progress: Callable[[str, int, int], None] = lambda stage, done, total: None) -> list[Result]:
    """All kernels of an emulated board. Raises BadInput."""
    place = board(name)
    qemu = place.emulator
    if qemu is None:
        raise BadInput(f"board '{name}' is no emulated one: choose from {', '.join(names(emulated=True))}")
    total = len(place.kernels) * len(bench_models.MODELS)
    progress(name, 0, total)
    frozen = build(place)
    baseline = None
    if name == BASELINE_BOARD:
        detector = bench_models.large()
        x = reference.run(detector, np.asarray([[37 * i for i in range(len(detector.counters))]])).x[0]
        baseline = c_baseline.measure(place, detector, x)
    results = []
    done = 0
    for kernel in place.kernels:
        measured: dict[str, Measured] = {}
        for model in bench_models.MODELS:
            with emulated(place) as device:  # each from boot: what one leaves in memory is no other's
                device.mount(16384)
                for script in ("instructions.py", "bench.py"):
                    device.write(f"/{script}", (DEVICE / script).read_bytes())
                arguments = (model, kernel, qemu.timer, qemu.instructions_per_tick, TIMES[kernel])
                said = device.execute(f"import bench; bench.main(*{arguments!r})")
                measured[model] = Measured(**json.loads(said))
            done += 1
            progress(name, done, total)
        results.append(Result(place, kernel, measured, frozen.frozen_bytes, baseline))
    return results
