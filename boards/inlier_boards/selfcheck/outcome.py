"""What a check found, and how its script of device/ gets to run on this
machine or on an emulated board.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inlier_boards.build.micropython import find_or_build, search_path
from inlier_boards.catalogue import names, read_board
from inlier_boards.emulators.emulator import Emulated, emulated
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput

CPYTHON, UNIX = "cpython", "unix"
# of Unix MicroPython, whose words are twice a board's: what needs more than a
# Pico has fails there too
HEAP = "256k"
LIMIT_S = 3600  # what takes longer hangs
DEVICE = Path(__file__).parent / "device"


@dataclass(frozen=True)
class Outcome:
    """tried, failed: of what the check counts.
    grown: bytes of heap, None where nothing is kept or nobody can tell.
    """

    check: str
    where: str
    tried: int
    failed: int
    first_failure: str = ""
    grown: int | None = None
    detail: str = ""

    @property
    def passed(self) -> bool:
        return not self.failed and not self.grown


def is_board(where: str) -> bool:
    return where in names(emulated=True)


def interpreter(where: str) -> str:
    """Raises BadInput for a place that nobody knows."""
    if where == CPYTHON:
        return sys.executable
    if where == UNIX:
        return str(find_or_build())
    raise BadInput(
        f"no place '{where}' to check: choose one of "
        f"{', '.join((CPYTHON, UNIX, *names(emulated=True)))}"
    )


def environment() -> dict[str, str]:
    path = search_path()
    return {**os.environ, "MICROPYPATH": path, "PYTHONPATH": path}


def command(where: str, script: str, *arguments: object) -> list[str]:
    heap = ["-X", f"heapsize={HEAP}"] if where == UNIX else []
    return [interpreter(where), *heap, str(DEVICE / script), *map(str, arguments)]


def lines_of(where: str, script: str, *arguments: object) -> list[str]:
    """What the script printed on this machine. Raises BadInput when it crashed
    or hung.
    """
    run = command(where, script, *arguments)
    try:
        done = subprocess.run(
            leashed(run),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"{script} on {where}: no answer in {LIMIT_S} s; it hangs") from None
    if done.returncode:
        raise BadInput(
            f"{script} on {where}: exit {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[-300:]}"
        )
    return done.stdout.splitlines()


@contextmanager
def on_board(where: str, script: str, model: bytes) -> Iterator[Emulated]:
    """A board with the script in its path and the model file /model. Raises
    BadInput.
    """
    with emulated(read_board(where)) as device:
        device.mount_for(model)
        device.copy(DEVICE / script)
        device.write("/model", model)
        yield device


def steps(count: int, size: int) -> Iterator[int]:
    for at in range(0, count, size):
        yield min(size, count - at)


def in_parts(
    where: str,
    module: str,
    model: bytes,
    prepare: str,
    call: str,
    seed: int,
    count: int,
    per_call: int,
    per_process: int,
) -> Iterator[dict[str, Any]]:
    """What `count` trials with the script `module` tell, a JSON object a line:
    per_process of them in each process on this machine, as `module.py MODEL
    SEED COUNT`; on a board per_call in each `call`, which is given seed and
    count, after `prepare`. Raises BadInput.
    """
    if is_board(where):
        with on_board(where, f"{module}.py", model) as board_line:
            board_line.execute(prepare)
            for i, n in enumerate(steps(count, per_call)):
                yield from map(
                    json.loads,
                    board_line.execute(call.format(seed + i, n), limit_s=LIMIT_S).splitlines(),
                )
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = model_file(folder, model)
            for i, n in enumerate(steps(count, per_process)):
                yield from map(json.loads, lines_of(where, f"{module}.py", path, seed + i, n))


@contextmanager
def device_path() -> Iterator[None]:
    """Lets a script of device/ be imported: its formulas are the host's
    reference too.
    """
    sys.path.insert(0, str(DEVICE))
    try:
        yield
    finally:
        sys.path.remove(str(DEVICE))


def model_file(folder: str, blob: bytes) -> Path:
    path = Path(folder) / "model"
    path.write_bytes(blob)
    return path
