"""The files of tests/device under CPython, Unix MicroPython and the emulated
boards, a Pico's own firmware among them: one test id each.
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.build.micropython import find_or_build, mpy_cross
from inlier_boards.catalogue import names, read_board
from inlier_boards.deployment import payload
from inlier_boards.emulators import rp2040
from inlier_boards.emulators.emulator import emulated
from inlier_boards.leash import leashed
from tools_missing import needs_board

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "tests/device"
FILES = sorted(path.stem for path in DEVICE.glob("test_*.py"))
# Bytes of a board's RAM beside the files that it is sent, for folders and for
# what a test writes: what the disk takes, the heap lacks.
ROOM = 24576
# Where a file imports one of these, run.py would skip it on a bare board: which
# need not be started for that.
LACKS = "|".join(map(re.escape, runpy.run_path(str(DEVICE / "run.py"))["_PLATFORM"]))
NIGHTLY = "INLIER_NIGHTLY" in os.environ
BLOCK = 512
# Real firmware, a minute or many for each file of tests; those that run each
# day.
PICOS = [name for name in names() if read_board(name).rp2040]
EACH_DAY = [("test_counters", "pico"), ("test_replay", "pico")]
PICO_S = 3600
LOOPBACK = ("test_beside_native", "test_connection", "test_sockets")


def arguments(where: str, test: str) -> list[str]:
    """Of run.py, with the native code that must load there."""
    kernels = ("array", "plain") if where == "cpython" else read_board(where).kernels
    loops = [path.stem for path in runtime_files(kernels) if "sockets_" in path.stem]
    required = {
        "test_golden": kernels,
        "test_sockets_loops": [stem.partition("_")[2] for stem in loops],
    }.get(test)
    return [test, f"required={','.join(required)}"] if required else [test]


def on_this_machine(where: str, name: str, folder: Path) -> str:
    command = sys.executable if where == "cpython" else find_or_build()
    folders = [str(ROOT / "firmware"), str(DEVICE), ".frozen"]
    path = os.pathsep.join(folders)
    done = subprocess.run(
        leashed([command, DEVICE / "run.py", *arguments(where, name)]),
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def files_of(test: str) -> dict[str, bytes]:
    """What a board needs for a file of tests, by the path there."""
    golden, file = ROOT / "tests/golden", DEVICE / f"{test}.py"
    files = [
        DEVICE / "run.py",
        DEVICE / "golden.py",
        file,
        *DEVICE.glob("proc_net/*"),
        golden / "model.inlier",
    ]
    for beside in ("by_hand", "outcomes", "punctual", "torn"):
        if beside in file.read_text():
            files.append(DEVICE / f"{beside}.py")
    if (
        "vectors" in file.read_text()
    ):  # 19 KB, which take an emulated serial line longer than most tests
        files.append(golden / "vectors.json")
    return {f"/{path.relative_to(ROOT / 'tests')}": path.read_bytes() for path in files}


def started(given: list[str]) -> str:
    """Code that runs run.py on a board."""
    start = "import gc, os, sys; sys.path.append('/device'); os.chdir('/device'); "
    start += f"import run; run.main({given})"
    return f"{start}; import inlier; print(inlier.__file__)"


def on_board(name: str, test: str, runtime: dict[str, bytes] | None = None) -> str:
    """runtime: its modules' bytes by path, used instead of what the firmware
    has frozen.
    """
    with emulated(read_board(name)) as device:
        content = files_of(test) | (runtime or {})
        blocks = sum(-(-len(data) // BLOCK) for data in content.values())
        device.mount(ROOM + BLOCK * blocks)
        for folder in sorted(
            {str(parent) for path in content for parent in Path(path).parents} - {"/"}
        ):
            device.execute(f"import os; os.mkdir('{folder}')")
        for path, data in content.items():
            device.write(path, data)
        return device.execute(started(arguments(name, test)), limit_s=300)


def on_pico(name: str, test: str) -> str:
    """Runtime and tests on the firmware's own littlefs, made here."""
    board = read_board(name)
    runtime = runtime_files(board.kernels, secure=True, sinks=True, recorder=True)
    compiled = payload.compiled(mpy_cross(), board.mpy_arch, runtime)
    files = files_of(test) | {f"/lib/{path}": content for path, content in compiled.items()}
    with rp2040.emulated(board, rp2040.checked(board), files) as (guest, _):
        return guest.execute(started(arguments(name, test)), limit_s=PICO_S)


PLACES = [
    *("cpython", "unix", *names(emulated=True)),
    *(
        pytest.param(name, marks=[needs_board(name), pytest.mark.timeout(2 * PICO_S)])
        for name in PICOS
    ),
]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", FILES)
def test_device(name: str, where: str, tmp_path: Path) -> None:
    if where in PICOS:
        if name in LOOPBACK:
            pytest.skip("both its ends are here, and the firmware has no loopback interface")
        if not NIGHTLY and (name, where) not in EACH_DAY:
            pytest.skip("slow: run `make nightly`")
        said = on_pico(where, name)
    elif where in names(emulated=True):
        lacking = re.search(
            rf"^(?:import|from) ({LACKS})\b", (DEVICE / f"{name}.py").read_text(), re.M
        )
        if lacking:
            pytest.skip(f"{name} imports {lacking[1]}, which no bare board has")
        like = read_board(where).like
        if like and name != "test_golden" and not NIGHTLY:
            pytest.skip(f"only its kernel differs from {like}; run `make nightly`")
        said = on_board(where, name)
    else:
        said = on_this_machine(where, name, tmp_path)
    passed(said)


def passed(said: str) -> None:
    print(said)  # pytest shows it where the test fails
    last = [line for line in said.splitlines() if line.endswith("skipped") and " passed, " in line]
    assert last and " 0 failed" in last[0]
    skipped = [line for line in said.splitlines() if line.startswith("skipped")]
    if skipped and last[0].startswith("0 passed"):
        pytest.skip("; ".join(skipped))


@pytest.mark.parametrize("where", names(emulated=True))
def test_precompiled_files_on_a_board_give_the_golden_integers(where: str, tmp_path: Path) -> None:
    board = read_board(where)
    if board.like and not NIGHTLY:
        pytest.skip("slow: run `make nightly`")
    runtime = {}
    # A core without the DSP extension sees that it is, and takes the next one.
    others = ("dsp",) if board.mpy_arch == "armv7m" else ()
    for path in runtime_files((*others, *board.kernels), sources=()):
        out = tmp_path / "out.mpy"
        subprocess.run([mpy_cross(), f"-march={board.mpy_arch}", "-o", out, path], check=True)
        runtime[f"/device/{path.relative_to(FIRMWARE).with_suffix('.mpy')}"] = out.read_bytes()
    said = on_board(where, "test_golden", runtime)
    assert f"passed test_golden.test_{board.kernel}" in said and " 0 failed" in said, said
    assert ("passed test_golden.test_dsp" in said) == (board.kernel == "dsp"), said
    assert said.split()[-1] == "inlier/__init__.mpy", "the files, not what is frozen"
