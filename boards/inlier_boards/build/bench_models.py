"""The two models of the benchmark, with random integers: what they cost does
not depend on what they have learned.
"""

from collections.abc import Callable
from dataclasses import replace

from inlier.sockets import Sockets
from inlier_export.model_file import pack
from inlier_export.reference import NEVER, Detector
from inlier_export.synthetic import random_detector


def large() -> Detector:
    """115-16-4-16-115, as for the published experiment's 115 columns: rows."""
    return random_detector(1, (16, 4, 16), tuple(f"c{i}" for i in range(115)), (0,), (), True)


def device() -> Detector:
    """The fourteen counters of `sockets`, two means and two persistences of
    each, 56-16-56: what a device that counts for itself runs, all of its life
    but for an alarm.
    """
    detector = random_detector(1, (16,), Sockets.counters, (0, 3), (4, 7))
    never = tuple((k, n, NEVER) for k, n, _ in detector.horizons)
    return replace(detector, horizons=never, threshold_quiet=NEVER)


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
