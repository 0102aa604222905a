"""Tests on an emulated board are skipped, saying so, where its emulator or compiler is not installed."""

import pytest

from boards.board import board


def missing(name: str) -> str:
    """What board `name` lacks here, or nothing."""
    packages = board(name).missing_packages()
    return f"{name} needs: apt-get install {' '.join(packages)}" if packages else ""


def needs_board(name: str) -> pytest.MarkDecorator:
    reason = missing(name)
    return pytest.mark.skipif(bool(reason), reason=reason)
