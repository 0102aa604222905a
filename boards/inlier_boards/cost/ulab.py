"""The kernel `array` on an emulated board: its firmware needs ulab, whose
source a developer may have. INLIER_ULAB names the folder that holds its `code`.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from inlier_boards.catalogue import Board
from inlier_export.errors import BadInput

BOARD = "qemu_m3"
# What no kernel needs, and the port's warnings make errors of.
CFLAGS = ("-Wno-error", "-DULAB_MAX_DIMS=2", "-DULAB_HAS_SCIPY=0", "-DULAB_SUPPORTS_COMPLEX=0")


def board(place: Board) -> tuple[Board, str] | None:
    """The board with ulab built in, and ulab's version; None where there is no
    source of it. Raises BadInput.
    """
    named = os.environ.get("INLIER_ULAB")
    if place.name != BOARD or not named:
        return None
    folder = Path(named).resolve()
    source = folder / "code/ulab.c"
    text = source.read_text() if source.is_file() else ""
    version = re.search(r"#define ULAB_VERSION\s+(\S+)", text)
    if not version:
        raise BadInput(f"INLIER_ULAB={named}: no ulab is there: name the folder that holds code/")
    assert place.build
    options = (*place.build.options, f"USER_C_MODULES={folder}")
    how = replace(place.build, options=options, cflags=(*place.build.cflags, *CFLAGS))
    return replace(place, kernel="array", build=how), version[1]
