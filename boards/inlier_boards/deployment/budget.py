"""Whether a model fits a board: inlier guards an application, which needs the
memory more.
"""

from dataclasses import dataclass

from inlier.kernels import native
from inlier.model import Model
from inlier_boards.catalogue import Board
from inlier_export.errors import BadInput

SHARE = 4  # inlier may take a quarter of the board's heap, and a quarter of its flash
# modules, objects, horizons and counter names; measured on qemu_m0, see
# boards/BENCH.md
RUNTIME_HEAP_BYTES = 5632


@dataclass(frozen=True)
class Need:
    """Bytes.

    heap: with the model loaded from a file; one that is frozen into the
        firmware stays in flash.
    """

    heap: int
    flash: int


def need(model: Model) -> Need:
    work, _, _, _ = native.prepare(model)
    windows = 3 * 4 * len(model.counters())  # two readings and the deltas
    return Need(RUNTIME_HEAP_BYTES + len(work) + windows + model.bytes, model.bytes)


def check(board: Board, model: Model) -> None:
    """Raises BadInput, with the figures, for a model that the board has no room
    for.
    """
    needed = need(model)
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
