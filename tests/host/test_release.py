"""A release's packages, installed by mpremote from a local index."""

import functools
import http.server
import subprocess
import sys
import threading

import pytest

from broker import HANGS_S
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import release
from inlier_boards.emulators import unix_board

pytestmark = pytest.mark.micropython


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The address of one with this machine's architecture among the boards'."""
    folder = tmp_path_factory.mktemp("release")
    archs = {**release.architectures(), "x64": read_board("unix").kernels}
    release.write_index(release.packages(archs), folder)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    serve = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def mpremote(port, *arguments):
    done = subprocess.run(
        # resume: the interpreter has just begun, a soft reset would begin
        # another
        [sys.executable, "-m", "mpremote", "connect", port, "resume", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_mip_installs_the_runtime_in_parts_from_a_local_index(index, tmp_path):
    with unix_board.plugged(tmp_path) as port:
        mpremote(port, "mip", "install", "--index", index, "inlier-x64")
        seen = "from inlier.kernels import chosen; print(chosen.__name__)"
        assert "inlier.kernels.viper" in mpremote(port, "exec", seen)
        assert not (tmp_path / "lib/inlier/sinks").exists()
        assert not (tmp_path / "lib/inlier/secure").exists()
        mpremote(port, "mip", "install", "--index", index, "inlier-sinks", "inlier-secure")
        seen = "from inlier.sinks import log; from inlier.secure import slots; print('both')"
        assert "both" in mpremote(port, "exec", seen)
    installed = [path.suffix for path in (tmp_path / "lib").rglob("*") if path.is_file()]
    assert set(installed) == {".mpy"}, "precompiled: a small board compiles nothing"


def test_a_board_without_native_code_takes_the_sources(index, tmp_path):
    with unix_board.plugged(tmp_path) as port:
        mpremote(port, "mip", "install", "--index", index, "--no-mpy", "inlier")
        assert "plain" in mpremote(port, "exec", "from inlier.kernels import plain; print(plain)")
    assert (tmp_path / "lib/inlier/model.py").exists()


def test_every_board_that_is_hardware_has_its_package():
    assert {"armv6m", "armv7emsp", "xtensawin", "rv32imc"} <= set(release.architectures())
