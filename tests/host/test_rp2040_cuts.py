"""The power fails at every write to the flash of an emulated Pico, which its
firmware boots from as it then is.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inlier_boards.build.firmware import runtime_files
from inlier_boards.build.micropython import mpy_cross
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import payload
from inlier_boards.deployment.identify import DEVICE
from inlier_boards.emulators import rp2040
from inlier_boards.emulators.rp2040.disk import BLOCK_BYTES, littlefs
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from test_power_cuts import KINDS
from tools_missing import needs_board

POWER_CUTS = Path(__file__).parents[1] / "device/power_cuts.py"
ERASE, PROGRAM = 0x20, 0x02
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(4 * 3600),  # some seconds of a processor a write
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
    needs_board("pico"),
]


class Flash:
    """A file system, at the end of flash."""

    def __init__(self, content: bytes, flash_bytes: int) -> None:
        self.content = bytearray(content)
        self._start = flash_bytes - len(content)

    def carry_out(self, command: bytes, whole: bool = True) -> None:
        """whole: or only the first half of the bytes, when the power failed."""
        at = int.from_bytes(command[1:4], "big") - self._start
        assert command[0] in (ERASE, PROGRAM) and 0 <= at < len(self.content)
        new = command[4:]
        if command[0] == ERASE:
            new = b"\xff" * BLOCK_BYTES
        else:  # bits are cleared, none is set
            new = bytes(a & b for a, b in zip(self.content[at:], new, strict=False))
        if not whole:
            new = new[: len(new) // 2]
        self.content[at : at + len(new)] = new


def commands(journal: bytes) -> Iterator[bytes]:
    """Of what the launcher kept."""
    while journal:
        size = int.from_bytes(journal[:2], "little")
        yield journal[2 : 2 + size]
        journal = journal[2 + size :]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_whole_whenever_the_power_fails(kind, tmp_path):
    """Of a model's update, the state, the ring of windows, the log of alarms
    and a runtime's upgrade.
    """
    board = read_board("pico")
    assert board.rp2040
    image = rp2040.checked(board)
    runtime = runtime_files((board.kernel,), secure=True, sinks=True, recorder=True)
    files = {
        f"lib/{path}": content
        for path, content in payload.compiled(mpy_cross(), board.mpy_arch, runtime).items()
    }
    for path in (POWER_CUTS, DEVICE / "install.py"):
        files[f"lib/{path.name}"] = path.read_bytes()
    d = random_detector(3, (8,), counters=("a", "b", "c"))
    for name, number in (("one", 1), ("other", 2)):
        files[name] = pack(replace(d, number=number, warmup=5 + number))
    disk = littlefs(files, board.rp2040.disk_bytes)
    there = f"power_cuts.{kind}(power_cuts.blob('/one'), power_cuts.blob('/other'))"
    begin = f"import os, power_cuts; os.chdir('/cut'); it = {there}; "

    def found(content: bytes, whole: bool) -> str:
        with rp2040.emulated(board, image, content) as (guest, _):
            return guest.execute(begin + f"print(it.check({whole}))").strip()

    journal = tmp_path / "journal"
    with rp2040.emulated(board, image, disk, journal) as (guest, _):
        guest.execute("import os; os.mkdir('/cut')")
        guest.execute(begin + "it.prepare()")
        prepared = journal.stat().st_size
        guest.execute("it.run()")
    flash = Flash(disk, board.flash_bytes)
    for command in commands(journal.read_bytes()[:prepared]):
        flash.carry_out(command)
    assert found(bytes(flash.content), True) == "False", "as it was before"
    cuts = 0
    for command in commands(journal.read_bytes()[prepared:]):
        torn = Flash(bytes(flash.content), board.flash_bytes)
        torn.carry_out(command, whole=False)
        assert found(bytes(torn.content), False) == "True", f"cut at write {cuts}"
        flash.carry_out(command)
        cuts += 1
    assert found(bytes(flash.content), True) == "True", "as it is now"
    assert cuts >= KINDS[kind]
    print(kind, cuts, "cuts")
