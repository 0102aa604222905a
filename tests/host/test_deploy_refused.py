"""`inlier deploy` with the wrong board, model or port: a sentence and a way
out, exit 2, and the old model runs on.
"""

import contextlib
import os
import pty
import signal
import time
import tty
from dataclasses import replace
from types import SimpleNamespace

import pytest
from serial import Serial
from serial.tools import list_ports

from broker import eventually
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import identify, payload
from inlier_boards.deployment.identify import ARCHITECTURES, Facts
from inlier_boards.emulators import emulator, unix_board
from inlier_boards.serial_line.connection import Connection
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from test_cli import refused
from test_deploy import MODEL, OTHER, deploy
from tools_missing import needs_board

pytestmark = pytest.mark.micropython

PICO = Facts(
    "micropython",
    (1, 25, 0),
    "Raspberry Pi Pico W with RP2040",
    (6, 3),
    "armv6m",
    4096,
    800_000,
    "/lib",
    "",
    False,
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "other.inlier"
    path.write_bytes(OTHER)
    return path


@pytest.fixture
def flash(tmp_path):
    """Of a board on which a model runs."""
    flash = tmp_path / "flash"
    flash.mkdir()
    (flash / "model.inlier").write_bytes(MODEL)
    (flash / "main.py").write_text("f = open('boots', 'a')\nf.write('x')\nf.close()\n")
    return flash


@pytest.fixture
def port(flash):
    with unix_board.plugged(flash) as port:
        yield port
    assert (flash / "model.inlier").read_bytes() == MODEL and not (flash / "lib/.inlier").exists()


class Plugged:
    """A mock of what USB lists: this machine has no board."""

    def __init__(self, device, vid):
        self.device = device
        self.vid = vid


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        (
            [],
            "no board found: plug it in with a cable that carries data, or name its port with "
            "--port",
        ),
        ([Plugged("/dev/ttyS0", None)], "no board found"),  # a port of the computer itself
        (
            [Plugged("/dev/ttyACM1", 0x2E8A), Plugged("/dev/ttyACM0", 0x303A)],
            "2 boards found (/dev/ttyACM0, /dev/ttyACM1)",
        ),
    ],
)
def test_without_a_port_there_must_be_one_board(inlier, monkeypatch, model, ports, expected):
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    refused(inlier("deploy", model), expected)


def test_a_port_that_is_none(inlier, model):
    refused(
        inlier("deploy", model, "--port", "/dev/ttyNONE"),
        "/dev/ttyNONE: no such port: plug in the board",
    )
    refused(inlier("deploy", model, "--port", model), "it is no serial port")


def test_a_port_in_use(inlier, model, port):
    with Serial(port, exclusive=True):
        refused(
            inlier("deploy", model, "--port", port),
            f"{port}: the port is in use by another program: close that one",
        )


@pytest.mark.slow
def test_a_board_without_micropython(inlier, monkeypatch, model):
    monkeypatch.setattr(Connection, "answer_s", 1)
    board, line = pty.openpty()
    tty.setraw(board)
    refused(
        inlier("deploy", model, "--port", os.ttyname(line)),
        "nothing there answers as MicroPython: flash it",
    )


