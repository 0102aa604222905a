"""Whether a model fits a board: inlier guards an application, which needs the
memory more.
"""

from dataclasses import dataclass

from inlier.kernels import native
from inlier.model import Model
from inlier_boards.board import Board
from inlier_export.errors import BadInput

SHARE = 4  # inlier may take a quarter of the board's heap, and a quarter of its flash
RUNTIME_HEAP_BYTES = (
    4096  # modules, objects and counter names; measured on qemu_m0, see boards/BENCH.md
)


@dataclass(frozen=True)
class Need:
    """Bytes. heap: with the model loaded from a file; one that is frozen into
    the firmware stays in flash.
    """

    heap: int
    flash: int


def need(blob: bytes) -> Need:
    model = Model(blob)
    work, _, _ = native.prepare(model)
    windows = 3 * 4 * len(model.counters())  # two readings and the deltas
    return Need(RUNTIME_HEAP_BYTES + len(work) + windows + len(blob), len(blob))


def check(board: Board, blob: bytes) -> None:
    """Raises BadInput, with the figures, for a model that the board has no room
    for.
    """
    needed = need(blob)
    for what, bytes_needed, total in (
        ("heap", needed.heap, board.heap_bytes),
        ("flash", needed.flash, board.flash_bytes),
    ):
        if total and bytes_needed > total // SHARE:
            raise BadInput(
                f"the model needs {bytes_needed} bytes of {what}, {board.name} has "
                f"{total // SHARE} for it "
                f"(a quarter of {total}): train with fewer counters or a smaller --hidden"
            )
