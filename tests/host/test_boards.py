"""Emulated boards: what is refused in one sentence, what they cost, and that
the integers are the reference's there too.
"""

import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.model import Model
from inlier_boards.build import bench_models, micropython
from inlier_boards.build.firmware import FIRMWARE, runtime_files
from inlier_boards.catalogue import names, read_board
from inlier_boards.cost import bench, xtensa
from inlier_boards.cost import table as tables
from inlier_boards.deployment import budget
from inlier_boards.emulators import emulator, unix_board
from inlier_boards.emulators.emulate import emulate
from inlier_boards.emulators.emulator import emulated
from inlier_boards.serial_line import plug
from inlier_export import golden
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.recordings import Recording
from tools_missing import needs_board

M0 = "qemu_m0"
needs_boards = pytest.mark.boards(*names(emulated=True))


def test_an_unknown_board_lists_the_known_ones():
    with pytest.raises(BadInput, match="no board 'pico_': choose one of .*esp32.*pico_w.*qemu_m0"):
        read_board("pico_")


def test_a_board_s_name_is_no_path():
    with pytest.raises(BadInput, match="no board 'esp32/../pico_w'"):
        read_board("esp32/../pico_w")


def test_what_is_no_board_is_not_plugged_in(monkeypatch, capsys):
    monkeypatch.setattr(plug.sys, "argv", ["plug", "pico_"])
    monkeypatch.setattr(plug.signal, "signal", lambda *args: None)
    assert plug.main() == 2
    assert "inlier: no board 'pico_'" in capsys.readouterr().err


def test_an_emulator_is_ended_after_its_limit_and_not_after_it_has_answered():
    ended = threading.Event()
    process = SimpleNamespace(kill=ended.set)
    with emulator.killed_after(0.1, process):
        assert ended.wait(60)
    before = set(threading.enumerate())
    with emulator.killed_after(60, process):
        (watchdog,) = set(threading.enumerate()) - before
    watchdog.join(10)
    assert not watchdog.is_alive()


@pytest.mark.micropython
def test_a_board_of_this_machine_leaves_no_descriptor_behind(tmp_path):
    def plugged():
        with unix_board.plugged(tmp_path):
            pass
        return len(os.listdir("/proc/self/fd"))

    assert plugged() == plugged()


def test_a_real_board_cannot_be_emulated():
    with pytest.raises(
        BadInput,
        match="'esp32' is no emulated one: choose one of qemu_m0, qemu_m3, qemu_m33, qemu_rv32, "
        "pico, pico_w",
    ):
        none = Recording((), np.zeros((1, 14), np.int64))
        emulate(read_board("esp32"), pack(bench_models.device()), none)


def test_every_board_says_what_it_is():
    for name in names():
        facts = read_board(name)
        assert (
            facts.description
            and facts.kernel in ("dsp", "thumb", "rv32", "viper", "array", "plain")
            and facts.heap_bytes > 0
        )
        assert (facts.emulator is None) == (facts.build is None)


def test_a_missing_emulator_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BadInput,
        match="'qemu-system-arm' is needed for qemu_m0: install it with 'apt-get install "
        "qemu-system-arm'",
    ):
        emulator.qemu_command(read_board(M0), Path())


def test_a_missing_compiler_names_its_package(monkeypatch, tmp_path):
    (tmp_path / "qemu-system-riscv32").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(
            BadInput, match="'riscv64-unknown-elf-gcc' is needed .* gcc-riscv64-unknown-elf"
        ),
        emulated(read_board("qemu_rv32")),
    ):
        pass


@needs_board(M0)
def test_a_firmware_that_hangs_is_ended_with_what_it_last_said():
    with emulated(read_board(M0)) as device:
        assert device.execute("print(6 * 7)") == "42\r\n"
        with pytest.raises(
            BadInput,
            match="qemu_m0: ended, it did not answer within 2 s .* it last said: .*about to hang",
        ):
            device.execute("print('about to hang')\nwhile True: pass", limit_s=2)


@needs_board(M0)
def test_an_exception_on_the_board_is_one_sentence():
    with (
        emulated(read_board(M0)) as device,
        pytest.raises(BadInput, match="qemu_m0: ZeroDivisionError") as caught,
    ):
        device.execute("1 // 0")
    assert "\n" not in str(caught.value)


def test_a_model_beyond_the_budget_is_refused_with_the_figures():
    blob = pack(random_detector(1, (64,), tuple(f"c{i}" for i in range(400)), (0,)))
    with pytest.raises(
        BadInput,
        match=r"the model needs \d+ bytes of heap, "
        r"qemu_m0 has 49152 for it \(a quarter of 196608\)",
    ):
        budget.check(read_board(M0), Model(blob))
    with pytest.raises(BadInput, match="bytes of flash"):
        budget.check(replace(read_board(M0), flash_bytes=4096), Model(pack(bench_models.device())))
    for name in names():
        budget.check(read_board(name), Model(pack(bench_models.large())))


