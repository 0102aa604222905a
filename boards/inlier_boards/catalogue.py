"""The known boards: what each one's board.toml, in a folder of its own, says."""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inlier_export.errors import BadInput

HERE = Path(__file__).parent
# In a checkout the folders of facts and examples lie beside this package, in a
# wheel within it.
FOLDER = HERE / "facts" if (HERE / "facts").is_dir() else HERE.parent
EXAMPLES = HERE / "examples" if (HERE / "examples").is_dir() else HERE.parents[1] / "examples"


@dataclass(frozen=True)
class Emulator:
    """command with arguments: QEMU.

    timer: "systick" or "instret", which ticks once in instructions_per_tick.
    """

    command: str
    package: str
    arguments: tuple[str, ...]
    timer: str
    instructions_per_tick: float


@dataclass(frozen=True)
class Build:
    """Of MicroPython's qemu port: its board, compiler, the Debian packages of
    that, its flags for the core, further ones and make variables.
    """

    board: str
    compiler: str
    package: str
    core: tuple[str, ...]
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Disk:
    """Of an emulated board: driver, a class of build/device/disk.py, and the
    memory that it may have.
    """

    driver: str
    address: int
    bytes: int


@dataclass(frozen=True)
class Rp2040:
    """The firmware of the real board, run by rp2040py: its name of the board,
    and the file system at the end of flash.

    port: of MicroPython's rp2 port, where an image is built here.
    """

    board: str
    disk_bytes: int
    port: str = ""


@dataclass(frozen=True)
class Board:
    """Sizes in bytes, clock in Hz.

    machine: a pattern for sys.implementation._machine; empty: no MicroPython.
    emulator, build, disk: of boards that QEMU emulates alone.
    like: another one that differs from it in the instructions of its kernel
        alone.
    rp2040: of those whose own firmware is emulated.
    """

    name: str
    description: str
    chip: str
    mpy_arch: str
    ram_bytes: int
    heap_bytes: int
    flash_bytes: int
    clock_hz: int
    kernel: str
    source: str
    machine: str = ""
    like: str = ""
    emulator: Emulator | None = None
    build: Build | None = None
    disk: Disk | None = None
    rp2040: Rp2040 | None = None

    def missing_packages(self) -> list[str]:
        """Debian packages that an emulated board lacks on this machine."""
        assert self.emulator and self.build
        needed = {
            self.emulator.command: self.emulator.package,
            self.build.compiler: self.build.package,
        }
        return [package for command, package in needed.items() if not shutil.which(command)]

    @property
    def kernels(self) -> tuple[str, ...]:
        """All that run there, its own first."""
        return tuple(dict.fromkeys((self.kernel, "viper", "plain")))


KINDS = (("emulator", Emulator), ("build", Build), ("disk", Disk), ("rp2040", Rp2040))


def names(emulated: bool = False) -> list[str]:
    """The known boards, or those of them that QEMU emulates."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/board.toml"))
    return [name for name in found if not emulated or read_board(name).emulator]


def emulated() -> list[str]:
    """Those that QEMU emulates, and those whose own firmware is emulated."""
    return [*names(emulated=True), *(name for name in names() if read_board(name).rp2040)]


def read_board(name: str) -> Board:
    """Raises BadInput for a board that nobody knows."""
    path = FOLDER / name / "board.toml"
    if "/" in name or not path.is_file():
        raise BadInput(f"no board '{name}': choose one of {', '.join(names())}")
    facts: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    for key, kind in KINDS:
        if key in facts:
            fields: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in facts[key].items()
            }
            facts[key] = kind(**fields)
    return Board(name=name, **facts)


def emulator(place: Board) -> Emulator:
    """Raises BadInput for a board that QEMU does not emulate."""
    if place.emulator is None:
        raise BadInput(
            f"board '{place.name}' is no emulated one: choose one of {', '.join(emulated())}"
        )
    return place.emulator


if __name__ == "__main__":  # for the Makefile: what all the emulated boards lack here
    print(
        " ".join(
            dict.fromkeys(
                p for name in names(emulated=True) for p in read_board(name).missing_packages()
            )
        )
    )
