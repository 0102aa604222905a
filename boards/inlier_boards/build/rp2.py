"""A plain Pico's firmware: MicroPython's rp2 port as it stands, built once into
the cache from Debian's packages alone.

The source package `micropython` leaves out what the port needs of others:
`pico-sdk-source` and `tinyusb-source` are packages of files, Mbed TLS a source
package.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from inlier_boards.catalogue import Board
from inlier_boards.emulators.rp2040 import image
from inlier_export.errors import BadInput

from . import debian_source, micropython

TOOLS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cmake": "cmake",
    "dpkg-deb": "dpkg",
}
# What the port's own manifest freezes, without the drivers of micropython-lib.
MANIFEST = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'
# Nothing in the firmware is C++, but pico-sdk links as if: without these, all
# of libstdc++ would have to be installed.
CXX = "-mcpu=cortex-m0plus -mthumb -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1"
LIBSTDCXX = "libstdc++.a"
FROM_OTHERS = {"mbedtls", "pico-sdk", "tinyusb"}
PARTS = ("drivers", "extmod", "mpy-cross", "py", "shared", "tools")


def missing() -> list[str]:
    """Debian packages that a build lacks on this machine."""
    return [package for tool, package in TOOLS.items() if not shutil.which(tool)]


def build(board: Board, say: Callable[[str], None] = lambda step: None) -> Path:
    """Its image (.uf2). Raises BadInput."""
    assert board.rp2040 and board.rp2040.port
    if packages := missing():
        raise BadInput(
            f"{board.name}: its firmware is built here: install what that takes with 'apt-get "
            f"install {' '.join(packages)}', or name an image with --image"
        )
    tree = micropython.source_tree(say)
    digest = hashlib.sha256(repr(board).encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    folder = micropython.cache_folder() / "firmware" / f"{board.name}-{digest}"
    done = folder / "firmware.uf2"
    with micropython.built_once(done, folder.parent / f"{board.name}.lock") as work:
        if work:
            flash = _build(board.rp2040.port, tree, work, say)
            folder.mkdir(exist_ok=True)
            (folder / "new.uf2").write_bytes(image.packed(flash))
            (folder / "new.uf2").replace(done)
    return done


def _build(port: str, tree: Path, work: Path, say: Callable[[str], None]) -> bytes:
    say("fetching pico-sdk, tinyusb and Mbed TLS")
    others = _fetched(work)
    ours = _tree(tree, others, work / "micropython")
    (work / "manifest.py").write_text(MANIFEST)
    _run(["arm-none-eabi-ar", "rc", work / LIBSTDCXX])
    say(f"building MicroPython for {port}, some minutes")
    settings = {
        "PICO_NO_PICOTOOL": "1",
        "MICROPY_BOARD": port,
        "PICO_SDK_PATH_OVERRIDE": others["pico-sdk"],
        "MICROPY_FROZEN_MANIFEST": work / "manifest.py",
        "MICROPY_LIB_DIR": tree,  # any folder with a README.md: see micropython.make
        "CMAKE_CXX_FLAGS": CXX,
        "CMAKE_EXE_LINKER_FLAGS": f"-L{work}",
    }
    out = work / "out"
    options = [f"-D{name}={value}" for name, value in settings.items()]
    _run(["cmake", "-S", ours / "ports/rp2", "-B", out, "-G", "Unix Makefiles", *options])
    micropython.make(work, "out")
    return (out / "firmware.bin").read_bytes()


def _fetched(work: Path) -> dict[str, Path]:
    """Name -> folder."""
    for name in ("mbedtls", "debian"):
        (work / name).mkdir()
    found = {"mbedtls": debian_source.unpack(work / "mbedtls", "mbedtls")}
    for name in ("pico-sdk", "tinyusb"):
        package = debian_source.download(work / "debian", f"{name}-source")
        _run(["dpkg-deb", "-x", package, work / "debian"])
        found[name] = work / f"debian/usr/src/{name}"
    return found


def _tree(tree: Path, others: dict[str, Path], new: Path) -> Path:
    """MicroPython's, with what it lacks; the cache's own stays as it is."""
    (new / "lib").mkdir(parents=True)
    shutil.copytree(tree / "ports/rp2", new / "ports/rp2")
    for part in PARTS:
        (new / part).symlink_to(tree / part)
    for path in (tree / "lib").iterdir():
        if path.name not in FROM_OTHERS:
            (new / "lib" / path.name).symlink_to(path)
    for name, folder in others.items():
        (new / "lib" / name).symlink_to(folder)
    return new


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise BadInput(f"{command[0]} failed: {lines[-1].strip() if lines else 'it said nothing'}")
