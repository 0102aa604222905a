"""The files of tests/device under CPython, Unix MicroPython and the emulated
boards: one test id each.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inlier_boards.board import board, names
from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.build.micropython import find_or_build, mpy_cross
from inlier_boards.emulators.emulator import emulated
from tools_missing import missing

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "tests/device"
FILES = sorted(path.stem for path in DEVICE.glob("test_*.py"))
RAM_DISK = 90112


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


def on_board(name: str, test: str, runtime: dict[str, bytes] | None = None) -> str:
    """runtime: its modules' bytes by path, used instead of what the firmware
    has frozen.
    """
    golden, file = ROOT / "tests/golden", DEVICE / f"{test}.py"
    files = [
        DEVICE / "run.py",
        DEVICE / "golden.py",
        file,
        *DEVICE.glob("proc_net/*"),
        golden / "model.inlier",
    ]
    if (
        "vectors" in file.read_text()
    ):  # 29 KB, which take an emulated serial line longer than most tests
        files.append(golden / "vectors.json")
    with emulated(board(name)) as device:
        device.mount(RAM_DISK)
        content = {str(path.relative_to(ROOT / "tests")): path.read_bytes() for path in files} | (
            runtime or {}
        )
        for folder in sorted(
            {str(parent) for path in content for parent in Path(path).parents} - {"."}
        ):
            device.execute(f"import os; os.mkdir('/{folder}')")
        for path, data in content.items():
            device.write(f"/{path}", data)
        start = "import gc, os, sys; sys.path.append('/device'); os.chdir('/device'); "
        start += f"import run; run.main(['{test}'])"
        return device.execute(f"{start}; import inlier; print(inlier.__file__)", limit_s=300)


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


@pytest.mark.parametrize("where", names(emulated=True))
def test_precompiled_files_on_a_board_give_the_golden_integers(where: str, tmp_path: Path) -> None:
    if missing(where):
        pytest.skip(missing(where))
    runtime = {}
    for path in runtime_files(board(where).kernels):
        out = tmp_path / "out.mpy"
        subprocess.run(
            [mpy_cross(), f"-march={board(where).mpy_arch}", "-o", out, path], check=True
        )
        runtime[f"device/{path.relative_to(FIRMWARE).with_suffix('.mpy')}"] = out.read_bytes()
    said = on_board(where, "test_golden", runtime)
    assert f"passed test_golden.test_{board(where).kernel}" in said and " 0 failed" in said, said
    assert said.split()[-1] == "inlier/__init__.mpy", "the files, not what is frozen"
