"""What a board says of itself is read, and what it scores in its self-test is
compared with the reference, integer by integer. The board is made up.
"""

import re
from array import array
from dataclasses import replace
from types import SimpleNamespace

import pytest

import inlier
from inlier.kernels import plain
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier_boards.build.micropython import OLDEST
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import identify, selftest
from inlier_boards.deployment.identify import ARCHITECTURES, Facts
from inlier_boards.deployment.selftest import SelfTested
from inlier_boards.emulators import emulator
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

SAID = {
    "name": "micropython", "version": (1, 25, 0), "machine": "Pico", "mpy": 0, "block_bytes": 4096,
    "free_bytes": 99, "lib": "/lib", "frozen": "", "main": True,
}  # fmt: skip
FACTS = Facts("micropython", (1, 25, 0), "Pico", (0, 0), "", 4096, 99, "/lib", "", True)


def said(**changes):
    """Of a board that prints this."""
    asked = []
    line = SimpleNamespace(name="port", execute=lambda code: asked.append(code) or printed)
    printed = repr({**SAID, **changes}) + "\r\n"
    facts = identify.identify(line)
    assert asked == [(identify.DEVICE / "identify.py").read_text()]
    return facts


def test_a_board_s_facts_are_what_it_printed():
    assert said() == FACTS and said().release == "1.25.0"


@pytest.mark.parametrize(
    ("bits", "mpy", "arch"),
    [
        (0x1306, (6, 3), "armv6m"),  # as the Pico's MicroPython 1.25 has it
        (0x2A06, (6, 2), "xtensawin"),
        (0x2F06, (6, 3), "rv32imc"),
        (0x3306, (6, 3), "rv64imc"),
        (6, (6, 0), ""),  # no native code
        (14 << 10 | 6, (6, 0), ""),  # of a later MicroPython
        (-1, (255, 3), ""),
    ],
)
def test_which_compiled_files_it_loads_is_in_the_bits_of_its_mpy(bits, mpy, arch):
    facts = said(mpy=bits)
    assert facts.mpy == mpy and facts.arch == arch


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "circuitpython"}, "port: the board runs circuitpython, inlier needs MicroPython"),
        ({"version": (*OLDEST[:1], OLDEST[1] - 1, 9)}, "the board runs MicroPython 1.21.9: flash"),
        ({"version": OLDEST}, None),
        ({"frozen": "0.0.9"}, "the firmware has the runtime 0.0.9 frozen in"),
        ({"frozen": inlier.__version__}, None),
    ],
)
def test_firmware_that_runs_no_inlier_is_told(changes, why):
    if why:
        with pytest.raises(BadInput, match=why):
            said(**changes)
    else:
        said(**changes)


@pytest.mark.parametrize(
    ("core", "board", "runs"),
    [
        ("armv6m", "pico_w", True),
        ("armv7m", "pico_w", True),  # a larger core of Cortex-M runs what a smaller one does
        ("armv7emdp", "pico_w", True),
        ("armv7emsp", "pico2_w", True),
        ("armv6m", "pico2_w", False),
        ("armv6", "pico_w", False),
        ("xtensawin", "pico_w", False),
        ("x64", "pico_w", False),
        ("xtensawin", "esp32", True),
        ("armv7emdp", "esp32", False),
        ("rv32imc", "esp32c3", True),
        ("rv64imc", "esp32c3", False),
        ("", "esp32", True),  # none: it gets the plain kernel
    ],
)
def test_a_board_that_nobody_knows_is_taken_for_another_whose_code_it_runs(core, board, runs):
    assert core in ARCHITECTURES
    facts = replace(FACTS, machine="Feather", arch=core)
    if runs:
        assert identify.choose(facts, board).name == board
    else:
        with pytest.raises(BadInput, match=f"--board {board}: its code is for .*runs {core}: name"):
            identify.choose(facts, board)


DETECTOR = random_detector(1, (8,), ("a", "b", "c"), (0,))
BLOB = pack(replace(DETECTOR, warmup=0))
WINDOWS = 2 + 11 + 2 + 3  # golden.extremes of three counters
PICO = read_board("pico_w")


