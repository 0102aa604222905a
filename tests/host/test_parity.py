"""Four implementations, equal integers: NumPy reference, CPython, Unix
MicroPython with plain and with viper.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inlier_boards.build.micropython import find_or_build
from inlier_boards.catalogue import names, read_board
from inlier_boards.emulators.emulate import emulate
from inlier_export import reference
from inlier_export.model_file import pack
from inlier_export.synthetic import COUNTERS, extreme_windows, random_detector, with_thresholds
from inlier_trainer.recordings import Recording

ROOT = Path(__file__).parents[2]
WINDOWS = 10_000


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A random model, 10,000 windows with extremes among them, and the
    reference's lines for them.
    """
    folder = tmp_path_factory.mktemp("parity")
    detector = random_detector(3)
    (folder / "model").write_bytes(pack(detector))
    deltas = extreme_windows(5, WINDOWS)
    trace = reference.run(detector, deltas)
    detector = with_thresholds(detector, trace)
    (folder / "model").write_bytes(pack(detector))
    trace = reference.run(detector, deltas)
    np.savetxt(folder / "windows.csv", deltas, "%d", ",", header=",".join(COUNTERS), comments="")
    columns = trace.ae, trace.svm, trace.quiet, trace.hot.astype(int), trace.event, trace.gone
    lines = [
        " ".join([x.tobytes().hex(), *map(str, numbers)])
        for x, numbers in zip(trace.x, np.stack(columns, axis=1).tolist(), strict=True)
    ]
    assert 0.2 < trace.hot.mean() < 0.9
    for events, kinds in ((trace.event, (1, 2, -1)), (trace.gone, (1, -1))):
        assert all((events == kind).sum() > 3 for kind in kinds), "a rule that never decides"
    return folder, lines, deltas


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interpreter", "kernel"),
    [
        ("cpython", "plain"),
        ("cpython", "array"),
        ("micropython", "plain"),
        ("micropython", "viper"),
        ("micropython", "array"),
    ],
)
def test_every_implementation_gives_the_reference_s_integers(case, interpreter, kernel):
    folder, expected, _ = case
    command = sys.executable if interpreter == "cpython" else find_or_build()
    if (interpreter, kernel) == ("micropython", "array"):
        tried = subprocess.run([command, "-c", "import ulab"], capture_output=True, check=False)
        if tried.returncode:
            pytest.skip("this MicroPython has no ulab: MICROPYTHON= may name one that has")
    path = os.pathsep.join([str(ROOT / "firmware"), ".frozen"])
    done = subprocess.run(
        [
            command,
            ROOT / "tests/device/parity.py",
            kernel,
            folder / "model",
            folder / "windows.csv",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout[-500:]
    got = done.stdout.split("\n")[:-1]
    differing = [i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if a != b]
    assert not differing, f"{len(differing)} windows differ, the first at {differing[0]}"


@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.boards(name)) for name in names(emulated=True)]
)
def test_every_emulated_board_gives_the_reference_s_integers(case, name):
    """With the kernel that it chooses, over the same 10,000 windows."""
    folder, _, deltas = case
    said = emulate(read_board(name), (folder / "model").read_bytes(), Recording(COUNTERS, deltas))
    assert said.mismatches == 0, f"{name}, kernel {said.kernel}"
    assert len(said.trace.ae) == WINDOWS


def test_golden_files_are_what_the_reference_gives():
    sys.path.insert(0, str(ROOT / "tests/golden"))
    from make import contents

    for name, content in contents().items():
        assert (ROOT / "tests/golden" / name).read_bytes() == content, (
            f"{name}: run tests/golden/make.py and say why"
        )
