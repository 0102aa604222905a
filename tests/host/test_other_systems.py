"""What is tried of Windows and macOS without either: the command line where
Python lacks what only Unix, or only Linux, has.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"
DOORBELL, WINDOWS = RECORDED / "doorbell.inlier", RECORDED / "windows.csv"
WITHOUT = """
import os, signal, socket, sys
for name in ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
for module, names in (
    (os, "O_NONBLOCK O_CLOEXEC getuid geteuid set_blocking fork setsid killpg openpty mkfifo"),
    (signal, "SIGKILL SIGHUP SIGALRM"),
    (socket, "AF_UNIX AF_PACKET"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
from inlier_host import cli
cli.main()
"""


def elsewhere(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "Usage: inlier"),
        (["monitor", DOORBELL, "--replay", WINDOWS, "--json", "--count", 2], '{"index": 1,'),
        (["verify", "--allow-unsigned", DOORBELL], "its self-test passes"),
        (["export", DOORBELL, "-o", "signed", "--key", "key"], "signed"),
        (["report", DOORBELL, "--windows", WINDOWS, "-o", "report.html"], "report.html"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_needs_no_board_of_its_own_runs(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    Path("key").write_text("00" * 32)
    done = elsewhere(*arguments)
    assert done.returncode == 0 and expected in done.stdout + done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["emulate", DOORBELL, "--replay", WINDOWS], ["bench"], ["selfcheck"], ["demo", "-o", "demo"]],
    ids=lambda value: value[0],
)
def test_what_builds_says_where_it_runs(tmp_path, monkeypatch, arguments):
    """And asks for no tool first that is not to be had there."""
    monkeypatch.chdir(tmp_path)
    done = elsewhere(*arguments, INLIER_CACHE=str(tmp_path), MICROPYTHON="", PATH=str(tmp_path))
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == (
        "inlier: MicroPython and what runs it are built on Linux alone: run this command there, on "
        "Windows in WSL"
    )
