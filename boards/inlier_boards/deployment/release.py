"""What a release consists of: the wheel, and the runtime as packages for
MicroPython's `mip`, in the form of its index (micropython-lib,
"tools/build.py").

`python -m inlier_boards.deployment.release FOLDER [--no-wheel]` makes it, from
a checkout: FOLDER/mip is what a web server serves.

    mpremote mip install --index http://server/mip inlier-armv6m inlier-sinks
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import inlier
from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.build.micropython import mpy_cross
from inlier_boards.catalogue import names, read_board
from inlier_export.errors import BadInput
from inlier_trainer.files import write_atomic

from .payload import compiled

# What a board asks an index for: the major version of its .mpy files, or
# "py". A minor one of another kind loads all but native kernels.
MPY, SOURCE = "6", "py"
HASH_DIGITS = 16
Package = dict[str, bytes]  # path below `lib` -> content


def architectures() -> dict[str, tuple[str, ...]]:
    """Of the boards that are hardware: the kernels of each."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names():
        board = read_board(name)
        if not board.emulator and board.mpy_arch and name != "unix":
            found[board.mpy_arch] = board.kernels
    return found


def parts(kernels: tuple[str, ...]) -> dict[str, list[Path]]:
    """The runtime's files, in three: what counts, scores and records; where
    alarms go; what signs and updates.
    """
    core = runtime_files(kernels, recorder=True)
    return {
        "": core,
        "-sinks": [f for f in runtime_files(kernels, sinks=True) if f not in core],
        "-secure": [f for f in runtime_files(kernels, secure=True) if f not in core],
    }


def packages(
    archs: dict[str, tuple[str, ...]], say: Callable[[str], None] = lambda step: None
) -> dict[tuple[str, str], Package]:
    """(MPY or SOURCE, name) -> the package. inlier-ARCH has the kernels of its
    chip; inlier is for any. Raises BadInput.
    """
    compiler = mpy_cross(say)
    made: dict[tuple[str, str], Package] = {}
    for suffix, paths in parts(("plain",)).items():
        made[MPY, f"inlier{suffix}"] = compiled(compiler, "", paths)
        made[SOURCE, f"inlier{suffix}"] = {
            str(path.relative_to(FIRMWARE)): path.read_bytes() for path in paths
        }
    for arch, kernels in archs.items():
        say(f"inlier-{arch}")
        made[MPY, f"inlier-{arch}"] = compiled(compiler, arch, parts(kernels)[""])
    return made


def write_index(made: dict[tuple[str, str], Package], folder: Path) -> None:
    """As mip reads it. Raises OSError."""
    for (kind, name), package in made.items():
        hashes = []
        for path, content in package.items():
            short = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
            hashes.append([path, short])
            _write(folder / "file" / short[:2] / short, content)
        told = {"v": 1, "version": inlier.__version__, "hashes": hashes, "deps": []}
        for version in ("latest", inlier.__version__):
            _write(folder / "package" / kind / name / f"{version}.json", json.dumps(told).encode())
    listed = [
        {"name": name, "version": inlier.__version__, "license": "MIT"}
        for name in sorted({name for _, name in made})
    ]
    _write(folder / "index.json", json.dumps({"v": 2, "packages": listed}).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-wheel", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    try:
        made = packages(architectures(), lambda step: print(step, file=sys.stderr))
        shutil.rmtree(folder / "mip", ignore_errors=True)
        write_index(made, folder / "mip")
    except (BadInput, OSError) as error:
        print(f"inlier: {error}", file=sys.stderr)
        return 2
    if not arguments.no_wheel:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
        command = [*build, str(folder.resolve())]
        subprocess.run(command, cwd=FIRMWARE.parent, check=True, stdout=subprocess.DEVNULL)
    for (kind, name), package in sorted(made.items()):
        print(f"{kind:3} {name}: {len(package)} files, {sum(map(len, package.values()))} bytes")
    for wheel in folder.glob("*.whl"):
        print(f"{wheel.name}: {wheel.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
