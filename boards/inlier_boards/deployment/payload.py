"""What is copied onto a board: the runtime, precompiled for its chip or as
source, with the kernels that run there.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from inlier_boards.build import micropython
from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.catalogue import Board
from inlier_export.errors import BadInput

from .identify import Facts


def runtime(
    facts: Facts, board: Board, say: Callable[[str], None] = lambda step: None
) -> dict[str, bytes]:
    """Path below `lib` -> content: .mpy where this computer has a compiler of
    the board's .mpy version, else source.
    """
    kernels = board.kernels if facts.arch else ("plain",)
    paths = runtime_files(kernels, secure=True, sinks=True, recorder=True)
    compiler = _compiler(facts.mpy, say)
    if compiler is None:
        return {str(path.relative_to(FIRMWARE)): path.read_bytes() for path in paths}
    return compiled(compiler, board.mpy_arch if facts.arch else "", paths)


def compiled(compiler: Path, arch: str, paths: list[Path]) -> dict[str, bytes]:
    """Path below `lib` -> content of the .mpy.

    arch: of native code, "": none.
    """
    options = [f"-march={arch}"] if arch else []
    contents = {}
    for path in paths:
        name = path.relative_to(FIRMWARE)
        # Into a pipe: of a file on a full disk mpy-cross writes nothing, and
        # says nothing of it.
        command: list[str | Path] = [compiler, *options, "-s", name, "-o", "-", path]
        try:
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        except subprocess.CalledProcessError:
            # MicroPython before 1.25 has no assembler for RISC-V: the next
            # kernel runs
            if name.stem != "rv32":
                raise
            continue
        contents[str(name.with_suffix(".mpy"))] = done.stdout
    return contents


def digest(contents: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(f"{name} {len(contents[name])}\n".encode() + contents[name])
    return whole.hexdigest()


def bytes_on_flash(sizes: list[int], folders: int, block_bytes: int) -> int:
    """What littlefs or FAT takes: whole blocks, two for a folder."""
    return block_bytes * (sum(-(-size // block_bytes) for size in sizes) + 2 * folders)


def _compiler(mpy: tuple[int, int], say: Callable[[str], None]) -> Path | None:
    """An mpy-cross that writes this version: native code loads in no other."""
    on_path = shutil.which("mpy-cross")
    try:
        path = Path(on_path) if on_path else micropython.mpy_cross(say)
    except BadInput:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"mpy v(\d+)\.(\d+)", said)
    return path if version and (int(version[1]), int(version[2])) == mpy else None
