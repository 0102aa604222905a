"""The command line, called in this process: inlier(arguments…) gives exit code,
output and errors.
"""

import sys

import pytest

from broker import HANGS_S
from inlier_boards.emulators.emulator import Emulated
from inlier_boards.serial_line.connection import Connection
from inlier_host import cli


@pytest.fixture(scope="session", autouse=True)
def patience():
    """What a person would give up is given time: on a busy machine an answer is
    late, not missing.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "answer_s", HANGS_S)
        patch.setattr(Emulated, "answer_s", HANGS_S)
        yield


@pytest.fixture
def inlier(monkeypatch, capsys):
    def run(*args):
        monkeypatch.setattr(sys, "argv", ["inlier", *map(str, args)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        out, error = capsys.readouterr()
        return code, out, error

    return run
