"""What a model costs on each board: memory from the boards' facts, time from
the committed bench table.
"""

from dataclasses import dataclass

from inlier.model import Model
from inlier.procfs import Procfs
from inlier.replay import Replay
from inlier_boards.catalogue import Board, names, read_board
from inlier_boards.cost import bench, xtensa
from inlier_boards.cost.table import COLUMNS, TABLE
from inlier_boards.deployment import budget
from inlier_export.reference import Detector

# The emulated board that stands for another's core; where there is none,
# nothing is known of its time.
_STANDS_FOR = {
    "armv6m": "qemu_m0",
    "armv7m": "qemu_m3",
    "armv7emsp": "qemu_m33",
    "rv32imc": "qemu_rv32",
    "xtensawin": xtensa.NAME,
}


@dataclass
class Cost:
    """heap_bytes: needed.
    heap_share: of what inlier may take (1: all of it).
    ms: of an autoencoder's score, derived from the emulated board with that
        core, None where there is none.
    """

    board: Board
    heap_bytes: int
    heap_share: float
    flash_share: float
    ms: float | None


def costs(blob: bytes, detector: Detector) -> list[Cost]:
    """Of the boards that are microcontrollers with traffic of their own; none
    where Linux alone counts what the model is for.
    """
    model = Model(blob)
    if model.source == Procfs.name:
        return []
    needed = budget.need(model)
    per_mac = instructions_per_mac()
    result = []
    for name in names():
        place = read_board(name)
        if place.emulator or not place.flash_bytes or place.source == Replay.name:
            continue
        each = per_mac.get((_STANDS_FOR.get(place.mpy_arch, ""), place.kernel))
        result.append(
            Cost(
                place,
                needed.heap,
                needed.heap * budget.SHARE / place.heap_bytes,
                needed.flash * budget.SHARE / place.flash_bytes,
                bench.derived_ms(each * bench.macs(detector), place) if each else None,
            )
        )
    return result


def instructions_per_mac() -> dict[tuple[str, str], float]:
    """By (board, kernel), from the committed table."""
    rows = [
        line.strip("|").split("|")
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line.startswith(("| qemu_", f"| {xtensa.NAME} "))
    ]
    at = COLUMNS.index("MAC")
    return {(row[0].strip(), row[1].strip()): float(row[at]) for row in rows}
