"""`inlier deploy`, over a real serial line's stand-in: a pseudo-terminal, to
Unix MicroPython or to an emulated board.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from inlier.counters import DELTA_MAX
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.catalogue import EXAMPLES
from inlier_boards.deployment import deploy as deploying
from inlier_boards.emulators import unix_board
from inlier_boards.leash import leashed
from inlier_export import golden, reference
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import pack, parsed
from inlier_export.synthetic import random_detector
from inlier_trainer.recordings import read
from tools_missing import needs_board

pytestmark = pytest.mark.micropython

PROCFS = replace(random_detector(3, (8,), Procfs.counters, (0, 2)), source="procfs")
MODEL = pack(PROCFS)
OTHER = pack(replace(PROCFS, window_ms=2 * PROCFS.window_ms))


def deploy(
    port,
    blob=MODEL,
    name=None,
    replay=None,
    replace_main=True,
    progress=lambda stage, done, total: None,
):
    return deploying.deploy(
        parsed(blob),
        port,
        name,
        replay,
        lambda board: replace_main,
        lambda: contextlib.nullcontext(progress),
    )


@pytest.fixture
def flash(tmp_path):
    return tmp_path


@pytest.fixture
def port(flash):
    with unix_board.plugged(flash) as port:
        yield port


def files(flash: Path) -> set[str]:
    return {str(path.relative_to(flash)) for path in flash.rglob("*")}


@pytest.mark.slow
def test_runtime_model_and_example_are_copied_and_tested_there(flash, port):
    done = deploy(port)
    assert (flash / "model.inlier").read_bytes() == MODEL
    assert (flash / "main.py").read_bytes() == (EXAMPLES / "main_procfs.py").read_bytes()
    assert {
        "lib/inlier/model.mpy",
        "lib/inlier/kernels/viper.mpy",
        "lib/inlier/recorder.mpy",
    } <= files(flash)
    assert not any(name.startswith("lib/.inlier") or name.endswith(".old") for name in files(flash))
    assert done.board.name == "unix" and done.main == "copied" and done.test.kernel == "viper"
    assert (
        done.test.windows == len(golden.extremes(len(Procfs.counters))) and done.test.ms is not None
    )

    again = deploy(port, OTHER)
    assert again.copied == ["model.inlier"] and again.main == "same", (
        "flash wears: what is there is not copied again"
    )
    assert (flash / "model.inlier").read_bytes() == OTHER


def test_another_main_py_is_replaced_only_when_told_so(flash, port):
    (flash / "main.py").write_text("print('mine')")
    assert (
        deploy(port, replace_main=False).main == "kept"
        and (flash / "main.py").read_text() == "print('mine')"
    )
    assert deploy(port).main == "copied" and "monitor.run" in (flash / "main.py").read_text()


@pytest.mark.slow
def test_the_command_asks_before_it_replaces_a_main_py(
    inlier, flash, port, tmp_path_factory, monkeypatch
):
    (flash / "main.py").write_text("print('mine')")
    model = tmp_path_factory.mktemp("here") / "model.inlier"
    model.write_bytes(MODEL)
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda question, err: asked.append(question))
    code, out, error = inlier("deploy", model, "--port", port)
    assert code == 0 and asked == ["unix: there is another main.py: replace it?"], error
    assert "its main.py was kept: have it load model.inlier" in out
    code, out, error = inlier("deploy", model, "--port", port, "--json")
    assert code == 0 and json.loads(out)["main"] == "kept" and len(asked) == 1, (
        "a machine is not asked"
    )
    assert (flash / "main.py").read_text() == "print('mine')"
    assert inlier("deploy", model, "--port", port, "--yes")[0] == 0 and len(asked) == 1
    assert (flash / "main.py").read_bytes() == (EXAMPLES / "main_procfs.py").read_bytes()


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

        with pytest.raises(
            BadInput, match="was unplugged, or stopped answering .* what ran there before runs on"
        ):
            deploy(port, OTHER, progress=unplug)
    assert (flash / "model.inlier").read_bytes() == MODEL and (flash / "lib/.inlier").is_dir()
    with unix_board.plugged(flash) as port:
        assert len(deploy(port, OTHER).copied) > 1
    assert (flash / "model.inlier").read_bytes() == OTHER and not (flash / "lib/.inlier").exists()


def test_a_model_that_scores_otherwise_there_is_not_put_in_place(flash, port, monkeypatch):
    (flash / "model.inlier").write_bytes(MODEL)
    right = reference.run(PROCFS, np.minimum(golden.extremes(len(Procfs.counters)), DELTA_MAX))
    right.svm[5] += 1
    monkeypatch.setattr(reference, "run", lambda detector, rows: right)
    with pytest.raises(
        BadInput, match="unix: self-test, window 5: the board gives .* nothing was replaced"
    ):
        deploy(port)
    assert (flash / "model.inlier").read_bytes() == MODEL and not (flash / "lib/.inlier").exists()


@pytest.mark.slow
@needs_board("qemu_m0")
def test_the_newcomer_s_script_ends_with_the_same_integers_here_and_on_the_emulated_pico(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = Path(__file__).parents[2] / "examples/onto_a_board.sh"
    done = subprocess.run(
        [script, tmp_path],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"qemu_m0, MicroPython 1\.\d+\.\d+; \d+ files, \d+ bytes, verified", done.stdout
    )
    test = re.search(
        r"(\d+) windows give .* with kernel thumb; "
        r"(\d+) instructions a window, (\d+) bytes of heap",
        done.stdout,
    )
    assert test and int(test[1]) == len(golden.extremes(len(Sockets.counters)))
    assert 10_000 < int(test[2]) < 60_000 and 8_000 < int(test[3]) < 24_000
    assert done.stdout.endswith(
        "100 windows scored there; 0 of them unlike the NumPy reference's\n"
    )
    sent, back = (
        read(tmp_path / name, Sockets.counters).windows for name in ("windows.csv", "back.csv")
    )
    assert len(back) == 100 and (sent == back).all()


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")
@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        pytest.param("qemu_m33", "dsp", marks=needs_board("qemu_m33")),
        pytest.param("pico", "thumb", marks=needs_board("pico")),
    ],
)
def test_an_emulated_board_tests_what_is_deployed_and_is_given_what_is_new(name, kernel):
    replayed = random_detector(3, (8,))
    rows = ",".join(replayed.counters).encode() + b"\n"
    command = [sys.executable, "-m", "inlier_boards.serial_line.plug", name]
    with subprocess.Popen(leashed(command), stdout=subprocess.PIPE, text=True) as plug:
        port = plug.stdout.readline().strip()
        done = deploy(port, pack(replayed), replay=rows)
        assert (done.board.name, done.test.kernel, done.main) == (name, kernel, "copied")
        assert done.test.windows == len(golden.extremes(len(replayed.counters)))
        assert {"inlier/model.mpy", "model.inlier", "windows.csv", "main.py"} <= set(done.copied)
        again = deploy(port, pack(replace(replayed, number=2)), replay=rows)
        assert again.copied == ["model.inlier", "windows.csv"] and again.main == "same"
        plug.terminate()
