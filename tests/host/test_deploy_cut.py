"""A deployment that is cut, or lied to: what was sent is there byte by byte, no
rest of a former copy comes along, and a runtime is whole at every moment.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from inlier_boards.deployment import deploy as deploying
from inlier_boards.deployment.identify import DEVICE
from inlier_boards.serial_line.connection import Connection
from inlier_export.errors import BadInput
from test_deploy import MODEL, OTHER, deploy, files, flash, port

__all__ = ["flash", "port"]  # fixtures

RUNTIME = {"model.mpy": b"new", "kernels/viper.mpy": b"new"}
FORMER = {"model.mpy": b"former", "kernels/viper.mpy": b"former", "gone.mpy": b"former"}


class Board:
    """A connection to flash that is a dict; `keeps` says what it makes of what
    is written.
    """

    name = "board"

    def __init__(self, keeps):
        self._keeps = keeps
        self.flash = {}

    def execute(self, code):
        return ""

    def write(self, path, content, copied):
        self.flash[path] = self._keeps(path, content)
        copied(len(content))

    def sha256(self, path):
        return hashlib.sha256(self.flash[path]).digest()


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: c[:-1] + b"?", lambda c: b""]
)
@pytest.mark.parametrize("name", ["inlier/model.mpy", "inlier/alarm.mpy", "model.inlier"])
def test_each_file_that_is_copied_is_read_back_whatever_its_place(damage, name):
    contents = dict.fromkeys(("inlier/model.mpy", "inlier/alarm.mpy", "model.inlier"), b"content")

    def copy(keeps):
        board = Board(keeps)
        deploying._copy(board, "lib", "lib/.inlier", contents, lambda stage, done, total: None)
        return board

    assert set(copy(lambda path, content: content).flash.values()) == {b"content"}
    with pytest.raises(BadInput, match=f"board: {name} is not on the board as it was sent"):
        copy(lambda path, content: damage(content) if path.endswith(name) else content)


def test_a_byte_that_the_line_turns_over_stops_the_deployment(flash, port, monkeypatch):
    (flash / "model.inlier").write_bytes(MODEL)
    write = Connection.write

    def turned(connection, path, content, *rest):
        if path.endswith("model.inlier"):
            content = content[:500] + bytes([content[500] ^ 4]) + content[501:]
        return write(connection, path, content, *rest)

    monkeypatch.setattr(Connection, "write", turned)
    with pytest.raises(BadInput, match="model.inlier is not on the board as it was sent"):
        deploy(port, OTHER)
    assert (flash / "model.inlier").read_bytes() == MODEL and not (flash / "lib/.inlier").exists()


def test_the_rest_of_a_copy_that_was_cut_does_not_come_along(flash, port):
    rest = flash / "lib/.inlier/inlier/kernels"
    rest.mkdir(parents=True)
    (rest / "thumb.mpy").write_bytes(b"of another board")
    (rest.parent / "renamed_since.mpy").write_bytes(b"of an older version")
    deploy(port)
    assert "lib/inlier/kernels/viper.mpy" in files(flash)
    assert not {"lib/inlier/kernels/thumb.mpy", "lib/inlier/renamed_since.mpy"} & files(flash)


class PowerCut(Exception):
    pass


def installing(power):
    """What device/install.py defines, with a file system that loses power
    before change number `power`.
    """
    left = [power]

    def changing(name):
        def change(*paths):
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            getattr(os, name)(*paths)

        return change

    names = ("rename", "remove", "rmdir", "mkdir")
    flash = SimpleNamespace(**{name: changing(name) for name in names})
    flash.stat = os.stat
    flash.ilistdir = lambda path: [(name, 0, 0) for name in sorted(os.listdir(path))]
    scope = {"os": flash}
    exec((DEVICE / "install.py").read_text().replace("import os\n", ""), scope)
    return scope


def put(folder: Path, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def holds(folder: Path):
    names = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def runs(flash: Path):
    """The runtime that `import inlier` takes: sys.path has the current folder
    before lib.
    """
    return holds(flash / ("inlier" if (flash / "inlier").exists() else "lib/inlier"))


@pytest.mark.parametrize("left", [False, True], ids=["whole", "after a former cut"])
def test_the_power_may_fail_before_any_change_of_an_installation(left, tmp_path, monkeypatch):
    """A runtime is whole at every moment, and as long as the model is the
    former one, the runtime that it ran with is there.
    """
    for power in range(100):
        flash = tmp_path / str(power)
        put(flash / "lib/inlier", FORMER)
        if left:  # between its place and the current folder
            put(flash / "inlier", FORMER)
            (flash / "lib/inlier/model.mpy").unlink()
        put(flash / "lib/.inlier/inlier", RUNTIME)
        put(flash, {"model.inlier": b"former", "lib/.inlier/model.inlier": b"new"})
        monkeypatch.chdir(flash)
        with contextlib.suppress(PowerCut):
            installing(power)["activate"](
                "lib/.inlier", [("inlier", "lib/inlier")], [("model.inlier", "model.inlier")]
            )
            break
        model = (flash / "model.inlier").read_bytes()
        assert runs(flash) in (FORMER, RUNTIME), power
        assert model == b"new" or FORMER in (runs(flash), holds(flash / "lib/inlier")), power
        assert model == b"former" or runs(flash) == RUNTIME, "a new model on the former runtime"
    assert power > 8, "every change was tried"
    assert holds(flash) == {"model.inlier": b"new"} | {
        f"lib/inlier/{name}": content for name, content in RUNTIME.items()
    }
