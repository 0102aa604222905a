"""The files of tests/device under CPython, Unix MicroPython and the emulated boards: one test id each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools_missing import missing

from boards.board import board, names
from boards.emulator import emulated
from boards.micropython import find_or_build

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "tests/device"
FILES = sorted(path.stem for path in DEVICE.glob("test_*.py"))
RAM_DISK = 65536


def on_this_machine(command: Path | str, name: str) -> str:
    folders = [str(ROOT / "firmware"), str(DEVICE), ".frozen"]
    path = os.pathsep.join(folders)
    done = subprocess.run(
        [command, DEVICE / "run.py", name],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def on_board(name: str, test: str) -> str:
    golden = ROOT / "tests/golden"
    files = [DEVICE / "run.py", DEVICE / "golden.py", DEVICE / f"{test}.py", *DEVICE.glob("proc_net/*")]
    files += [golden / "model.inlier", golden / "vectors.json"]
    with emulated(board(name)) as device:
        device.mount(RAM_DISK)
        for folder in ("device", "device/proc_net", "golden"):
            device.execute(f"import os; os.mkdir('/{folder}')")
        for path in files:
            device.write(f"/{path.relative_to(ROOT / 'tests')}", path.read_bytes())
        start = f"import gc, os, sys; sys.path.append('/device'); os.chdir('/device'); import run; run.main(['{test}'])"
        return device.execute(start, limit_s=300)


@pytest.mark.parametrize("where", ["cpython", "unix", *names(emulated=True)])
@pytest.mark.parametrize("name", FILES)
def test_device(name: str, where: str) -> None:
    if where in names(emulated=True):
        if missing(where):
            pytest.skip(missing(where))
        said = on_board(where, name)
    else:
        said = on_this_machine(sys.executable if where == "cpython" else find_or_build(), name)
    print(said)  # pytest shows it where the test fails
    last = [line for line in said.splitlines() if line.endswith("skipped") and " passed, " in line]
    assert last and " 0 failed" in last[0]
    skipped = [line for line in said.splitlines() if line.startswith("skipped")]
    if skipped and last[0].startswith("0 passed"):
        pytest.skip("; ".join(skipped))
