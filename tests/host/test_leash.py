"""What a test starts ends with it, also when the test is killed and can tidy
nothing up.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inlier_boards.leash import leashed
from tools_missing import needs_board, needs_tool

HERE = Path(__file__).parent
# Each prints the process ids of what it started, and waits to be killed.
STARTS = {
    "qemu": """
from inlier_boards.catalogue import read_board
from inlier_boards.emulators import emulator
with emulator.plugged(read_board("qemu_m0"), stock=True) as there:
    print(there.process.pid, flush=True)
    sys.stdin.read()
""",
    "unix board": """
from inlier_boards.emulators import unix_board
with unix_board.plugged(Path(sys.argv[1])) as port:
    print(*children(), flush=True)
    sys.stdin.read()
""",
    "mosquitto": """
from broker import Broker
with Broker(Path(sys.argv[1])):
    print(*children(), flush=True)
    sys.stdin.read()
""",
    "chromium": """
from browser import chromium
with chromium() as open_page:
    open_page("about:blank")
    print(*children(), flush=True)
    sys.stdin.read()
""",
}
BEGIN = """
import os, sys
from pathlib import Path
def children(of=None):
    tasks = Path(f"/proc/{of or os.getpid()}/task").iterdir()
    for child in " ".join((task / "children").read_text() for task in tasks).split():
        yield child
        yield from children(child)
"""


def starts(*needs):
    return pytest.param(*needs[:1], marks=needs[1:])


@pytest.mark.parametrize(
    "what",
    [
        starts("qemu", needs_board("qemu_m0")),
        starts("unix board", pytest.mark.micropython),
        starts("mosquitto", needs_tool("mosquitto")),
        starts("chromium", needs_tool("chromium")),
    ],
)
def test_what_a_killed_process_started_ends_too(what, tmp_path):
    path = os.pathsep.join([str(HERE), *sys.path])
    with subprocess.Popen(
        leashed([sys.executable, "-c", BEGIN + STARTS[what], tmp_path]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        started = [os.pidfd_open(int(pid)) for pid in process.stdout.readline().split()]
        assert started, "it said what it started"
        process.send_signal(signal.SIGKILL)
        process.wait()
    try:
        left = set(started)
        while left:  # a handle is ready when its process has ended
            ended, _, _ = select.select(left, [], [], 120)
            assert ended, "what it started runs on"
            left -= set(ended)
    finally:
        for handle in started:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


def test_whose_parent_has_ended_already_does_not_begin(tmp_path):
    """Between the start and the leash: here the parent's number is another's."""
    command = leashed(["touch", tmp_path / "begun"])
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, check=False).returncode != 0
    assert not (tmp_path / "begun").exists()
