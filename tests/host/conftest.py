"""The command line, called in this process: inlier(arguments…) gives exit code,
output and errors. And the model that tests share.
"""

import sys

import pytest

from broker import HANGS_S, umqtt_or_skip
from inlier_boards.build import umqtt
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


@pytest.fixture(scope="session")
def trained():
    """A model of 1,200 windows that device_of_tests.benign makes up, and what
    is known of it: a fit takes seconds, and no test changes it.
    """
    from device_of_tests import SETTINGS, benign
    from inlier_trainer.train import train

    return train([benign(1200)], SETTINGS, "w.csv")


@pytest.fixture
def mqtt():
    umqtt_or_skip()
    umqtt.importable()
    from inlier.sinks import mqtt

    return mqtt


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