@needs_board(M0)
def test_emulated_windows_give_the_reference_s_integers_and_leave_the_heap_as_it_was():
    detector = random_detector(5)
    windows = golden.extremes(len(detector.counters))
    # the largest readings are bignums, and are forgotten again
    quiet = np.ones((300, len(detector.counters)), np.int64)
    rows = np.concatenate([windows, windows, quiet])
    place = np.arange(len(rows))
    marks = np.stack([1 + (place >= len(windows)), place, place != 300], axis=1)
    recording = Recording(detector.counters, rows, marks=marks)
    done = emulate(read_board(M0), pack(detector), recording)
    assert (done.kernel, done.mismatches) == ("thumb", 0), "booted twice, and lost a window"
    assert len(done.trace.ae) == len(rows) and done.windows == len(rows) - 1
    assert (done.trace.event == 1).sum() == len(done.alarms) > 0
    assert all(share > 0 for features in done.alarms.values() for _, share in features)
    assert done.heap[1] <= done.heap[0]


@pytest.fixture(scope="module")
def results():
    return [result for name in names(emulated=True) for result in bench.measure(name)]


@needs_boards
@pytest.mark.slow
def test_bench_is_the_committed_table(results):
    table = tables.TABLE.read_text()
    if not all(
        tables.compiler_version(r.board.build.compiler) in table for r in results if r.board.build
    ):
        pytest.skip(
            "another compiler than the table's changes what the interpreter costs; see "
            "test_bench_reaches_its_goals"
        )
    made = tables.table(results, xtensa.measure())
    assert made == table, "run `inlier bench --table boards/BENCH.md`, and say why"


@needs_boards
@pytest.mark.slow
def test_bench_reaches_its_goals(results):
    rows = {(r.board.name, r.kernel): r.summary() for r in results}
    thumb = rows[M0, "thumb"]
    assert rows["qemu_m33", "dsp"]["instructions_per_mac"] <= 2.2
    assert rows["qemu_rv32", "rv32"]["instructions_per_mac"] <= 4.5
    assert thumb["instructions_per_mac"] <= 4.5 and thumb["instructions_per_score"] <= 30_000
    assert (
        rows[M0, "viper"]["instructions_per_mac"] <= 16
        and rows["qemu_rv32", "viper"]["instructions_per_mac"] <= 16
    )
    assert thumb["instructions_per_window_quiet"] <= 25_000
    assert thumb["instructions_per_window_contact"] <= 35_000
    assert thumb["instructions_per_window_thirty_contacts"] <= 35_000
    assert thumb["instructions_per_contact"] <= 8_000
    assert thumb["instructions_per_connect"] <= 8_000
    assert thumb["heap_bytes"] <= 8192 and thumb["flash_bytes"] <= 20_480
    assert thumb["heap_kept_by_a_window_bytes"] == thumb["heap_peak_of_a_window_bytes"] == 0
    assert thumb["to_c"] <= 0.6  # the goal is 0.5: see the README
    packets = thumb["instructions_per_packet"]
    rare = {"SYN out", "RST in"}  # and IPv6 takes a longer way
    assert all(n <= 150 for kind, n in packets.items() if kind not in rare and "v6" not in kind)


@needs_boards
@pytest.mark.slow
def test_the_budget_s_estimate_is_no_less_than_what_was_measured(results):
    for result in results:
        for name, measured in result.of.items():
            blob = pack(bench_models.MODELS[name]())
            frozen = budget.need(Model(blob)).heap - len(blob)
            assert result.kernel == "plain" or measured.heap <= frozen <= 1.3 * measured.heap, (
                result.kernel,
                name,
                frozen,
            )


@pytest.mark.micropython
@pytest.mark.parametrize("arch", ["armv6m", "armv7m", "armv7emsp", "xtensawin", "rv32imc", "x64"])
def test_kernels_precompile_for_every_architecture(arch, tmp_path):
    own = {"armv6m": "thumb", "armv7m": "dsp", "armv7emsp": "dsp", "rv32imc": "rv32"}
    for path in runtime_files((own.get(arch, "viper"), "viper", "plain")):
        out = tmp_path / f"{path.stem}.mpy"
        subprocess.run([micropython.mpy_cross(), f"-march={arch}", "-o", out, path], check=True)
        assert out.read_bytes()[:2] == b"M\x06", "the .mpy version of MicroPython 1.20 and later"


@pytest.mark.micropython
def test_precompiled_runtime_gives_the_golden_integers(tmp_path):
    """On this machine's MicroPython; the boards' firmware has theirs frozen by
    the same compiler.
    """
    root = FIRMWARE.parent
    for path in runtime_files(("viper", "plain")):
        out = tmp_path / path.relative_to(FIRMWARE).with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([micropython.mpy_cross(), "-march=x64", "-o", out, path], check=True)
    folders = os.pathsep.join([str(tmp_path), str(root / "tests/device"), ".frozen"])
    done = subprocess.run(
        [
            micropython.source_tree() / "ports/unix/build-standard/micropython",
            root / "tests/device/run.py",
            "test_golden",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": folders},
        check=False,
    )
    assert "passed test_golden.test_viper \n" in done.stdout and " 0 failed" in done.stdout, (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (b"OK\r\nMPY: soft reboot\r\n", False),
        (b"OK\r\nMPY: soft reboot\r\n\r\n", True),  # what runs main.py begins with an empty line
        (b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>", True),
    ],
)
def test_a_board_of_this_machine_speaks_again_though_both_were_heard_at_once(heard, expected):
    """What is sent waits for it: for ever, where its first words went unheard."""
    assert unix_board.speaks(heard) == expected
