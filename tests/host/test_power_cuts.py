"""Power cuts at every write of a real littlefs, under Unix MicroPython."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from inlier_boards.build.micropython import find_or_build
from inlier_boards.deployment.identify import DEVICE
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.micropython
# What at least is written; fewer would not be this operation.
KINDS = {"Update": 6, "State": 2, "Rows": 12, "Alarms": 12, "Install": 6}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_whole_whenever_the_power_fails(kind, tmp_path):
    """Of a model's update, the state, the ring of windows, the log of alarms
    and a runtime's upgrade.
    """
    d = random_detector(3, (8,), counters=("a", "b", "c"))
    for name, number in (("one", 1), ("other", 2)):
        (tmp_path / name).write_bytes(pack(replace(d, number=number, warmup=5 + number)))
    done = subprocess.run(
        [find_or_build(), ROOT / "tests/device/power_cuts.py", kind]
        + [tmp_path / "one", tmp_path / "other"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "MICROPYPATH": os.pathsep.join([str(ROOT / "firmware"), str(DEVICE), ".frozen"]),
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    # A file that was open when the power failed is closed once more by a
    # garbage collection, which complains: of a file system that is no longer
    # there.
    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.startswith("wrong")]
    assert int(lines[-1].split()[0]) >= KINDS[kind]
