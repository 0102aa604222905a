"""Tests that need what only a system package brings are skipped, saying so,
where it is not installed.

`python tests/host/tools_missing.py` prints the packages that are missing here,
for the Makefile.
"""

import os
import shutil

import pytest

from inlier_boards.board import board

PACKAGES = {
    "chromium": "chromium",
    "mosquitto": "mosquitto",
    "openssl": "openssl",
    "strace": "strace",
}  # command: Debian package
PATH = (
    os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
)  # where a broker lives, for people other than root


def missing(name: str) -> str:
    """What board `name` lacks here, or nothing."""
    packages = board(name).missing_packages()
    return f"{name} needs: apt-get install {' '.join(packages)}" if packages else ""


def needs_board(name: str) -> pytest.MarkDecorator:
    reason = missing(name)
    return pytest.mark.skipif(bool(reason), reason=reason)


def tool(command: str) -> str:
    """The path of one of PACKAGES' commands, or nothing."""
    return shutil.which(command, path=PATH) or ""


def needs_tool(command: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not tool(command), reason=f"needs {command}: apt-get install {PACKAGES[command]}"
    )


if __name__ == "__main__":
    print(*(package for command, package in PACKAGES.items() if not tool(command)))
