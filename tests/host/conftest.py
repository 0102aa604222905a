"""The command line, called in this process: inlier(arguments…) gives exit code,
output and errors.
"""

import sys

import pytest

from inlier_host import cli


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
