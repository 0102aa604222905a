"""A Unix MicroPython with firmware/lwip, over Debian's lwIP, and with a module
by which a test feeds it frames.
"""

import hashlib
import shutil
from pathlib import Path

from inlier_boards.build import micropython
from lwip_play import HERE, MODULE


def built() -> Path:
    """The interpreter, built once into the cache. Raises BadInput."""
    tree = micropython.source_tree()
    digest = hashlib.sha256(str(tree).encode())
    files = [*MODULE.iterdir(), HERE / "interface.h", *(HERE / "feed").iterdir()]
    for path in sorted(files):
        digest.update(path.read_bytes())
    program = micropython.cache_folder() / f"micropython-lwip-{digest.hexdigest()[:16]}"
    with micropython.built_once(program, program.parent / "lwip.lock") as work:
        if work:
            modules, build = work / "modules", work / "build"
            modules.mkdir()
            (modules / "lwip").symlink_to(MODULE)  # as a maker names the folder above it
            (modules / "feed").symlink_to(HERE / "feed")
            micropython.make(
                tree,
                "ports/unix",
                *micropython.UNIX_OPTIONS,
                f"FROZEN_MANIFEST={tree}/inlier_manifest.py",
                f"USER_C_MODULES={modules}",
                f"BUILD={build}",
            )
            for old in micropython.cache_folder().glob("micropython-lwip-*"):
                old.unlink()
            shutil.copy(build / "micropython", f"{program}.new")
            Path(f"{program}.new").rename(program)
    return program
