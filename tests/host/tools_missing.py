"""Tests on an emulated board are skipped, saying so, where its emulator or compiler is not installed."""

import shutil

import pytest

from boards.board import board


def missing(name: str) -> str:
    """What board `name` lacks here, or nothing."""
    facts = board(name)
    assert facts.emulator and facts.build
    needed = {facts.emulator.command: facts.emulator.package, facts.build.compiler: facts.build.package}
    packages = [package for command, package in needed.items() if not shutil.which(command)]
    return f"{name} needs: apt-get install {' '.join(packages)}" if packages else ""


def needs_board(name: str) -> pytest.MarkDecorator:
    reason = missing(name)
    return pytest.mark.skipif(bool(reason), reason=reason)
