"""Firmware of the emulated boards: MicroPython's qemu port with the runtime frozen in, built once into the cache."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import inlier
from trainer.errors import BadInput

from . import micropython
from .board import Board

FIRMWARE = Path(inlier.__file__).parent.parent


def elf(board: Board, say: Callable[[str], None] = lambda step: None, frozen: bool = True) -> Path:
    """The firmware of an emulated board; frozen: with the runtime, else the bare interpreter. Raises BadInput."""
    assert board.build
    if not shutil.which(board.build.compiler):
        raise BadInput(f"'{board.build.compiler}' is needed for {board.name}: 'apt-get install {board.build.package}'")
    tree = micropython.source_tree(say)
    manifest = FIRMWARE / "manifest.py"
    digest = hashlib.sha256(repr((board, frozen)).encode())
    for path in [manifest, *sorted((FIRMWARE / "inlier").rglob("*.py"))] if frozen else []:
        digest.update(path.read_bytes())
    folder = micropython.cache_folder() / "firmware" / f"{board.name}-{digest.hexdigest()[:16]}"
    target = folder / "firmware.elf"
    if target.exists():
        return target
    folder.parent.mkdir(parents=True, exist_ok=True)
    with micropython.lock(folder.parent / f"{board.name}.lock"), tempfile.TemporaryDirectory(dir=folder.parent) as work:
        if target.exists():
            return target
        say(f"building the firmware of {board.name}")
        own = Path(work) / "manifest.py"
        own.write_text(f'include("{manifest}")\n' if frozen else "\n")
        micropython.make(
            tree,
            "ports/qemu",
            f"BOARD={board.build.board}",
            f"BUILD={work}/build",
            f"FROZEN_MANIFEST={own}",
            f"MICROPY_HEAP_SIZE={board.heap_bytes}",
            f"MPY_CROSS_FLAGS=-march={board.mpy_arch}",
            *board.build.options,
        )
        folder.mkdir(exist_ok=True)
        shutil.copy(f"{work}/build/firmware.elf", folder / "new.elf")
        (folder / "new.elf").replace(target)
        _forget_old(folder)
    return target


def _forget_old(folder: Path) -> None:
    """Keep the newest eight firmwares of the cache."""
    others = sorted(folder.parent.glob("*-*/firmware.elf"), key=lambda path: path.stat().st_mtime)
    for path in others[:-8]:
        shutil.rmtree(path.parent)


def text_bytes(path: Path, board: Board) -> int:
    """Bytes of code and constants in an ELF file. Raises BadInput."""
    assert board.build
    size = board.build.compiler.removesuffix("gcc") + "size"
    done = subprocess.run([size, path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadInput(f"{path}: {done.stderr.strip()}; delete it, and it is built again")
    words = done.stdout.splitlines()[1].split()
    return int(words[0]) + int(words[1])
