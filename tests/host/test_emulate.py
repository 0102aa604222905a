"""`inlier emulate` over a board that is scripted: this machine's runtime in the
place of QEMU's.
"""

import contextlib
import re
from array import array
from dataclasses import replace

import numpy as np
import pytest

from inlier.counters import DELTA_MAX
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier_boards.catalogue import read_board
from inlier_boards.emulators import emulate as emulating
from inlier_export import reference
from inlier_export.model_file import pack
from inlier_export.synthetic import COUNTERS, extreme_windows, random_detector, with_thresholds
from inlier_trainer.recordings import Recording

BOARD = read_board("qemu_m0")
TICKS = 3


class Scripted:
    """What device/emulate.py does there. wrong: of its printed numbers, which
    is another once.
    """

    def __init__(self, blob, wrong=None):
        self._model, self._files, self._wrong = Model(blob), {}, wrong
        self.sizes = []
        self.boot()

    def boot(self):
        self._pipeline = Pipeline(self._model, Replay((), self._model.counters()))

    def windows(self, rows, name):
        self._files[name] = rows
        self.sizes.append(len(rows))
        return name

    def execute(self, code):
        if code == "s.boot()":
            return self.boot()
        if found := re.search(r"s\.run\('([^']*)'\)", code):
            numbers = array("i", self._files[found[1]])
            assert not numbers or 0 <= min(numbers) <= max(numbers) <= DELTA_MAX
            said = "".join(self._scored(numbers))
            return "1000" if code.endswith("s.heap()") else said
        return "1000" if code == "s.heap()" else "thumb\n"

    def _scored(self, numbers):
        p = self._pipeline
        n = len(p.deltas)
        for at in range(0, len(numbers), n):
            p.deltas[:] = numbers[at : at + n]
            event = p.score(p.deltas)
            said = [p.ae, p.svm, int(p.hot), event, p.quiet.event, TICKS]
            if self._wrong is not None:
                said[self._wrong], self._wrong = said[self._wrong] ^ 1, None
            odd = ["%s=%d" % f for f in p.explain()] if event > 0 else []
            yield " ".join(map(str, said + odd)) + "\n"


@pytest.fixture(scope="module")
def case():
    """A model, and a recording that was interrupted twice."""
    deltas = extreme_windows(5, 900)
    detector = random_detector(3)
    detector = with_thresholds(detector, reference.run(detector, deltas))
    deltas[::7] *= 4  # beyond what a window can hold on a board
    assert deltas.max() > DELTA_MAX
    row = np.arange(900)
    marks = np.stack([1 + row // 400, row % 400, (row % 400 > 0).astype(int)], axis=1)
    return pack(detector), Recording(COUNTERS, deltas, marks=marks)


def emulated(monkeypatch, case, wrong=None):
    blob, recording = case
    device = Scripted(blob, wrong)

    @contextlib.contextmanager
    def place(*arguments):
        yield device, device.windows

    monkeypatch.setattr(emulating, "_in_qemu", place)
    return emulating.emulate(BOARD, blob, recording), device


def test_each_stretch_is_scored_from_boot_in_batches_that_the_board_has_room_for(monkeypatch, case):
    done, device = emulated(monkeypatch, case)
    assert done.mismatches == 0 and done.windows == int(case[1].whole.sum()) == 897
    assert max(device.sizes) <= emulating.BATCH_BYTES
    assert len(device.sizes) == 1 + sum(
        -(-len(run) // (emulating.BATCH_BYTES // (4 * len(COUNTERS)))) for run in case[1].runs
    ), "as few as there may be"
    raised = np.flatnonzero(done.trace.event == 1).tolist()
    assert raised and raised == list(done.alarms), "its words lie at the recording's row"


@pytest.mark.parametrize("number", range(5))
def test_any_integer_that_differs_is_a_window_that_does(monkeypatch, case, number):
    assert emulated(monkeypatch, case, number)[0].mismatches == 1


def test_a_window_costs_what_the_board_counted_in_its_unit(monkeypatch, case):
    done, _ = emulated(monkeypatch, case)
    assert set(done.cost.tolist()) == {round(TICKS * BOARD.emulator.instructions_per_tick)}
    told = replace(done, cost=np.array([100, 100, 700])).summary()
    assert told["instructions_per_window"] == 100, "the median"
    assert told["instructions_per_window_most"] == 700
