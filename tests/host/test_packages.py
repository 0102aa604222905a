"""What mip installs is the whole runtime, but for what only CPython needs."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import inlier
from broker import HANGS_S
from inlier_boards.emulators import unix_board
from inlier_boards.serial_line.connection import Connection

FIRMWARE = Path(__file__).parents[2] / "firmware"


def test_an_index_for_mip_says_the_version_that_it_gives():
    told = json.loads((FIRMWARE / "package.json").read_text())
    assert told["version"] == inlier.__version__


def test_mip_installs_every_file_of_the_runtime():
    urls = json.loads((FIRMWARE / "package.json").read_text())["urls"]
    files = {str(p.relative_to(FIRMWARE)) for p in (FIRMWARE / "inlier").rglob("*.py")}
    cpython = {
        f"inlier/{name}.py"
        for name in ("socket_cpython", "counting_cpython", "packet_socket_cpython")
    }
    assert {source for _, source in urls} == files - cpython
    assert all(target == source for target, source in urls)


@pytest.mark.slow
@pytest.mark.micropython
def test_mip_installs_it_on_a_board_from_a_local_index(tmp_path):
    """With the layout of micropython.org/pi/v2: package/<.mpy
    version>/<name>/latest.json.
    """
    place = tmp_path / "index/package/6/inlier"
    shutil.copytree(FIRMWARE, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "package.json").rename(place / "latest.json")
    flash = tmp_path / "flash"
    flash.mkdir()
    handler = functools.partial(Quiet, directory=str(tmp_path / "index"))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        unix_board.plugged(flash) as port,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{server.server_port}"
        command = [
            sys.executable,
            "-m",
            "mpremote",
            "connect",
            port,
            "mip",
            "install",
            "--index",
            index,
            "inlier",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=False)
        server.shutdown()
        assert done.returncode == 0, done.stdout + done.stderr
        for _, source in json.loads((FIRMWARE / "package.json").read_text())["urls"]:
            assert (flash / "lib" / source).read_bytes() == (FIRMWARE / source).read_bytes()
        line = Connection(port)
        line.connect(port, soft_reset=True)
        said = line.execute(
            "from inlier import pipeline, recorder, __version__\nfrom inlier.secure import "
            "slots\nprint(__version__)"
        )
        assert said.strip() == inlier.__version__
        line.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
