"""`inlier emulate`: a model scores recorded windows on an emulated board, by
the runtime that a real one would run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_boards.catalogue import Board, emulator
from inlier_boards.cost.bench import derived_ms
from inlier_boards.deployment import budget
from inlier_export.model_file import parsed
from inlier_export.reference import Ints, Trace
from inlier_trainer import scored
from inlier_trainer.recordings import Recording

from .emulator import COUNTING, DEVICE, emulated

BATCH_BYTES = 8192
RAM_DISK_SPARE_BYTES = 24576  # beside the model: scripts, a batch, and what littlefs takes


@dataclass
class Emulation:
    """What the board said, a row a window; of one that was interrupted nothing.
    mismatches: windows in which the NumPy reference differs in any integer.

    alarms: features (name, per cent) by window. heap: bytes in use before the
    first and after the last window.
    """

    board: Board
    kernel: str
    trace: Trace
    instructions: Ints
    alarms: dict[int, list[tuple[str, int]]]
    heap: tuple[int, int]
    mismatches: int

    @property
    def windows(self) -> int:
        """Those that were scored."""
        return len(self.instructions)

    def summary(self) -> dict[str, object]:
        typical, most = int(np.median(self.instructions)), int(self.instructions.max())
        return {
            "board": self.board.name,
            "kernel": self.kernel,
            "instructions_per_window": typical,
            "instructions_per_window_most": most,
            "window_ms_derived": derived_ms(typical, self.board),
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
) -> Emulation:
    """Score a recording, from boot and again from boot after each interruption.
    Raises BadInput.
    """
    qemu = emulator(board)
    file = parsed(blob)
    budget.check(board, file.model)
    said: list[list[str]] = []
    with emulated(board, say) as device:
        device.mount(-(-len(blob) // 512) * 512 + RAM_DISK_SPARE_BYTES)
        device.copy(*COUNTING, DEVICE / "emulate.py")
        device.write("/model", blob)
        kernel = device.execute(
            f"import emulate; s = emulate.Scoring('/model', {qemu.timer!r})"
        ).strip()
        device.write(
            "/windows", b""
        )  # what the first file costs the file system is not the runtime's
        before = int(device.execute("s.run('/windows'); s.heap()"))
        for i, run in enumerate(recording.runs):
            if i:
                device.execute("s.boot()")
            for rows in _batches(np.minimum(run, DELTA_MAX)):
                device.write("/windows", rows)
                told = device.execute("s.run('/windows')")
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
    instructions = np.rint(numbers[:, 5] * qemu.instructions_per_tick).astype(np.int64)
    return Emulation(board, kernel, ours, instructions, alarms, (before, after), int((~same).sum()))


def _batches(windows: Ints) -> list[bytes]:
    """CSV lines in pieces of at most BATCH_BYTES."""
    pieces = [b""]
    for row in windows:
        line = ",".join(map(str, row)).encode() + b"\n"
        if len(pieces[-1]) + len(line) > BATCH_BYTES:
            pieces.append(b"")
        pieces[-1] += line
    return pieces


def _feature(word: str) -> tuple[str, int]:
    name, _, share = word.rpartition("=")
    return name, int(share)
