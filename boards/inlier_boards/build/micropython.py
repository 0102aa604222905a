"""A MicroPython for this machine: the one on PATH, or one built once into a
cache folder from Debian's source package.

`python -m inlier_boards.build.micropython` prints its path, with `--mpy-cross`
the cross-compiler's.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

import inlier
from inlier_export.errors import BadInput

from .debian_source import distribution, unpack

OLDEST = (1, 22)
# Command -> Debian package: what a build needs.
TOOLS = {"apt-get": "apt", "gcc": "gcc", "make": "make", "xz": "xz-utils"}
# What the source package leaves out is not needed then.
UNIX_OPTIONS = ("MICROPY_PY_SSL=0", "MICROPY_PY_BTREE=0", "MICROPY_PY_THREAD=0")
MANIFEST = 'include("$(MPY_DIR)/extmod/asyncio/manifest.py")\n'

Say = Callable[[str], None]


def cache_folder() -> Path:
    base = os.environ.get("INLIER_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inlier"


def version(interpreter: str) -> tuple[int, ...] | None:
    """(1, 25, 0), or None where `interpreter` is no MicroPython with asyncio
    that runs.
    """
    code = "import sys, asyncio; print(sys.implementation[0], *sys.implementation[1][:3])"
    try:
        done = subprocess.run(
            [interpreter, "-c", code], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    return tuple(map(int, words[1:4])) if words[:1] == ["micropython"] and len(words) == 4 else None


def find_or_build(say: Say = lambda text: None) -> Path:
    """Path of a Unix MicroPython of version 1.22 or later. say(text) is told
    each step. Raises BadInput.
    """
    named = os.environ.get("MICROPYTHON")
    if named:
        found = version(named)
        if found is None or found < OLDEST:
            raise BadInput(
                f"MICROPYTHON={named} is no MicroPython 1.22 or later with asyncio: unset it or "
                f"name another"
            )
        return Path(shutil.which(named) or named)
    on_path = shutil.which("micropython")
    if on_path and (version(on_path) or (0,)) >= OLDEST:
        return Path(on_path)
    return source_tree(say) / "ports/unix/build-standard/micropython"


def search_path(*folders: Path) -> str:
    """MICROPYPATH for a script that imports the runtime, and from `folders`.

    A wheel lies in site-packages, where the runtime's neighbours are CPython's,
    NumPy among them, which a kernel would try: from there it is linked into a
    folder of its own.
    """
    runtime = Path(inlier.__file__).resolve().parent
    place = runtime.parent
    if (runtime / "manifest.py").exists():  # a wheel
        digest = hashlib.sha256(str(runtime).encode()).hexdigest()[:16]
        place = cache_folder() / f"runtime-{digest}"
        place.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # linked before, to the same
            (place / "inlier").symlink_to(runtime)
    return os.pathsep.join([*map(str, folders), str(place), ".frozen"])


def _has_libffi() -> bool:
    """Debian's libffi-dev, for what counts packets (inlier/packets_linux.py)."""
    with contextlib.suppress(OSError):
        asked = ["pkg-config", "--exists", "libffi"]
        return not subprocess.run(asked, check=False).returncode
    return False


def mpy_cross(say: Say = lambda text: None) -> Path:
    """Path of mpy-cross. Raises BadInput."""
    return source_tree(say) / "mpy-cross/build/mpy-cross"


def check_system() -> None:
    """Raises BadInput where nothing is built: before it asks for tools that are
    not to be had there.
    """
    if importlib.util.find_spec("fcntl") is None:
        raise BadInput(
            "MicroPython and what runs it are built on Linux alone: run this command there, on "
            "Windows in WSL"
        )


def source_tree(say: Say = lambda text: None) -> Path:
    """MicroPython's source in the cache, with mpy-cross and the Unix port
    built; built now if it is not there yet.
    """
    folder = cache_folder()
    tree = folder / "micropython"
    if tree.is_dir():
        return tree
    check_system()
    distribution()  # whose apt-get the next words tell to use
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            raise BadInput(
                f"'{tool}' is needed to build MicroPython: install it with 'apt-get install "
                f"{package}'"
            )
    with built_once(tree, folder / "lock") as work:
        if work:
            say("fetching MicroPython's source package")
            built = unpack(work)
            say("building mpy-cross")
            make(built, "mpy-cross")
            say("building MicroPython for Unix")
            (built / "inlier_manifest.py").write_text(MANIFEST)
            make(
                built,
                "ports/unix",
                *UNIX_OPTIONS,
                f"MICROPY_PY_FFI={int(_has_libffi())}",
                f"FROZEN_MANIFEST={built}/inlier_manifest.py",
            )
            # Object files hold nothing that is needed again.
            for part in (
                *built.glob("mpy-cross/build/*"),
                *built.glob("ports/unix/build-standard/*"),
            ):
                if part.is_dir():
                    shutil.rmtree(part)
            built.rename(tree)
    return tree


def make(tree: Path, port: str, *options: str, **environment: str) -> None:
    # mkrules.mk wants a README.md in micropython-lib, which the source package
    # leaves out: any folder with one will do.
    command = [
        "make",
        f"-j{os.cpu_count() or 1}",
        "-C",
        str(tree / port),
        f"MPY_LIB_DIR={tree}",
        *options,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_clean_environment() | environment
    )
    if done.returncode:
        lines = [
            line
            for line in done.stderr.splitlines()
            if re.search(r"error:|undefined reference|Error|not found", line)
        ] or ["no message"]
        raise BadInput(
            f"building MicroPython's {port} failed: {lines[0].strip()}; install gcc, make and "
            f"libc6-dev"
        )


def _clean_environment() -> dict[str, str]:
    """This one without what an outer make passes on: its flags and job server
    are not for these.
    """
    return {
        k: v
        for k, v in os.environ.items()
        if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MICROPYPATH")
    }


@contextmanager
def built_once(done: Path, lock: Path) -> Iterator[Path | None]:
    """A folder to build `done` in, beside `lock`, which is held meanwhile; None
    where it is there, perhaps since this one waited for another who built it.
    """
    if done.exists():
        yield None
        return
    import fcntl  # not of Windows, see check_system

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file, tempfile.TemporaryDirectory(dir=lock.parent) as work:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield None if done.exists() else Path(work)


def main() -> int:
    console = Console(stderr=True)
    try:
        with console.status("MicroPython") as status:
            wanted = mpy_cross if "--mpy-cross" in sys.argv else find_or_build
            path = wanted(status.update)
    except BadInput as error:
        print(f"inlier: {error}", file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
