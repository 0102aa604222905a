"""The golden vectors' idea on a board: windows at the edges, scored there, must
give the reference's integers.
"""

from dataclasses import dataclass

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_boards.board import Board
from inlier_boards.serial_line.connection import Connection
from inlier_export import golden, reference
from inlier_export.errors import BadInput
from inlier_export.model_file import unpack
from inlier_trainer.progress import Progress

from .identify import DEVICE

ROWS_AT_ONCE = 4
LIMIT_S = 120  # the plain kernel on a slow board


@dataclass(frozen=True)
class SelfTest:
    """heap_bytes: runtime, model and work buffer; instructions of a window on
    emulated boards, ms on others (median).
    """

    kernel: str
    windows: int
    heap_bytes: int
    instructions: int | None
    ms: float | None


def run(
    connection: Connection, board: Board, blob: bytes, runtime: str, model: str, progress: Progress
) -> SelfTest:
    """With the runtime in the folder `runtime` ("": the one in use) and that
    model file. Raises BadInput where a number differs.
    """
    rows = np.minimum(golden.extremes(len(unpack(blob).counters)), DELTA_MAX)
    expected = reference.run(unpack(blob), rows)
    for name in ("selftest.py", *([TIMERS[board.emulator.timer][0]] if board.emulator else [])):
        connection.execute((DEVICE / name).read_text())
    timer = TIMERS[board.emulator.timer][1] if board.emulator else "None"
    kernel, heap = connection.execute(
        f"t = SelfTest({runtime!r}, {model!r}, {timer})", LIMIT_S
    ).split()
    said: list[list[int]] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        batch = ", ".join(str(tuple(map(int, row))) for row in rows[start : start + ROWS_AT_ONCE])
        lines = connection.execute(f"t.score({batch})", LIMIT_S).splitlines()
        said += [[int(word) for word in line.split()] for line in lines]
        progress("self-test", len(said), len(rows))
    connection.execute(f"del t\nend({runtime!r})")
    for i, (ae, svm, hot, event, _) in enumerate(said):
        theirs = (
            int(expected.ae[i]),
            int(expected.svm[i]),
            int(expected.hot[i]),
            int(expected.event[i]),
        )
        if (ae, svm, hot, event) != theirs:
            raise BadInput(
                f"{board.name}: self-test, window {i}: the board gives {(ae, svm, hot, event)}, "
                f"the reference {theirs}; "
                "nothing was replaced: report it with the board's firmware version"
            )
    ticks = float(np.median([row[4] for row in said]))
    if board.emulator:
        return SelfTest(
            kernel, len(rows), int(heap), round(ticks * board.emulator.instructions_per_tick), None
        )
    return SelfTest(kernel, len(rows), int(heap), None, ticks / 1000)


TIMERS = {"systick": ("instructions.py", "SysTick()"), "instret": ("instret.py", "InstRet()")}