@pytest.mark.slow
def test_a_board_that_talks_without_end(monkeypatch, inlier, model):
    monkeypatch.setattr(Connection, "answer_s", 0.5)
    board, line = pty.openpty()
    tty.setraw(board)
    os.set_blocking(board, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(board, b"hello " * 100)
    refused(
        inlier("deploy", model, "--port", os.ttyname(line)),
        "nothing there answers as MicroPython: flash it",
    )


def test_a_micropython_that_is_too_old(inlier, monkeypatch, model, port):
    monkeypatch.setattr(identify, "OLDEST", (9, 0))
    refused(inlier("deploy", model, "--port", port), f"{port}: the board runs MicroPython 1.")


@pytest.mark.parametrize(
    "printed",
    ["", "tick\n{}", "[" * 5000, "{'mpy': 'x'}", "{'mpy': 0}", "{'mpy': 0, 'name': 'micropython'}"],
)
def test_what_prints_between_makes_no_traceback(printed):
    """A program's timers and threads go on while inlier talks to the board."""
    talks = SimpleNamespace(name="/dev/x", execute=lambda code: printed)
    with pytest.raises(BadInput, match="/dev/x: its answer makes no sense: something else prints"):
        identify.identify(talks)


def test_a_board_is_what_it_says_it_is():
    assert identify.choose(PICO, None).name == identify.choose(PICO, "pico_w").name == "pico_w"
    for machine, arch, name in (
        ("Raspberry Pi Pico 2 W with RP2350", "armv7emsp", "pico2_w"),
        ("Generic ESP32 module with ESP32", "xtensawin", "esp32"),
        ("Generic ESP32S3 module with ESP32S3", "xtensawin", "esp32s3"),
        ("ESP32C3 module with ESP32C3", "rv32imc", "esp32c3"),
    ):
        assert (
            arch in ARCHITECTURES
            and identify.choose(replace(PICO, machine=machine, arch=arch), None).name == name
        )
    with pytest.raises(
        BadInput,
        match="--board esp32: the board says that it is '.*RP2040', pico_w: leave out --board",
    ):
        identify.choose(PICO, "esp32")
    unknown = replace(PICO, machine="Feather M4 with SAMD51", arch="armv7emsp")
    with pytest.raises(
        BadInput,
        match="'Feather M4 with SAMD51', which inlier has no facts of: .* --board, one of esp32",
    ):
        identify.choose(unknown, None)
    # a Cortex-M4 runs a Cortex-M0's code
    assert identify.choose(unknown, "pico_w").name == "pico_w"
    with pytest.raises(
        BadInput, match="--board esp32: its code is for xtensawin, this one runs armv7emsp"
    ):
        identify.choose(unknown, "esp32")
    with pytest.raises(
        BadInput,
        match="--board raspberry_pi: it runs no MicroPython; see boards/raspberry_pi/README.md",
    ):
        identify.choose(unknown, "raspberry_pi")


def wait_for_boots(flash, count):
    boots = flash / "boots"
    eventually(lambda: boots.exists() and len(boots.read_text()) == count)


def test_a_model_for_another_source_and_what_ran_there_runs_on(inlier, tmp_path, flash, port):
    wait_for_boots(flash, 1)
    path = tmp_path / "sockets.inlier"
    detector = random_detector(1, (8,), Sockets.counters, (0,))
    path.write_bytes(pack(replace(detector, source="sockets")))
    refused(
        inlier("deploy", path, "--port", port),
        "the model is for source 'sockets', unix counts 'procfs': train on windows",
    )
    wait_for_boots(flash, 2)


def test_a_model_over_the_budget(inlier, tmp_path, port):
    path = tmp_path / "large.inlier"
    counters = tuple(f"c{i}" for i in range(500))
    path.write_bytes(pack(random_detector(1, (1000,), counters, (0, 2, 4))))
    refused(
        inlier("deploy", path, "--port", port),
        "bytes of heap, unix has 2097152 for it (a quarter of 8388608)",
    )


def test_windows_to_replay_on_a_board_that_counts(inlier, model, tmp_path, port):
    windows = tmp_path / "windows.csv"
    windows.write_text(
        ",".join(Procfs.counters) + "\n" + ",".join("1" for _ in Procfs.counters) + "\n"
    )
    refused(
        inlier("deploy", model, "--port", port, "--replay", windows),
        "--replay: unix has traffic of its own to count",
    )


def test_a_signal_in_the_middle_of_a_command_leaves_the_old_model(flash, port):
    def interrupt(number, frame):
        raise Interrupted("nothing was replaced")

    former = signal.signal(signal.SIGALRM, interrupt)
    begun = []

    def progress(stage, done, total):
        if not begun:
            begun.append(stage)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(0.005)  # so that it comes before the end

    try:
        with pytest.raises(Interrupted):
            deploy(port, OTHER, progress=progress)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@needs_board("qemu_m0")
def test_flash_that_is_too_small_or_fills_up(monkeypatch):
    old = pack(replace(random_detector(5), number=1))
    new = pack(replace(random_detector(5), number=2))
    with emulator.plugged(read_board("qemu_m0"), stock=True) as there:
        line = Connection(there.port)
        line.connect(there.port)
        line.write("model.inlier", old)
        line.execute("f = open('photos', 'w')\nfor i in range(710): f.write('x' * 512)\nf.close()")
        line.close()
        with pytest.raises(
            BadInput, match=r"qemu_m0: \d+ bytes of flash are needed .* \d+ are free: delete files"
        ):
            deploy(there.port, new)
        # another program writes meanwhile
        monkeypatch.setattr(payload, "bytes_on_flash", lambda *sizes: 0)
        with pytest.raises(BadInput, match="its flash is full: delete files there, then try again"):
            deploy(there.port, new)
        line = Connection(there.port)
        line.connect(there.port)
        assert line.read("model.inlier") == old
        assert line.execute("import os; print(sorted(os.listdir('/')), os.listdir('/lib'))").split(
            "\r"
        )[0] == ("['lib', 'model.inlier', 'photos'] []")
        line.close()
