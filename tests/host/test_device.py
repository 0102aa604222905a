"""The files of tests/device under CPython and Unix MicroPython: one test id each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from boards.micropython import find_or_build

ROOT = Path(__file__).parents[2]
FILES = sorted(path.stem for path in (ROOT / "tests/device").glob("test_*.py"))


@pytest.mark.parametrize("interpreter", ["cpython", "unix"])
@pytest.mark.parametrize("name", FILES)
def test_device(name: str, interpreter: str) -> None:
    command = sys.executable if interpreter == "cpython" else find_or_build()
    folders = [str(ROOT / "firmware"), str(ROOT / "tests/device"), ".frozen"]
    path = os.pathsep.join(folders)
    done = subprocess.run(
        [command, ROOT / "tests/device/run.py", name],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        timeout=300,
        check=False,
    )
    print(done.stdout, done.stderr)  # pytest shows it where the test fails
    last = done.stdout.strip().splitlines()[-1:]
    assert done.returncode == 0 and last and " 0 failed" in last[0]
    skipped = [line for line in done.stdout.splitlines() if line.startswith("skipped")]
    if skipped and last[0].startswith("0 passed"):
        pytest.skip("; ".join(skipped))
