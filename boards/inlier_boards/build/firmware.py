"""Firmware of the emulated boards: MicroPython's qemu port with the runtime
frozen in, built once into the cache.
"""

import contextlib
import hashlib
import shutil
import subprocess
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import inlier
from inlier_boards.catalogue import Board, Build
from inlier_export.errors import BadInput

from . import bench_models, micropython

FIRMWARE = Path(inlier.__file__).parent.parent
# In a checkout beside the runtime, in a wheel within it.
MANIFEST = next(
    (path for path in (FIRMWARE / "manifest.py",) if path.exists()), FIRMWARE / "inlier/manifest.py"
)
DISK = Path(__file__).parent / "device/disk.py"
BOOT_MODULE = Path(__file__).parent / "boot_module"
BOARDS = Path(__file__).parent / "qemu"  # boards that MicroPython's qemu port lacks
BOOT = """
import sys, vfs, disk
d = disk.{driver}({address}, {bytes})
try:
    vfs.mount(vfs.VfsLfs2(d), "/")
except OSError:  # nothing on it yet
    vfs.VfsLfs2.mkfs(d)
    vfs.mount(vfs.VfsLfs2(d), "/")
sys.path.append("/lib")
"""
NO_CLOCK = "'-Dmp_hal_time_ns()=0ULL'"  # littlefs asks for the time of a file; this port has none


SOURCES = ("sockets", "procfs", "replay")


def runtime_files(
    kernels: tuple[str, ...],
    secure: bool = False,
    sinks: bool = False,
    recorder: bool = False,
    sources: tuple[str, ...] = SOURCES,
) -> list[Path]:
    """What firmware/manifest.py freezes with these kernels."""
    names: list[str] = []
    options = types.SimpleNamespace(
        kernels=kernels,
        sources=sources,
        secure=secure,
        sinks=sinks,
        recorder=recorder,
        defaults=lambda **others: None,
    )
    with contextlib.chdir(MANIFEST.parent):
        exec(
            MANIFEST.read_text(),
            {"options": options, "package": lambda package, files, **base: names.extend(files)},
        )
    return [FIRMWARE / "inlier" / name for name in names]


@dataclass(frozen=True)
class Firmware:
    """frozen_bytes: flash that the runtime takes with the board's kernel and
    source alone and without inlier/secure; stock: 0.
    """

    elf: Path
    frozen_bytes: int


def build(
    board: Board, say: Callable[[str], None] = lambda step: None, stock: bool = False
) -> Firmware:
    """The firmware of an emulated board. Raises BadInput.

    It holds the runtime, all its kernels and the benchmark's models; a stock
    one has nothing of inlier, as one downloaded for a real board, but a disk,
    mounted at boot, and runs the main.py that it finds there.
    """
    assert board.build
    if not shutil.which(board.build.compiler):
        raise BadInput(
            f"'{board.build.compiler}' is needed for {board.name}: install it with 'apt-get "
            f"install {board.build.package}'"
        )
    tree = micropython.source_tree(say)
    digest = hashlib.sha256(
        repr((board, bench_models.module())).encode() + Path(__file__).read_bytes()
    )
    sources = (
        [DISK, *BOOT_MODULE.glob("*/*")]
        if stock
        else [MANIFEST, *runtime_files(board.kernels, secure=True)]
    )
    sources += (BOARDS / board.build.board).glob("*")
    for path in sorted(sources):
        digest.update(path.read_bytes())
    kind = "-stock" if stock else ""
    folder = (
        micropython.cache_folder() / "firmware" / f"{board.name}{kind}-{digest.hexdigest()[:16]}"
    )
    done = folder / "frozen_bytes"
    with micropython.built_once(done, folder.parent / f"{board.name}.lock") as work:
        if work:
            say(f"building the firmware of {board.name}")
            (_build_stock if stock else _build)(board, tree, work)
            folder.mkdir(exist_ok=True)
            for name in ("firmware.elf", "frozen_bytes"):  # the last one says that all is there
                shutil.copy(work / name, folder / f"new.{name}")
                (folder / f"new.{name}").replace(folder / name)
            _forget_old(folder)
    return Firmware(folder / "firmware.elf", int(done.read_text()))


def _make(
    board: Board,
    tree: Path,
    work: Path,
    manifest: str,
    *targets: str,
    ldflags: tuple[str, ...] = (),
) -> Path:
    """Returns the build folder."""
    how, out = board.build, work / "build"
    assert how
    (work / "manifest.py").write_text(manifest)
    ours = BOARDS / how.board
    micropython.make(
        tree,
        "ports/qemu",
        f"BOARD={how.board}",
        *([f"BOARD_DIR={ours}"] if ours.is_dir() else []),
        f"BUILD={out}",
        f"FROZEN_MANIFEST={work}/manifest.py",
        f"MICROPY_HEAP_SIZE={board.heap_bytes}",
        f"MPY_CROSS_FLAGS=-march={board.mpy_arch}",
        "MICROPY_VFS_LFS2=1",
        "CFLAGS_EXTRA=" + " ".join([NO_CLOCK, *how.cflags]),
        *how.options,
        *targets,
        LDFLAGS=" ".join((*how.ldflags, *ldflags)),  # the port's own are added to these
    )
    return out


def _build(board: Board, tree: Path, work: Path) -> None:
    (work / "bench_models.py").write_text(bench_models.module())

    def manifest(kernels: tuple[str, ...], sources: tuple[str, ...], secure: bool) -> str:
        options = f"kernels={kernels!r}, sources={sources!r}, secure={secure}, recorder=False"
        return f'include("{MANIFEST}", {options})\n'

    out = _make(
        board, tree, work, manifest(board.kernels, SOURCES, True) + 'module("bench_models.py")\n'
    )
    shutil.copy(out / "firmware.elf", work)
    for part in out.glob("frozen_content.*"):  # make does not see that the manifest is another
        part.unlink()
    _make(
        board, tree, work, manifest((board.kernel,), SOURCES[:1], False), f"{out}/frozen_content.o"
    )
    assert board.build
    (work / "frozen_bytes").write_text(str(_text_bytes(board.build, out / "frozen_content.o")))


def _build_stock(board: Board, tree: Path, work: Path) -> None:
    assert board.disk
    (work / "_boot.py").write_text(
        BOOT.format(driver=board.disk.driver, address=board.disk.address, bytes=board.disk.bytes)
    )
    manifest = f'module("_boot.py")\nmodule("disk.py", base_path="{DISK.parent}")\n'
    boot = (f"USER_C_MODULES={BOOT_MODULE}",)
    out = _make(board, tree, work, manifest, *boot, ldflags=("-Wl,--wrap=mp_init",))
    shutil.copy(out / "firmware.elf", work)
    (work / "frozen_bytes").write_text("0")


def _text_bytes(how: Build, path: Path) -> int:
    """Bytes of code and constants in an object file."""
    size = how.compiler.removesuffix("gcc") + "size"
    words = (
        subprocess.run([size, path], capture_output=True, text=True, check=True)
        .stdout.splitlines()[1]
        .split()
    )
    return int(words[0]) + int(words[1])


def _forget_old(folder: Path) -> None:
    """Keep the newest sixteen firmwares of the cache."""
    others = sorted(folder.parent.glob("*-*/firmware.elf"), key=lambda path: path.stat().st_mtime)
    for path in others[:-16]:
        shutil.rmtree(path.parent)
