"""Firmware of the emulated boards: MicroPython's qemu port with the runtime frozen in, built once into the cache."""

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import inlier
from trainer.errors import BadInput

from . import bench_models, micropython
from .board import Board, Build

FIRMWARE = Path(inlier.__file__).parent.parent
MANIFEST = FIRMWARE / "manifest.py"
NO_CLOCK = "'-Dmp_hal_time_ns()=0ULL'"  # littlefs asks for the time of a file; this port has none


def runtime_files(kernels: tuple[str, ...], secure: bool = False) -> list[Path]:
    """What firmware/manifest.py freezes with these kernels."""
    names: list[str] = []
    options = types.SimpleNamespace(kernels=kernels, secure=secure, sinks=False, defaults=lambda **others: None)
    with contextlib.chdir(FIRMWARE):
        exec(MANIFEST.read_text(), {"options": options, "package": lambda package, files: names.extend(files)})
    return [FIRMWARE / "inlier" / name for name in names]


@dataclass(frozen=True)
class Firmware:
    """frozen_bytes: flash that the runtime takes with the board's kernel alone and without inlier/secure."""

    elf: Path
    frozen_bytes: int


def build(board: Board, say: Callable[[str], None] = lambda step: None) -> Firmware:
    """The firmware of an emulated board, with the runtime, all its kernels and the benchmark's models. Raises BadInput."""
    assert board.build
    if not shutil.which(board.build.compiler):
        raise BadInput(
            f"'{board.build.compiler}' is needed for {board.name}: install it with 'apt-get install {board.build.package}'"
        )
    tree = micropython.source_tree(say)
    digest = hashlib.sha256(repr((board, bench_models.module())).encode() + Path(__file__).read_bytes())
    for path in (MANIFEST, *runtime_files(board.kernels, secure=True)):
        digest.update(path.read_bytes())
    folder = micropython.cache_folder() / "firmware" / f"{board.name}-{digest.hexdigest()[:16]}"
    done = folder / "frozen_bytes"
    if not done.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with micropython.lock(folder.parent / f"{board.name}.lock"), tempfile.TemporaryDirectory(dir=folder.parent) as work:
            if not done.exists():  # another build may have finished while this one waited
                say(f"building the firmware of {board.name}")
                _build(board, board.build, tree, Path(work))
                folder.mkdir(exist_ok=True)
                for name in ("firmware.elf", "frozen_bytes"):  # the last one says that all is there
                    shutil.copy(f"{work}/{name}", folder / f"new.{name}")
                    (folder / f"new.{name}").replace(folder / name)
                _forget_old(folder)
    return Firmware(folder / "firmware.elf", int(done.read_text()))


def _build(board: Board, how: Build, tree: Path, work: Path) -> None:
    out = work / "build"
    (work / "bench_models.py").write_text(bench_models.module())

    def make(kernels: tuple[str, ...], secure: bool, extra: str, *targets: str) -> None:
        manifest = work / "manifest.py"
        manifest.write_text(f'include("{MANIFEST}", kernels={kernels!r}, secure={secure})\n{extra}\n')
        micropython.make(
            tree,
            "ports/qemu",
            f"BOARD={how.board}",
            f"BUILD={out}",
            f"FROZEN_MANIFEST={manifest}",
            f"MICROPY_HEAP_SIZE={board.heap_bytes}",
            f"MPY_CROSS_FLAGS=-march={board.mpy_arch}",
            "MICROPY_VFS_LFS2=1",
            "CFLAGS_EXTRA=" + " ".join([NO_CLOCK, *how.cflags]),
            *how.options,
            *targets,
            LDFLAGS=" ".join(how.ldflags),  # the port's own are added to these
        )

    make(board.kernels, True, 'module("bench_models.py")')
    shutil.copy(out / "firmware.elf", work)
    for part in out.glob("frozen_content.*"):  # make does not see that the manifest is another
        part.unlink()
    make((board.kernel,), False, "", f"{out}/frozen_content.o")
    (work / "frozen_bytes").write_text(str(_text_bytes(how, out / "frozen_content.o")))


def _text_bytes(how: Build, path: Path) -> int:
    """Bytes of code and constants in an object file."""
    size = how.compiler.removesuffix("gcc") + "size"
    words = subprocess.run([size, path], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    return int(words[0]) + int(words[1])


def _forget_old(folder: Path) -> None:
    """Keep the newest eight firmwares of the cache."""
    others = sorted(folder.parent.glob("*-*/firmware.elf"), key=lambda path: path.stat().st_mtime)
    for path in others[:-8]:
        shutil.rmtree(path.parent)
