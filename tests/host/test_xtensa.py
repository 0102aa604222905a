"""The kernel `viper` on the ESP32's instruction set, in QEMU: the reference's
integers, and every instruction counted.
"""

import ast
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import inlier
from inlier.counters import DELTA_MAX
from inlier.model import Model, crc32
from inlier_boards.build import bench_models
from inlier_boards.emulators.xtensa import assembler, core, native_code, program
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import COUNTERS, extreme_windows, random_detector
from tools_missing import needs_tool

GOLDEN = Path(__file__).parents[1] / "golden"
FIRMWARE = Path(inlier.__file__).parent
DETECTOR = random_detector(3)
on_xtensa = needs_tool(core.QEMU)


@pytest.fixture(scope="module")
def functions():
    return native_code.functions()


def same(functions, detector, deltas):
    got = core.score(functions, Model(pack(detector)), deltas)
    want = reference.run(detector, deltas)
    pairs = {
        "log features": (got.f, want.f),
        "inputs": (got.x, want.x),
        "error": (got.ae, want.ae),
        "score": (got.score + got.quiet * detector.by_rows, want.svm),
        "quiet": (got.quiet, want.quiet),
    }
    for what, (ours, theirs) in pairs.items():
        differing = np.flatnonzero((ours != theirs).reshape(len(deltas), -1).any(axis=1))
        assert not len(differing), f"{what}: window {differing[0]}, {len(differing)} in all"
    return got


@on_xtensa
def test_the_golden_vectors_are_reached(functions):
    model = Model((GOLDEN / "model.inlier").read_bytes())
    v = json.loads((GOLDEN / "vectors.json").read_text())
    got = core.score(functions, model, np.array(v["windows"]))
    for name, integers in (("ae", got.ae), ("svm", got.score), ("quiet", got.quiet)):
        assert integers.tolist() == v[name], name
    for name, rows in (("x", got.x), ("f", got.f)):
        assert [crc32(row.tobytes()) & DELTA_MAX for row in rows] == v[name], name


@pytest.mark.slow
@on_xtensa
@pytest.mark.parametrize(
    ("detector", "count"),
    [
        (DETECTOR, 300),
        (random_detector(8, hidden=(5, 3, 6)), 60),  # rows that fill no block of four
        (random_detector(9, hidden=(1,)), 60),
        (random_detector(4, (16,), COUNTERS, (0, 3), (4, 7)), 60),  # two persistences
        (random_detector(5, (16, 4, 16), COUNTERS, (0,), (), True), 60),  # rows without an order
    ],
    ids=["300 windows", "odd rows", "one hidden", "persistences", "rows"],
)
def test_every_window_gives_the_reference_s_integers(functions, detector, count):
    """All zero, single bits, the largest and beyond it among them."""
    same(functions, detector, extreme_windows(5, count))


@pytest.mark.slow
@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")
@on_xtensa
def test_ten_thousand_windows_give_the_reference_s_integers(functions):
    same(functions, DETECTOR, extreme_windows(5, 10_000))


@on_xtensa
def test_two_runs_count_the_same(functions):
    deltas = extreme_windows(6, 20)
    first, second = (same(functions, DETECTOR, deltas).instructions for _ in range(2))
    assert {n: c.tolist() for n, c in first.items()} == {n: c.tolist() for n, c in second.items()}
    macs = sum(layer.weights.size for layer in DETECTOR.layers)
    assert (first["autoencoder"] > 4 * macs).all()  # two loads, a product and a sum at the least


def straight(length):
    """A function of so many instructions."""
    code = assembler.Assembler(0, literals=0)
    code.entry()
    for _ in range(length - 2):
        code.move_small(2, 0)
    code.emit(assembler.RETW)
    return code.assembled()


@on_xtensa
def test_every_instruction_is_counted_once():
    """Of functions whose length is known."""
    lengths = dict(zip(("features", "autoencoder", "evidence"), (2, 3, 1001), strict=True))
    written = {name: straight(length) for name, length in lengths.items()}
    got = core.score(written, Model(pack(DETECTOR)), extreme_windows(5, 25))
    for name, length in lengths.items():
        assert got.instructions[name].tolist() == [length] * 25


