"""The scripts that a deployment runs on a board, here: with a file system, a
heap and a clock that are made up. On MicroPython: test_deploy.py.
"""

import ast
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from inlier import kernels
from inlier_boards.deployment.identify import DEVICE
from inlier_export import golden, reference
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector


class Implementation(tuple):
    """sys.implementation of MicroPython is a tuple with fields."""


def board(*fields, machine=None, mpy=None, **modules):
    """(scope of a script that has imported os, sys and gc, its modules)."""
    said = Implementation(fields or ("micropython", (1, 25, 0, ""), "Pico", 4))
    if machine:
        said._machine = machine
    if mpy is not None:
        said._mpy = mpy
    names = {"inlier": 1, "inlier.model": 2, "inliers": 3, "os": 4}
    system = SimpleNamespace(implementation=said, platform="rp2", path=["", "/lib"], modules=names)
    return {"sys": system, **modules}


class Disk:
    """Files by name; of each file system block and fragment, all and free."""

    def __init__(self, *names):
        self._names = names
        self.asked = []

    def stat(self, path):
        if path not in self._names:
            raise OSError(2)
        return (0x8000,)

    def statvfs(self, path):
        self.asked.append(path)
        return 4096, 512, 1000, 7, 6, 0, 0, 0, 0, 255


def facts(capsys, scope):
    code = (DEVICE / "identify.py").read_text().replace("import os\nimport sys\n", "")
    exec(code, scope)
    return ast.literal_eval(capsys.readouterr().out)


@pytest.fixture
def alone(monkeypatch):
    """A board without inlier."""
    monkeypatch.setitem(sys.modules, "inlier", None)


@pytest.mark.usefixtures("alone")
def test_a_board_says_what_it_is(capsys):
    disk = Disk("main.py")
    scope = board(machine="Pico W with RP2040", mpy=0x1306, os=disk)
    assert facts(capsys, scope) == {
        "name": "micropython", "version": (1, 25, 0), "machine": "Pico W with RP2040",
        "mpy": 0x1306, "block_bytes": 4096, "free_bytes": 7 * 512, "lib": "/lib", "frozen": "",
        "main": True,
    }  # fmt: skip
    assert disk.asked == ["/"]


@pytest.mark.usefixtures("alone")
def test_a_board_that_lacks_something_says_so(capsys):
    disk = Disk()
    scope = board(os=disk)
    scope["sys"].path = [".frozen", "/flash", "/remote/library"]
    scope["sys"].platform = "linux"
    found = facts(capsys, scope)
    assert (found["machine"], found["mpy"], found["lib"]) == ("linux", 0, "lib")
    assert found["main"] is False
    assert disk.asked == ["."], "its flash is the current folder"


@pytest.mark.parametrize(
    ("runtime", "frozen"),
    [
        (SimpleNamespace(__version__="1.2", __file__="inlier/__init__.py"), "1.2"),
        (SimpleNamespace(__file__="inlier/__init__.py"), "unknown"),
        (SimpleNamespace(__version__="1.2", __file__="/lib/inlier/__init__.py"), ""),
    ],
)
def test_a_runtime_that_has_no_file_is_frozen_in_and_is_forgotten_again(
    capsys, monkeypatch, runtime, frozen
):
    monkeypatch.setitem(sys.modules, "inlier", runtime)
    scope = board(os=Disk("/lib/inlier/__init__.py"))
    assert facts(capsys, scope)["frozen"] == frozen
    assert set(scope["sys"].modules) == {"inliers", "os"}, "what is copied next is imported anew"


DETECTOR = replace(random_detector(1, (8,), ("a", "b", "c"), (0,)), warmup=0)


class Heap:
    def __init__(self):
        self.asked = []
        self._taken = iter((1000, 10_500))

    def collect(self):
        self.asked.append("collect")

    def mem_alloc(self):
        self.asked.append("how much")
        return next(self._taken)


@pytest.fixture
def self_test(tmp_path):
    path = tmp_path / "m.inlier"
    path.write_bytes(pack(DETECTOR))
    scope = board(gc=Heap())
    code = (DEVICE / "selftest.py").read_text()
    exec(code.replace("import gc\nimport sys\n", ""), scope)
    return scope, str(path)


class Timer:
    """Ticks since its start: 3 at the first window, 4 at the next, ..."""

    started, at = False, 2

    def start(self):
        self.started = True

    def ticks(self):
        assert self.started
        self.started = False
        self.at += 1
        return self.at


def test_a_board_prints_its_kernel_the_heap_taken_and_what_it_scores(capsys, self_test):
    scope, path = self_test
    test = scope["SelfTest"]("lib/.inlier", path, Timer())
    assert capsys.readouterr().out == f"{kernels.NAME} 9500\n"
    assert scope["sys"].path == ["lib/.inlier", "", "/lib"], "the copy is imported first"
    assert set(scope["sys"].modules) == {"inliers", "os"}, "not what ran before"
    assert scope["gc"].asked == ["collect", "how much"] * 2, "garbage is no part of it"
    scope["gc"].asked.clear()
    deltas = np.minimum(golden.extremes(3), (1 << 30) - 1)
    test.score(*map(tuple, deltas.tolist()))
    assert scope["gc"].asked == ["collect"] * len(deltas), "no window is timed with a collection"
    t = reference.run(DETECTOR, deltas)
    columns = t.ae, t.svm, t.hot.astype(int), t.event, range(3, 3 + len(deltas))
    expected = [" ".join(map(str, row)) for row in zip(*columns, strict=True)]
    assert capsys.readouterr().out.splitlines() == expected
    scope["sys"].modules["inlier.alarm"] = 5
    scope["end"]("lib/.inlier")
    assert scope["sys"].path == ["", "/lib"] and "inlier.alarm" not in scope["sys"].modules
    scope["end"]("lib/.inlier")  # twice is once


def test_the_runtime_in_use_is_tested_by_a_clock(capsys, self_test, monkeypatch):
    scope, path = self_test
    now = iter((5, 12, 20, 50))
    monkeypatch.setattr(time, "ticks_us", lambda: next(now), raising=False)
    monkeypatch.setattr(time, "ticks_diff", lambda a, b: a - b, raising=False)
    test = scope["SelfTest"]("", path)
    assert scope["sys"].path == ["", "/lib"]
    capsys.readouterr()
    test.score((0, 0, 0), (1, 1, 1))
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["7", "30"]
