"""Runs the kernel on QEMU's Xtensa core. Instructions are counted (-icount):
one takes 1,024 ns there, and the core's own counter of cycles ticks once in 64
ns, so that two readings say how many lay between, the same at every run.

dc232b is not the ESP32's LX6, but has all that mpy-cross emits for `xtensawin`
(windows, narrow instructions, 32-bit multiplication), and stricter memory: a
word that is not aligned is an exception.
"""

import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier.kernels import native
from inlier.model import Model
from inlier_boards.emulators.emulator import ANSWER_S
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from inlier_export.reference import Ints

from .program import (
    ARGUMENTS,
    AROUND,
    CALLED,
    FAULTED,
    RAM,
    RESET,
    RESULT,
    Program,
    program,
)

QEMU, PACKAGE = "qemu-system-xtensa", "qemu-system-misc"
MACHINE = ("-M", "sim", "-cpu", "dc232b", "-semihosting", "-icount", "shift=10")
SILENT = ("-display", "none", "-monitor", "none", "-serial", "none")
TICKS_PER_INSTRUCTION = 16
WINDOW_S = 1  # far more than any takes


@dataclass(frozen=True)
class Scored:
    """Of windows (n,): log features and inputs + 128 (n, features), the
    autoencoder's error, the score and the quiet score (n,).

    instructions: from `entry` to `retw` of each call, by function's name,
        (n,).
    """

    f: NDArray[np.uint16]
    x: NDArray[np.uint8]
    ae: Ints
    score: Ints
    quiet: Ints
    instructions: dict[str, Ints]


def score(functions: dict[str, bytes], model: Model, deltas: Ints) -> Scored:
    """functions: native_code.functions(); deltas (n, counters). Raises
    BadInput.
    """
    made = program(functions, model, deltas)
    said = run(made, ANSWER_S + WINDOW_S * len(deltas))
    if len(said) != made.answer_bytes * len(deltas):
        raise BadInput(
            f"{QEMU}: {len(said)} bytes of {made.answer_bytes * len(deltas)} came: report it"
        )
    answers = np.frombuffer(said, np.uint8).reshape(len(deltas), made.answer_bytes)
    results = answers[:, : RESULT.size].copy().view("<u4")
    work = answers[:, RESULT.size :]
    at = np.ascontiguousarray(work[0, : 4 * native.STATE]).view("<i4")
    logs_at, x_at, n = int(at[native.LOGS_AT]), int(at[native.X_AT]), model.features
    numbers = results.astype(np.int64)
    counted, rest = np.divmod(numbers[:, :3], TICKS_PER_INSTRUCTION)
    if rest.any():
        raise BadInput(f"{QEMU}: its clock is another than Debian's QEMU 7.2 has: report it")
    return Scored(
        work[:, logs_at : logs_at + 2 * n].copy().view("<u2"),
        work[:, x_at : x_at + n],
        numbers[:, 3],
        numbers[:, 4],
        numbers[:, 5],
        {name: counted[:, i] - AROUND for i, (name, _) in enumerate(ARGUMENTS)},
    )


def run(made: Program, limit_s: float) -> bytes:
    """What the program sends. Raises BadInput."""
    if not shutil.which(QEMU):
        raise BadInput(f"'{QEMU}' is needed: install it with 'apt-get install {PACKAGE}'")
    with tempfile.TemporaryDirectory() as folder:
        loaded: list[str | Path] = []
        for name, address, content in (("reset", RESET, made.reset), ("ram", 0, made.memory)):
            (Path(folder) / name).write_bytes(content)
            loaded += ["-device", f"loader,file={folder}/{name},addr={address:#x},force-raw=on"]
        try:
            done = subprocess.run(
                leashed([QEMU, *MACHINE, *SILENT, *loaded]),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BadInput(f"{QEMU}: ended, it did not answer within {limit_s:g} s") from None
    words = struct.unpack("<3I", done.stdout[-12:].rjust(12, b"\0"))
    if done.returncode == FAULTED:
        cause, at, address = words
        raise BadInput(
            f"{QEMU}: exception {cause} at {at - RAM:#x} of memory, address {address:#x}: report it"
        )
    if done.returncode == CALLED:
        raise BadInput(
            f"{QEMU}: the kernel called entry {words[0]} of MicroPython's mp_fun_table, which "
            f"is not there: report it"
        )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise BadInput(f"{QEMU}: exit code {done.returncode}; it last said: {last[-1]}")
    return done.stdout