def compiled(folder, body):
    """A kernel whose features do that."""
    lines = ["import micropython"]
    for name in ("features", "autoencoder", "evidence"):
        lines += ["@micropython.viper", f"def {name}(a: ptr32, b: ptr8, c: ptr32):"]
        lines += [f"    {body if name == 'features' else 'pass'}"]
    (folder / "kernel.py").write_text("\n".join(lines) + "\n")
    return native_code.functions(folder / "kernel.py")


@on_xtensa
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("c[0] = a[0] // a[1]", "called entry 46 of MicroPython's mp_fun_table, which is not th"),
        ("c[0] = ptr32(int(a) + 1)[0]", "exception 9 at 0x.*, address 0xd000.*[159d]: report it"),
        ("c[0] = ptr32(0)[0]", "exception 24 at 0x"),  # no page lies there
    ],
)
def test_what_the_kernel_may_not_do_there_is_said(tmp_path, body, problem):
    with pytest.raises(BadInput, match=problem):
        core.score(compiled(tmp_path, body), Model(pack(DETECTOR)), extreme_windows(5, 1))


@on_xtensa
def test_a_kernel_that_hangs_is_ended(tmp_path):
    functions = compiled(tmp_path, "while 1: pass")
    made = program.program(functions, Model(pack(DETECTOR)), extreme_windows(5, 1))
    with pytest.raises(BadInput, match="ended, it did not answer within 0.5 s"):
        core.run(made, 0.5)


def test_a_kernel_that_does_not_compile_is_said(tmp_path):
    with pytest.raises(BadInput, match="mpy-cross does not compile it for xtensawin: .*"):
        compiled(tmp_path, "a.append(1")


def test_without_qemu_the_package_is_named(monkeypatch, inlier):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, _, error = inlier("bench", "--board", "xtensa")
    assert code == 2 and "install it with 'apt-get install qemu-system-misc'" in error
    assert len(error.strip().splitlines()) == 1


@on_xtensa
def test_bench_counts_the_kernel_alone(inlier):
    code, said, error = inlier("bench", "--board", "xtensa", "--json")
    assert code == 0, error
    (row,) = json.loads(said)["boards"]
    assert (row["board"], row["kernel"]) == ("xtensa", "viper")
    macs = sum(layer.weights.size for layer in bench_models.large().layers)
    assert row["instructions_per_mac"] == round(row["instructions_per_autoencoder_score"] / macs, 2)
    assert 10 < row["instructions_per_mac"] < 25


def stores_beside_zero(source):
    """Lines of functions in viper that store at a constant index other than 0."""
    module = ast.parse(source)
    constants = {
        target.id: call.args[0]
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(call := node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and call.args
    }

    def constant(node):
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        return all(name in constants for name in names)

    found = []
    for function in module.body:
        marks = getattr(function, "decorator_list", ())
        if not any(isinstance(m, ast.Attribute) and m.attr == "viper" for m in marks):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                at = node.slice
                if constant(at) and not (isinstance(at, ast.Constant) and at.value == 0):
                    found.append(node.lineno)
    return found


def test_no_store_in_viper_is_one_that_micropython_1_25_gets_wrong_on_xtensa():
    """It stores the result's register, whatever the value lies in."""
    head = "_AT = const(3)\n@micropython.viper\ndef f(a: ptr32):\n    "
    for store in ("a[1] = 2", "a[_AT] = 2", "a[_AT + 1] |= 2", "b = a[_AT] = 3"):
        assert stores_beside_zero(head + store) == [4], store
    for other in ("a[0] = a[_AT]", "i = 1; a[i] = 2", "a[i + _AT] = 2"):
        assert not stores_beside_zero(head + other), other
    wrong = {path.name: stores_beside_zero(path.read_text()) for path in FIRMWARE.rglob("*.py")}
    assert "viper.py" in wrong and not any(wrong.values()), wrong
