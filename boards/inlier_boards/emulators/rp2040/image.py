"""A firmware image (.uf2) of a real board: whether it is one, whose, and how
old, before anything runs it.
"""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from inlier_boards.build.micropython import OLDEST
from inlier_boards.catalogue import Board, names, read_board
from inlier_export.errors import BadInput
from inlier_export.inputs import MODEL_MAX, read_input

# A block: https://github.com/microsoft/uf2
BLOCK_BYTES, PAYLOAD_BYTES = 512, 256
_BEGIN, _END = (0x0A324655, 0x9E5D5157), 0x0AB16F30
_HAS_FAMILY = 0x2000
RP2040 = 0xE48BFF56
FLASH = 0x10000000
# MICROPY_GIT_TAG on MICROPY_BUILD_DATE, what the banner says
_VERSION = re.compile(rb"v(\d+)\.(\d+)[-.\w]* on 20\d\d-\d\d-\d\d")
_MACHINE = re.compile(rb"[ -~]{3,60} with [A-Z][-A-Z0-9]+(?=\0)")


@dataclass(frozen=True)
class Image:
    """flash: what the image writes, from its first byte on."""

    path: Path
    machine: str
    version: tuple[int, int]
    flash: bytes


def variable(board: Board) -> str:
    """The environment's variable that names the image."""
    return f"INLIER_{board.name.upper()}_UF2"


def named(board: Board, given: Path | None) -> Path | None:
    """The image that was given, else the environment's, if any."""
    name = os.environ.get(variable(board))
    return given or (Path(name) if name else None)


def read(board: Board, path: Path | None) -> Image:
    """Raises BadInput for what is no image of this board."""
    if path is None:
        raise BadInput(
            f"{board.name} is emulated with the firmware of the real board, which is not part of "
            f"inlier: download a .uf2 from micropython.org/download and name it with --image or "
            f"{variable(board)}"
        )
    content = read_input(path, MODEL_MAX, "firmware image (.uf2)")
    flash = _flash(path, content)
    found = [match.decode() for match in _MACHINE.findall(flash)]
    if not any(re.search(board.machine, machine) for machine in found):
        raise BadInput(
            f"{path}: is for {_whose(found)}, not for {board.name}: name an image of "
            f"{board.description}"
        )
    version = _VERSION.search(flash)
    if version is None:
        raise BadInput(f"{path}: does not say which MicroPython it is: name an official image")
    release = int(version[1]), int(version[2])
    if release < OLDEST:
        raise BadInput(
            f"{path}: is MicroPython {release[0]}.{release[1]}, inlier needs "
            f"{'.'.join(map(str, OLDEST))} or later: name a newer image"
        )
    assert board.rp2040
    room = board.flash_bytes - board.rp2040.disk_bytes
    if len(flash) > room:
        raise BadInput(
            f"{path}: takes {len(flash)} bytes of flash, {board.name} has {room} before its file "
            f"system: name an official image"
        )
    machine = next(machine for machine in found if re.search(board.machine, machine))
    return Image(path, machine, release, flash)


def packed(flash: bytes) -> bytes:
    """The image that writes these bytes, from the first of flash on."""
    count = -(-len(flash) // PAYLOAD_BYTES)
    blocks = bytearray()
    for number in range(count):
        start = number * PAYLOAD_BYTES
        place = FLASH + start, PAYLOAD_BYTES, number, count
        blocks += struct.pack("<8I", *_BEGIN, _HAS_FAMILY, *place, RP2040)
        blocks += flash[start : start + PAYLOAD_BYTES].ljust(476, b"\0")
        blocks += struct.pack("<I", _END)
    return bytes(blocks)


def _flash(path: Path, content: bytes) -> bytes:
    if struct.unpack_from("<2I", content.ljust(8, b"\0")) != _BEGIN:
        raise BadInput(f"{path}: is no firmware image (.uf2): it does not begin as one")
    flash = bytearray()
    count = -(-len(content) // BLOCK_BYTES)
    for number in range(count):
        block = content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        if len(block) < BLOCK_BYTES or struct.unpack_from("<I", block, 508)[0] != _END:
            raise BadInput(f"{path}: block {number} is cut short or broken: download it again")
        *begin, flags, address, size, _, blocks, family = struct.unpack_from("<8I", block)
        if tuple(begin) != _BEGIN or blocks != count or size > 476:
            raise BadInput(
                f"{path}: block {number} of {count} is not what the others say: download it again"
            )
        if not flags & _HAS_FAMILY or family != RP2040:
            raise BadInput(
                f"{path}: is for another chip (family 0x{family:08x}), the RP2040's is "
                f"0x{RP2040:08x}: name an image of a board with that chip"
            )
        start = address - FLASH
        if not 0 <= start < 1 << 24:
            raise BadInput(f"{path}: block {number} is not for flash: name a MicroPython image")
        flash.extend(b"\xff" * (start + size - len(flash)))
        flash[start : start + size] = block[32 : 32 + size]
    return bytes(flash)


def _whose(machines: list[str]) -> str:
    for name in names():
        board = read_board(name)
        if board.machine and any(re.search(board.machine, machine) for machine in machines):
            return name
    return machines[0] if machines else "no board that MicroPython knows"
