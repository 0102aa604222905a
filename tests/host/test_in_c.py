"""Plain C, which the kernels are compared with: an optimiser that left out what
is counted would flatter C.
"""

import numpy as np
import pytest

from inlier_boards.build import bench_models
from inlier_boards.catalogue import names, read_board
from inlier_boards.cost import in_c


@pytest.mark.parametrize("board", names(emulated=True))
@pytest.mark.parametrize("optimise", ["-O2", "-O3"])
def test_calls_cost_the_same_each_time_however_optimised(board, optimise):
    detector = bench_models.large()
    rng = np.random.default_rng(1)
    f = rng.integers(0, 400, detector.features).astype(np.int16)
    macs = sum(layer.weights.size for layer in detector.layers)
    once, often = (
        in_c.measure(read_board(board), detector, f, optimise, times) for times in (5, 50)
    )
    for name, least in (("as_written", macs), ("same_layout", macs), ("svm", detector.features)):
        cost = getattr(often, name)
        assert cost > 2 * least, (name, "no core does it with fewer instructions")
        assert getattr(once, name) == pytest.approx(cost, rel=0.02), name
