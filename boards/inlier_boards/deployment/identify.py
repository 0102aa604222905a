"""What is at the other end of the line: chip, MicroPython, space; and which of
the boards that is.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import inlier
from inlier_boards.build.micropython import OLDEST
from inlier_boards.catalogue import Board, names, read_board
from inlier_boards.serial_line.connection import Connection, understood
from inlier_export.errors import BadInput

DEVICE = Path(__file__).parent / "device"
# py/persistentcode.h: what _mpy's upper bits count. Within Cortex-M a core runs
# the code of those before it.
ARCHITECTURES = [
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
]
ARCHITECTURES += ["rv32imc", "rv64imc"]


@dataclass(frozen=True)
class Facts:
    """As the board says.

    mpy: version of .mpy files (major, minor), (0, 0): none.
    arch: of native code, "": none.
    lib: folder of libraries.
    frozen: version of a runtime within the firmware, "": none.
    main: whether there is a main.py.
    """

    name: str
    version: tuple[int, ...]
    machine: str
    mpy: tuple[int, int]
    arch: str
    block_bytes: int
    free_bytes: int
    lib: str
    frozen: str
    main: bool

    @property
    def release(self) -> str:
        return ".".join(map(str, self.version))


def identify(connection: Connection) -> Facts:
    """Raises BadInput for what runs no inlier."""
    printed = connection.execute((DEVICE / "identify.py").read_text())
    with understood(connection.name):
        said = ast.literal_eval(printed)
        bits = said.pop("mpy")
        arch = dict(enumerate(ARCHITECTURES)).get(bits >> 10, "")
        facts = Facts(mpy=(bits & 0xFF, bits >> 8 & 3), arch=arch, **said)
        check(connection.name, facts)
    return facts


def check(port: str, facts: Facts) -> None:
    """Raises BadInput."""
    oldest = ".".join(map(str, OLDEST))
    if facts.name != "micropython":
        raise BadInput(
            f"{port}: the board runs {facts.name}, inlier needs MicroPython {oldest} or later: "
            f"flash that"
        )
    if facts.version < OLDEST:
        raise BadInput(
            f"{port}: the board runs MicroPython {facts.release}: flash {oldest} or later"
        )
    if facts.frozen not in ("", inlier.__version__):
        raise BadInput(
            f"{port}: the firmware has the runtime {facts.frozen} frozen in, this is "
            f"{inlier.__version__}: "
            "build and flash the firmware again"
        )


def choose(facts: Facts, name: str | None) -> Board:
    """The board that it says it is; `name` for one that nobody knows. Raises
    BadInput.
    """
    boards = (place for place in map(read_board, names()) if place.machine)
    known = next((b for b in boards if re.search(b.machine, facts.machine)), None)
    if name is None:
        if not known:
            raise BadInput(
                f"the board says that it is '{facts.machine}', which inlier has no facts of: "
                f"name the most similar one with "
                f"--board, one of {', '.join(names())}"
            )
        return known
    chosen = read_board(name)
    if not chosen.machine:
        raise BadInput(
            f"--board {name}: it runs no MicroPython; see boards/{name}/README.md for how to run "
            f"inlier there"
        )
    if known and chosen != known:
        raise BadInput(
            f"--board {name}: the board says that it is '{facts.machine}', {known.name}: "
            f"leave out --board"
        )
    if facts.arch and not _runs(facts.arch, chosen.mpy_arch):
        raise BadInput(
            f"--board {name}: its code is for {chosen.mpy_arch}, this one runs {facts.arch}: "
            f"name another one"
        )
    return chosen


def _runs(core: str, code: str) -> bool:
    order = ARCHITECTURES.index
    return core == code or order("armv6m") <= order(code) <= order(core) <= order("armv7emdp")
