"""Instructions that MicroPython's inline assembler does not know stand in the
kernels as numbers: the comment beside them is what an assembler makes them of.
"""

import re
import subprocess
import warnings

import pytest

from inlier_boards.build.firmware import FIRMWARE
from inlier_boards.catalogue import read_board
from tools_missing import needs_board

DATA = re.compile(r"^ +data\(2, (0x\w{4}(?:, 0x\w{4})?)\)  # (.+)$", re.M)


@needs_board("qemu_m33")
@pytest.mark.parametrize("name", ["dsp", "thumb_autoencoder"])
def test_each_number_is_what_its_comment_says(name, tmp_path):
    source = (FIRMWARE / f"inlier/kernels/{name}.py").read_text()
    found = DATA.findall(source)
    assert len(found) == source.count("    data(2,") > 0, "each has its comment"
    numbers = [int(number, 16) for numbers, _ in found for number in numbers.split(", ")]
    text = [".syntax unified", ".thumb", *(instruction for _, instruction in found), ""]
    (tmp_path / "t.s").write_text("\n".join(text))
    gcc = read_board("qemu_m33").build.compiler
    subprocess.run(
        [gcc, "-mcpu=cortex-m33", "-c", tmp_path / "t.s", "-o", tmp_path / "t.o"], check=True
    )
    copy = [gcc.replace("gcc", "objcopy"), "-O", "binary", tmp_path / "t.o", tmp_path / "t.bin"]
    subprocess.run(copy, check=True)
    made = (tmp_path / "t.bin").read_bytes()
    assert made == b"".join(number.to_bytes(2, "little") for number in numbers)


def test_cpython_compiles_every_file_of_the_runtime_without_a_warning():
    """It tries each kernel, and would tell the user of a device's code."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in (FIRMWARE / "inlier").rglob("*.py"):
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
