"""The golden vectors' idea on a board: windows at the edges, scored there, must
give the reference's integers.
"""

from dataclasses import dataclass

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_boards.catalogue import Board
from inlier_boards.emulators import emulator
from inlier_boards.serial_line.connection import Connection, understood
from inlier_export import golden, reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector
from inlier_trainer.progress import Progress

from .identify import DEVICE

ROWS_AT_ONCE = 4
LIMIT_S = 120  # the plain kernel on a slow board


@dataclass(frozen=True)
class SelfTested:
    """heap_bytes: runtime, model and work buffer; instructions of a window on
    emulated boards, ms on others (median).
    """

    kernel: str
    windows: int
    heap_bytes: int
    instructions: int | None
    ms: float | None


def run(
    connection: Connection,
    board: Board,
    detector: Detector,
    runtime: str,
    model: str,
    progress: Progress,
) -> SelfTested:
    """With the runtime in the folder `runtime` ("": the one in use) and the
    model file `model`, which is the detector's. Raises BadInput where a number
    differs.
    """
    rows = np.minimum(golden.extremes(len(detector.counters)), DELTA_MAX)
    expected = reference.run(detector, rows)
    scripts = [DEVICE / "selftest.py"]
    if board.emulator:
        scripts.append(emulator.DEVICE / TIMERS[board.emulator.timer][0])
    for script in scripts:
        connection.execute(script.read_text())
    timer = TIMERS[board.emulator.timer][1] if board.emulator else "None"
    printed = connection.execute(f"t = SelfTest({runtime!r}, {model!r}, {timer})", LIMIT_S)
    with understood(board.name):
        kernel, taken = printed.split()
        heap = int(taken)
    said: list[tuple[int, ...]] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        batch = ", ".join(str(tuple(map(int, row))) for row in rows[start : start + ROWS_AT_ONCE])
        lines = connection.execute(f"t.score({batch})", LIMIT_S).splitlines()
        with understood(board.name):
            for line in lines:
                ae, svm, hot, event, ticks = map(int, line.split())
                said.append((ae, svm, hot, event, ticks))
        progress("self-test", len(said), len(rows))
    connection.execute(f"del t\nend({runtime!r})")
    for i, (*given, _) in enumerate(said):
        theirs = (
            int(expected.ae[i]),
            int(expected.svm[i]),
            int(expected.hot[i]),
            int(expected.event[i]),
        )
        if tuple(given) != theirs:
            raise BadInput(
                f"{board.name}: self-test, window {i}: the board gives {tuple(given)}, "
                f"the reference {theirs}; "
                "nothing was replaced: report it with the board's firmware version"
            )
    median = float(np.median([row[4] for row in said]))
    if board.emulator:
        return SelfTested(
            kernel, len(rows), heap, round(median * board.emulator.instructions_per_tick), None
        )
    return SelfTested(kernel, len(rows), heap, None, median / 1000)


TIMERS = {"systick": ("instructions.py", "SysTick()"), "instret": ("instret.py", "InstRet()")}
