"""What is copied onto a board, compiled or as source; how much flash it takes,
and whether the model leaves the application its memory.
"""

import subprocess
from dataclasses import replace

import pytest

from inlier.kernels import native
from inlier.model import Model
from inlier_boards.build import micropython
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import budget, payload
from inlier_boards.deployment.identify import Facts
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

PICO = Facts(
    "micropython", (1, 25, 0), "Raspberry Pi Pico W with RP2040", (6, 3), "armv6m", 4096, 800_000,
    "/lib", "", False,
)  # fmt: skip
COUNTERS = ("a", "b", "c")
BLOB = pack(random_detector(1, (8,), COUNTERS, (0,)))
MODEL = Model(BLOB)


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """mpy-cross on PATH that prints its arguments, and says what `version`
    holds, with an exit code that means nothing.
    """
    (tmp_path / "version").write_text("MicroPython v1.25; mpy-cross emitting mpy v6.3\n")
    path = tmp_path / "mpy-cross"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then cat {tmp_path}/version; exit 1; fi\n'
        f"test -e {tmp_path}/broken && exit 1\n"
        'echo "$*"\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "version"


def test_a_compiler_of_the_board_s_version_compiles_each_file_for_its_chip(compiler):
    contents = payload.runtime(PICO, read_board("pico_w"))
    assert {"inlier/model.mpy", "inlier/kernels/thumb.mpy", "inlier/secure/slots.mpy"} <= {
        *contents
    }
    assert "inlier/sinks/mqtt.mpy" in contents and "inlier/recorder.mpy" in contents
    assert not any(name.endswith(".py") for name in contents)
    said = contents["inlier/model.mpy"].decode()
    assert said.startswith("-march=armv6m -s inlier/model.py -o - "), (
        "errors name it as it is there"
    )
    assert said.rstrip().endswith("firmware/inlier/model.py")


def test_a_board_that_runs_no_native_code_gets_the_plain_kernel_and_no_architecture(compiler):
    contents = payload.runtime(replace(PICO, arch=""), read_board("pico_w"))
    assert "inlier/kernels/plain.mpy" in contents
    assert not {"inlier/kernels/thumb.mpy", "inlier/kernels/viper.mpy"} & {*contents}
    assert contents["inlier/model.mpy"].startswith(b"-s inlier/model.py")


@pytest.mark.parametrize("said", ["mpy v6.2", "mpy v5.3", "mpy v7.3", "mpy v6.4", "no version"])
def test_another_compiler_s_files_would_not_load_so_the_source_is_copied(compiler, said):
    compiler.write_text(said)
    contents = payload.runtime(PICO, read_board("pico_w"))
    assert contents["inlier/model.py"] == (payload.FIRMWARE / "inlier/model.py").read_bytes()
    assert "inlier/kernels/thumb.py" in contents and not any(".mpy" in name for name in contents)


def test_what_does_not_compile_is_not_replaced_by_the_file_before(compiler):
    (compiler.parent / "broken").touch()
    with pytest.raises(subprocess.CalledProcessError):
        payload.runtime(PICO, read_board("pico_w"))


def test_a_compiler_without_risc_v_s_assembler_leaves_that_kernel_out(compiler):
    """mpy-cross of MicroPython 1.24 and the same .mpy version."""
    path = compiler.parent / "mpy-cross"
    path.write_text(path.read_text().replace("echo", 'case "$*" in *rv32.py) exit 1; esac\necho'))
    contents = payload.runtime(replace(PICO, arch="rv32imc"), read_board("esp32c3"))
    assert "inlier/kernels/viper.mpy" in contents and "inlier/kernels/rv32.mpy" not in contents


def test_a_compiler_that_has_to_be_built_is_and_one_that_cannot_be_is_done_without(
    compiler, monkeypatch
):
    ours = compiler.parent / "mpy-cross"
    asked = []
    monkeypatch.setattr(payload.shutil, "which", lambda name: None)
    monkeypatch.setattr(micropython, "mpy_cross", lambda say: asked.append(say) or ours)
    assert "inlier/model.mpy" in payload.runtime(PICO, read_board("pico_w"), print)
    assert asked == [print], "what it does meanwhile is shown"

    def cannot(say):
        raise BadInput("no compiler")

    monkeypatch.setattr(micropython, "mpy_cross", cannot)
    assert "inlier/model.py" in payload.runtime(PICO, read_board("pico_w"))


def test_the_digest_tells_any_two_runtimes_apart_and_knows_no_order():
    one = payload.digest({"a": b"1", "b": b"2"})
    assert one == payload.digest({"b": b"2", "a": b"1"})
    for other in ({"a": b"1"}, {"a": b"2", "b": b"1"}, {"a": b"1", "c": b"2"}, {"a": b"1b 1\n2"}):
        assert payload.digest(other) != one, other


def test_files_take_whole_blocks_of_flash_and_folders_two():
    assert payload.bytes_on_flash([0, 1, 4095, 4096, 4097], 3, 4096) == 4096 * (0 + 1 * 3 + 2 + 6)
    assert payload.bytes_on_flash([], 0, 4096) == 0


def test_the_need_is_the_model_its_kernel_s_memory_three_rows_of_windows_and_the_runtime():
    work, _, _, _ = native.prepare(MODEL)
    rows = 3 * 4 * len(COUNTERS)  # int32
    assert budget.need(MODEL) == budget.Need(5632 + len(work) + rows + len(BLOB), len(BLOB))


@pytest.mark.parametrize("what", ["heap", "flash"])
def test_a_model_may_take_a_quarter_and_not_a_byte_more(what):
    needed = getattr(budget.need(MODEL), what)
    there = replace(read_board("pico_w"), heap_bytes=1 << 30, flash_bytes=1 << 30)
    budget.check(replace(there, **{f"{what}_bytes": 4 * needed}), MODEL)
    with pytest.raises(BadInput, match=f"needs {needed} bytes of {what}, pico_w has {needed - 1}"):
        budget.check(replace(there, **{f"{what}_bytes": 4 * needed - 1}), MODEL)
    budget.check(replace(there, **{f"{what}_bytes": 0}), MODEL)  # a computer: nobody counts there
