"""The real firmware of a board, emulated: needs an image, which a user names
(INLIER_PICO_W_UF2). Minutes of a processor each.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from broker import HANGS_S, eventually
from inlier_boards.build.firmware import runtime_files
from inlier_boards.build.micropython import mpy_cross
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import payload
from inlier_boards.emulators import rp2040
from inlier_boards.emulators.emulate import emulate
from inlier_boards.leash import leashed
from inlier_boards.serial_line.connection import Connection
from inlier_export import golden, reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import COUNTERS, extreme_windows, random_detector, with_thresholds
from inlier_trainer.recordings import Recording
from names import everywhere
from test_parity import WINDOWS
from tools_missing import needs_board, needs_tool

DEVICE = Path(__file__).parent / "device_of_rp2040"
JOIN_S = 1800
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
]


def emulated_windows(name: str) -> None:
    detector = random_detector(5)
    rows = golden.extremes(len(detector.counters))[:40]
    place = np.arange(len(rows))
    marks = np.stack([1 + (place >= 20), place, place != 10], axis=1)
    done = emulate(
        read_board(name), pack(detector), Recording(detector.counters, rows, marks=marks)
    )
    assert (done.kernel, done.mismatches) == ("thumb", 0), "booted twice, and lost a window"
    assert done.windows == len(rows) - 1
    assert (done.cost % 8 == 0).all() and 0 < done.cost.max() < 100_000_000, "cycles of the guest"


@needs_board("pico")
def test_a_pico_s_firmware_that_is_built_here_gives_the_reference_s_integers():
    emulated_windows("pico")


@needs_board("pico_w")
def test_a_pico_w_s_own_firmware_gives_the_reference_s_integers():
    emulated_windows("pico_w")


PLACES = [pytest.param(name, marks=needs_board(name)) for name in ("pico", "pico_w")]


@needs_board("pico")
def test_a_guest_that_hangs_is_one_sentence_and_leaves_no_process():
    board = read_board("pico")
    with rp2040.emulated(board, rp2040.checked(board)) as (guest, there):
        with pytest.raises(BadInput, match="^pico: ended, it did not answer within 3 s") as caught:
            guest.execute("while True: pass", limit_s=3)
        assert "\n" not in str(caught.value)
        assert there.process.wait(HANGS_S) != 0, "ended, before whoever plugged it in leaves"


@needs_board("pico")
def test_it_is_plugged_in_as_a_serial_port_and_unplugged_with_the_command():
    command = [sys.executable, "-m", "inlier_boards.serial_line.plug", "pico"]
    with subprocess.Popen(leashed(command), stdout=subprocess.PIPE, text=True) as plug:
        port = plug.stdout.readline().strip()
        device = Connection(port)
        device.connect(port)
        assert device.execute("import sys; print(sys.platform)").strip() == "rp2"
        device.close()
        plug.terminate()
        assert plug.wait(HANGS_S) == 128 + signal.SIGTERM
    eventually(lambda: not Path(port).exists())  # the emulator has gone


@pytest.mark.timeout(2 * 3600)  # ten minutes of a processor each
@pytest.mark.parametrize("where", PLACES)
def test_windows_with_extremes_among_them_give_the_reference_s_integers(where):
    """Those of test_parity."""
    deltas = extreme_windows(5, WINDOWS)
    detector = random_detector(3)
    detector = with_thresholds(detector, reference.run(detector, deltas))
    done = emulate(read_board(where), pack(detector), Recording(COUNTERS, deltas))
    assert (done.kernel, done.windows, done.mismatches) == ("thumb", WINDOWS, 0)
    assert done.trace.hot.any() and (done.trace.event > 0).any()


@needs_board("pico_w")
@needs_tool("strace")
def test_what_a_pico_w_sends_over_wi_fi_is_counted_and_never_leaves_loopback(tmp_path):
    """Its lwIP asks for a name, a server, one that is not there, and places in
    the world; strace sees every address that the emulator's process names.
    """
    board = read_board("pico_w")
    with (
        socket.create_server(("127.5.6.7", 0)) as server,
        everywhere("10.5.6.7") as names,
    ):
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        runtime = runtime_files(board.kernels)
        compiled = payload.compiled(mpy_cross(), board.mpy_arch, runtime)
        files = {f"lib/{path}": content for path, content in compiled.items()}
        files["calls.py"] = (DEVICE / "calls.py").read_bytes()
        with rp2040.plugged(board, rp2040.checked(board), files, names) as there:
            seen = tmp_path / "strace"
            watch = subprocess.Popen(
                leashed(
                    [
                        shutil.which("strace"),
                        *("-f", "-qq", "-e", "trace=network", "-o", seen),
                        *("-p", str(there.process.pid)),
                    ]
                ),
            )
            guest = rp2040.Guest(board, there)
            try:
                guest.connect(there.port)
                said = guest.execute(f"import calls; calls.main({port})", limit_s=JOIN_S)
            finally:
                guest.close()
                watch.terminate()
                watch.wait()
            denied = there.denied.read_text()
    assert said.splitlines() == [
        "name 10.5.6.7",
        "server hello",
        "refused True",
        "elsewhere False",
        "elsewhere False",
        "bytes_out 4",
        "bytes_in 5",
        "sends 1",
        "receives 1",
        "connects 4",
        "connects_refused 1",
        "connects_failed 2",
        "datagrams_out 1",
        "lookups 1",
        "peers 4",
        "ports 5",
        "peers_new 4",
    ]
    assert "denied tcp 8.8.8.8:53" in denied and "denied tcp 192.168.1.1:80" in denied
    addresses = re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(\S+ "([^"]+)"', seen.read_text())
    named = {first or second for first, second in addresses}
    assert {"127.5.6.7", "127.0.0.9"} <= named, "strace saw what was allowed"
    assert all(address.startswith("127.") for address in named), named


def _greet(server: socket.socket) -> None:
    with server.accept()[0] as client:
        client.sendall(b"hello")
        # MicroPython whose peer closes before connect() returns raises from it
        client.recv(1)
