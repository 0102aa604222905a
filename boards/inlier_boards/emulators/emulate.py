"""`inlier emulate`: a model scores recorded windows on an emulated board, by
the runtime that a real one would run.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_boards.build import micropython
from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.catalogue import Board, emulator
from inlier_boards.cost.bench import derived_ms
from inlier_boards.deployment import budget, payload
from inlier_boards.serial_line.connection import Connection
from inlier_export.errors import BadInput
from inlier_export.model_file import parsed
from inlier_export.reference import Ints, Trace
from inlier_trainer import scored
from inlier_trainer.recordings import Recording

from . import rp2040
from .emulator import COUNTING, DEVICE, emulated

BATCH_BYTES = 8192
MPY_6_3 = (1, 23)  # whose native code Debian's mpy-cross writes
NS_PER_CYCLE = 8  # of the Pico, at its 125 MHz, which rp2040py always runs at


@dataclass
class Emulation:
    """What the board said, a row a window; of one that was interrupted nothing.

    mismatches: windows in which the NumPy reference differs in any integer.
    cost: of each window, in instructions, or where the real firmware runs in
        nanoseconds of the guest's time.

    alarms: features (name, per cent) by window.
    heap: bytes in use before the first and after the last window.
    """

    board: Board
    kernel: str
    trace: Trace
    cost: Ints
    alarms: dict[int, list[tuple[str, int]]]
    heap: tuple[int, int]
    mismatches: int

    @property
    def windows(self) -> int:
        """Those that were scored."""
        return len(self.cost)

    def _costs(self) -> dict[str, object]:
        typical, most = int(np.median(self.cost)), int(self.cost.max())
        if self.board.rp2040:
            return {"window_ms": typical / 1e6, "window_ms_most": most / 1e6}
        return {
            "instructions_per_window": typical,
            "instructions_per_window_most": most,
            "window_ms_derived": derived_ms(typical, self.board),
        }

    def summary(self) -> dict[str, object]:
        return {
            "board": self.board.name,
            "kernel": self.kernel,
            **self._costs(),
            "heap_bytes_before": self.heap[0],
            "heap_bytes_after": self.heap[1],
            "alarms": [
                {"window": window, "features": features} for window, features in self.alarms.items()
            ],
            "mismatches": self.mismatches,
            "windows": [
                {"ae": int(ae), "svm": int(svm), "hot": bool(hot), "event": int(event)}
                for ae, svm, hot, event in zip(
                    self.trace.ae, self.trace.svm, self.trace.hot, self.trace.event, strict=True
                )
            ],
        }


def emulate(
    board: Board,
    blob: bytes,
    recording: Recording,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    say: Callable[[str], None] = lambda step: None,
    image: Path | None = None,
) -> Emulation:
    """Score a recording, from boot and again from boot after each interruption.

    image: the firmware of a board whose own is emulated. Raises BadInput.
    """
    if image and not board.rp2040:
        raise BadInput(f"--image: the firmware of {board.name} is built here: leave it out")
    timer, unit = (
        ("systick", NS_PER_CYCLE)
        if board.rp2040
        else (emulator(board).timer, emulator(board).instructions_per_tick)
    )
    file = parsed(blob)
    budget.check(board, file.model)
    runs = [_batches(np.minimum(run, DELTA_MAX)) for run in recording.runs]
    place = _real_firmware if board.rp2040 else _in_qemu
    said: list[list[str]] = []
    with place(board, blob, runs, image, say) as (device, windows):
        kernel = device.execute(f"import emulate; s = emulate.Scoring('/model', {timer!r})").strip()
        # what the first file costs the file system is not the runtime's
        before = int(device.execute(f"s.run({windows(b'', '/empty')!r}); s.heap()"))
        for i, batches in enumerate(runs):
            if i:
                device.execute("s.boot()")
            for j, rows in enumerate(batches):
                told = device.execute(f"s.run({windows(rows, _name(i, j))!r})")
                said += [line.split(" ") for line in told.splitlines()]
                progress(board.name, len(said), len(recording.windows))
        after = int(device.execute("s.heap()"))
    numbers = np.array([[int(word) for word in words[:6]] for words in said], np.int64)
    theirs = scored.run(file.detector, recording)
    whole = np.flatnonzero(recording.whole)
    names = ("ae", "svm", "hot", "event", "gone")
    ours = replace(theirs, **{name: getattr(theirs, name).copy() for name in names})
    for i, name in enumerate(names):
        getattr(ours, name)[whole] = numbers[:, i]
    same = np.all([getattr(ours, name) == getattr(theirs, name) for name in names], axis=0)
    alarms = {
        int(i): [_feature(word) for word in words[6:]]
        for i, words in zip(whole, said, strict=True)
        if words[3] == "1"
    }
    cost = np.rint(numbers[:, 5] * unit).astype(np.int64)
    return Emulation(board, kernel, ours, cost, alarms, (before, after), int((~same).sum()))


# Puts windows where the board finds them by the name, or by another: says
# which.
Windows = Callable[[bytes, str], str]


@contextlib.contextmanager
def _in_qemu(
    board: Board,
    blob: bytes,
    runs: list[list[bytes]],
    image: Path | None,
    say: Callable[[str], None],
) -> Iterator[tuple[Connection, Windows]]:
    """The runtime is in the firmware; windows come one batch at a time, into
    the RAM that they leave for it.
    """
    with emulated(board, say) as device:
        device.mount_for(blob)
        device.copy(*COUNTING, DEVICE / "emulate.py")
        device.write("/model", blob)

        def windows(rows: bytes, name: str) -> str:
            device.write("/windows", rows)
            return "/windows"

        yield device, windows


@contextlib.contextmanager
def _real_firmware(
    board: Board,
    blob: bytes,
    runs: list[list[bytes]],
    image: Path | None,
    say: Callable[[str], None],
) -> Iterator[tuple[Connection, Windows]]:
    """Runtime and windows are on the file system that it boots with."""
    there = rp2040.checked(board, image, say)
    files = {f"lib/{path}": content for path, content in _runtime(board, there, say).items()}
    files |= {path.name: path.read_bytes() for path in (*COUNTING, DEVICE / "emulate.py")}
    files |= {"model": blob, "empty": b""}
    for i, batches in enumerate(runs):
        files |= {_name(i, j)[1:]: rows for j, rows in enumerate(batches)}
    say(f"booting {there.path.name}")
    with rp2040.emulated(board, there, files) as (device, _):
        yield device, lambda rows, name: name


def _name(run: int, batch: int) -> str:
    return f"/windows/{run}_{batch}"


def _runtime(board: Board, image: rp2040.Image, say: Callable[[str], None]) -> dict[str, bytes]:
    paths = runtime_files(board.kernels, sources=("replay",))
    if image.version < MPY_6_3:
        return {str(path.relative_to(FIRMWARE)): path.read_bytes() for path in paths}
    return payload.compiled(micropython.mpy_cross(say), board.mpy_arch, paths)


def _batches(windows: Ints) -> list[bytes]:
    """Rows of 32-bit integers, in pieces of at most BATCH_BYTES."""
    rows = windows.astype("<i4")
    each = BATCH_BYTES // (rows.itemsize * rows.shape[1])
    return [rows[i : i + each].tobytes() for i in range(0, len(rows), each)]


def _feature(word: str) -> tuple[str, int]:
    name, _, share = word.rpartition("=")
    return name, int(share)
