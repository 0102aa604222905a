"""Plain C, which the kernels are compared with: an optimiser that left out what
is counted would flatter C.
"""

import os

import numpy as np
import pytest

from inlier_boards.build import bench_models
from inlier_boards.catalogue import names, read_board
from inlier_boards.cost import in_c
from inlier_export.errors import BadInput


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


def test_cmsis_nn_is_compared_with_where_it_is(monkeypatch, tmp_path):
    m33, riscv = read_board("qemu_m33"), read_board("qemu_rv32")
    monkeypatch.delenv("INLIER_CMSIS_NN", raising=False)
    assert in_c.cmsis_nn(m33) == []
    monkeypatch.setenv("INLIER_CMSIS_NN", str(tmp_path))
    with pytest.raises(BadInput, match=f"INLIER_CMSIS_NN={tmp_path}: there is no .*_s8.c: name"):
        in_c.cmsis_nn(m33)
    assert in_c.cmsis_nn(riscv) == [], "it is for Cortex-M"


@pytest.mark.boards("qemu_m33")
@pytest.mark.skipif("INLIER_CMSIS_NN" not in os.environ, reason="INLIER_CMSIS_NN names no CMSIS-NN")
def test_cmsis_nn_does_the_work():
    detector = bench_models.large()
    f = np.zeros(detector.features, np.int16)
    found = in_c.measure(read_board("qemu_m33"), detector, f)
    macs = sum(layer.weights.size for layer in detector.layers)
    assert 2 * macs < found.cmsis_nn < 20 * macs