class Line:
    """A board that scores as the runtime does, but for what `bent` makes of a
    line of five numbers; window i takes 1000 + i ticks.
    """

    name = "port"

    def __init__(self, bent=lambda i, row: row):
        model = Model(BLOB)
        self._pipeline = Pipeline(model, Replay((), model.counters()), plain)
        self._bent = bent
        self._n = 0
        self.said = []

    def execute(self, code, limit_s=None):
        self.said.append((code, limit_s))
        if code.startswith("t = SelfTest"):
            return "viper 9000\r\n"
        return self._score(code) if code.startswith("t.score") else ""

    def _score(self, code):
        lines = []
        for row in re.findall(r"\(([-\d, ]+)\)", code.removeprefix("t.score(")):
            p = self._pipeline
            event = p.score(array("i", map(int, row.split(","))))
            numbers = [p.ae, p.svm, int(p.hot), event, 1000 + self._n]
            lines.append(" ".join(map(str, self._bent(self._n, numbers))))
            self._n += 1
        return "\r\n".join(lines) + "\r\n"


def run(line, board=PICO, progress=lambda *_: None):
    detector = replace(DETECTOR, warmup=0)
    return selftest.run(line, board, detector, "lib/.inlier", "m.inlier", progress)


def test_each_window_is_scored_there_four_at_a_time_and_its_median_time_told():
    line, told = Line(), []
    found = run(line, progress=lambda *said: told.append(said))
    assert found == SelfTested("viper", WINDOWS, 9000, None, (1000 + (WINDOWS - 1) / 2) / 1000)
    assert told == [("self-test", min(4 * i, WINDOWS), WINDOWS) for i in range(1, 6)]
    script, begin, *scores, end = line.said
    assert script[0] == (identify.DEVICE / "selftest.py").read_text()
    assert begin == ("t = SelfTest('lib/.inlier', 'm.inlier', None)", 120)
    assert [code.count("(") - 1 for code, _ in scores] == [4, 4, 4, 4, 2]
    assert {limit for _, limit in scores} == {120}, "the plain kernel on a slow board"
    assert end == ("del t\nend('lib/.inlier')", None)
    assert scores[0][0].startswith("t.score((0, 0, 0), (1, 1, 1), (2, 2, 2), (16, 16, 16)")
    largest = (1 << 30) - 1
    assert f"({largest}, {largest}, {largest})" in scores[3][0], "as a window is cut"


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("i", [0, 5, WINDOWS - 1])
def test_a_number_that_differs_is_told_with_its_window(at, i):
    def bent(n, row):
        if n == i:
            row[at] += 1
        return row

    with pytest.raises(BadInput, match=f"pico_w: self-test, window {i}: the board gives .*nothing"):
        run(Line(bent))


@pytest.mark.parametrize(
    ("name", "script", "timer", "per_tick"),
    [
        ("qemu_m0", "instructions.py", "SysTick()", 62.5),
        ("qemu_rv32", "instret.py", "InstRet()", 1),
    ],
)
def test_an_emulated_board_counts_instructions_instead_of_time(name, script, timer, per_tick):
    line = Line()
    found = run(line, read_board(name))
    median = 1000 + (WINDOWS - 1) / 2
    assert found == SelfTested("viper", WINDOWS, 9000, round(median * per_tick), None)
    assert line.said[1][0] == (emulator.DEVICE / script).read_text()
    assert line.said[2][0] == f"t = SelfTest('lib/.inlier', 'm.inlier', {timer})"


@pytest.mark.parametrize("answer", ["", "viper", "viper many", "tick\nviper 9000 1"])
def test_what_prints_between_is_no_self_test(answer):
    line = Line()
    line.execute = lambda code, limit_s=None: answer
    with pytest.raises(BadInput, match="pico_w: its answer makes no sense"):
        run(line)


def test_a_window_that_is_no_five_numbers_is_told_too():
    with pytest.raises(BadInput, match="pico_w: its answer makes no sense"):
        run(Line(lambda i, row: row[:4]))
