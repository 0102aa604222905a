"""What the kernel takes on the ESP32's instruction set, without MicroPython
around it.
"""

from dataclasses import dataclass

import numpy as np

from inlier.model import Model
from inlier_boards.build import bench_models
from inlier_boards.emulators.xtensa import core, native_code
from inlier_export.model_file import pack
from inlier_export.reference import Detector

NAME, KERNEL = "xtensa", "viper"
WINDOWS = 21  # the first, from boot, is not counted


@dataclass(frozen=True)
class Alone:
    """Instructions of a call, `entry` to `retw`: of the 115-input model's
    autoencoder and one-class SVM, and of the device's features; what converts
    arguments is a stub of two instructions.
    """

    autoencoder: float
    evidence: float
    features: float


def measure() -> Alone:
    """Raises BadInput."""
    functions = native_code.functions()
    large = _counted(functions, bench_models.large())
    device = _counted(functions, bench_models.device())
    return Alone(large["autoencoder"], large["evidence"], device["features"])


def _counted(functions: dict[str, bytes], detector: Detector) -> dict[str, float]:
    deltas = np.asarray([[37 * i for i in range(len(detector.counters))]] * WINDOWS)
    counted = core.score(functions, Model(pack(detector)), deltas).instructions
    return {name: float(calls[1:].mean()) for name, calls in counted.items()}
