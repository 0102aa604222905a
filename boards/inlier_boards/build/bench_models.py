"""The two models of the benchmark, with random integers: what they cost does
not depend on what they have learned.
"""

from collections.abc import Callable

from inlier_export.model_file import pack
from inlier_export.reference import Detector
from inlier_export.synthetic import random_detector

KNOTS = (0, 63)


def large() -> Detector:
    """115-16-4-16-115, as for the published experiment's 115 columns, with the
    matching SVM.
    """
    return random_detector(1, (16, 4, 16), KNOTS, tuple(f"c{i}" for i in range(115)), (0,))


def device() -> Detector:
    """12 counters over three time scales, 36-16-36: what a device that counts
    for itself runs.
    """
    return random_detector(1, (16,), KNOTS, tuple(f"c{i}" for i in range(12)), (0, 2, 4))


MODELS: dict[str, Callable[[], Detector]] = {"LARGE": large, "DEVICE": device}


def module() -> str:
    """Source of the module that firmware freezes: each model's bytes and
    counter names, which then stay in flash.
    """
    lines = []
    for name, make in MODELS.items():
        detector = make()
        lines += [f"{name} = {pack(detector)!r}", f"{name}_COUNTERS = {detector.counters!r}"]
    return "\n".join(lines) + "\n"
