"""`inlier deploy`, over a real serial line's stand-in: a pseudo-terminal, to Unix MicroPython or to an emulated board."""

import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tools_missing import needs_board

from boards import deploy as deploying
from boards import emulator, unix_board
from boards.board import board
from boards.connection import Connection
from boards.identify import DEVICE
from export import golden, reference
from export.blob import pack
from export.synthetic import random_detector
from inlier.procfs import Procfs
from trainer.errors import BadInput, Interrupted
from trainer.windows import csv_bytes

PROCFS = replace(random_detector(3, (8,), (0, 63), Procfs.counters, (0, 2)), source="procfs")
MODEL = pack(PROCFS)
OTHER = pack(replace(PROCFS, window_ms=2 * PROCFS.window_ms))


def deploy(port, blob=MODEL, name=None, replay=None, replace_main=True, progress=lambda stage, done, total: None):
    return deploying.deploy(blob, port, name, replay, lambda board: replace_main, lambda: contextlib.nullcontext(progress))


@pytest.fixture
def flash(tmp_path):
    return tmp_path


@pytest.fixture
def port(flash):
    with unix_board.plugged(flash) as port:
        yield port


def files(flash: Path) -> set[str]:
    return {str(path.relative_to(flash)) for path in flash.rglob("*")}


def test_runtime_model_and_example_are_copied_and_tested_there(flash, port):
    done = deploy(port)
    assert (flash / "model.inlier").read_bytes() == MODEL
    assert (flash / "main.py").read_bytes() == (DEVICE / "main_procfs.py").read_bytes()
    assert {"lib/inlier/model.mpy", "lib/inlier/kernels/viper.mpy", "lib/inlier/stream.mpy"} <= files(flash)
    assert not any(name.startswith("lib/.inlier") or name.endswith(".old") for name in files(flash))
    assert done.board.name == "unix" and done.main == "copied" and done.test.kernel == "viper"
    assert done.test.windows == len(golden.extremes(len(Procfs.counters))) and done.test.ms is not None

    again = deploy(port, OTHER)
    assert again.copied == ["model.inlier"] and again.main == "same", "flash wears: what is there is not copied again"
    assert (flash / "model.inlier").read_bytes() == OTHER


def test_another_main_py_is_replaced_only_when_told_so(flash, port):
    (flash / "main.py").write_text("print('mine')")
    assert deploy(port, replace_main=False).main == "kept" and (flash / "main.py").read_text() == "print('mine')"
    assert deploy(port).main == "copied" and "monitor.run" in (flash / "main.py").read_text()


@pytest.mark.parametrize("stage", ["copying", "self-test"])
def test_an_interrupt_leaves_the_old_model_active(flash, port, stage):
    (flash / "model.inlier").write_bytes(MODEL)
    before = files(flash)

    def interrupt(now, done, total):
        if now == stage and done > total // 2:
            raise Interrupted("nothing was replaced")

    with pytest.raises(Interrupted):
        deploy(port, OTHER, progress=interrupt)
    assert (flash / "model.inlier").read_bytes() == MODEL and files(flash) == before


def test_a_cable_pulled_half_way_leaves_the_old_model_and_the_next_copy_clears_up(flash):
    (flash / "model.inlier").write_bytes(MODEL)
    with contextlib.ExitStack() as cable:
        port = cable.enter_context(unix_board.plugged(flash))

        def unplug(stage, done, total):
            if done > total // 2:
                cable.close()

        with pytest.raises(BadInput, match="was unplugged, or stopped answering .* what ran there before runs on"):
            deploy(port, OTHER, progress=unplug)
    assert (flash / "model.inlier").read_bytes() == MODEL and (flash / "lib/.inlier").is_dir()
    with unix_board.plugged(flash) as port:
        assert len(deploy(port, OTHER).copied) > 1
    assert (flash / "model.inlier").read_bytes() == OTHER and not (flash / "lib/.inlier").exists()


def test_a_model_that_scores_otherwise_there_is_not_put_in_place(flash, port, monkeypatch):
    (flash / "model.inlier").write_bytes(MODEL)
    right = reference.run(PROCFS, np.minimum(golden.extremes(len(Procfs.counters)), (1 << 30) - 1))
    right.svm[5] += 1
    monkeypatch.setattr(reference, "run", lambda detector, rows: right)
    with pytest.raises(BadInput, match="unix: self-test, window 5: the board gives .* nothing was replaced"):
        deploy(port)
    assert (flash / "model.inlier").read_bytes() == MODEL and not (flash / "lib/.inlier").exists()


@needs_board("qemu_m0")
def test_onto_the_emulated_pico_by_the_command_line(tmp_path):
    detector = random_detector(5)
    model = tmp_path / "replayed.inlier"
    model.write_bytes(pack(detector))
    rows = golden.extremes(len(detector.counters))
    (tmp_path / "windows.csv").write_bytes(csv_bytes(detector.counters, np.minimum(rows, (1 << 30) - 1)))
    with emulator.plugged(board("qemu_m0"), stock=True) as there:
        command = [sys.executable, "-m", "trainer", "deploy", model, "--port", there.port, "--json"]
        command += ["--replay", tmp_path / "windows.csv"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["board"] == "qemu_m0" and said["main"] == "copied" and 300_000 < said["free_bytes"] < 393_216
        test = said["self_test"]
        assert test["kernel"] == "thumb" and test["windows"] == len(rows)
        assert 10_000 < test["instructions"] < 60_000 and 8_000 < test["heap_bytes"] < 20_000
        line = Connection(there.port)
        line.connect(there.port)
        assert line.read("model.inlier") == model.read_bytes()
        line.close()
