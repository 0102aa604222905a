"""The C99 header: compiled without a warning, and the reference's integers."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inlier_boards.catalogue import read_board
from inlier_boards.cost import in_c
from inlier_export import golden, reference
from inlier_export.c_header import SCORER, c_header
from inlier_export.model_file import pack
from inlier_export.synthetic import extreme_windows, random_detector, with_thresholds
from test_model_file import DETECTOR

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "c/print_scores.c"
STRICT = "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2"
# A row a window: what the runtime's pipeline says of it.
PRINTED = "ae", "svm", "quiet", "event", "gone"


def expected(d, deltas):
    t = reference.run(d, deltas)
    leading = reference.contributions(t.f, t.y, d).reshape(len(t.f), -1, len(d.schema.kinds))
    columns = [getattr(t, name) for name in PRINTED]
    columns.append(leading.sum(axis=2).argmax(axis=1))
    columns += [part.sum(axis=1, dtype=np.int64) for part in (t.f, t.x, t.y)]
    return np.stack(columns, axis=1).tolist()


def with_windows(d, deltas):
    """The header, and the windows that SOURCE scores."""
    rows = ", ".join(str(n) for n in deltas.reshape(-1))
    windows = f"static const uint32_t windows[] = {{{rows}}};\n#define WINDOWS {len(deltas)}\n"
    return c_header(d) + windows


def compiled(folder, d, deltas, *flags):
    """The program that prints what the header says of the windows."""
    (folder / "model.h").write_text(with_windows(d, deltas))
    program = folder / "scored"
    done = subprocess.run(
        ["cc", *STRICT, f"-I{folder}", *flags, "-o", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


def random_case(windows, layers=True, **kind):
    """Windows with extremes, and a detector whose thresholds they cross, so
    that each of its rules decides.
    """
    deltas = extreme_windows(7, windows)
    d = random_detector(5, **kind)
    if not layers:
        d = replace(d, layers=[])
    d = with_thresholds(d, reference.run(d, deltas))
    pack(d)  # it is a model that a device would take
    return d, deltas


def assert_same(words, d, deltas):
    wanted = expected(d, deltas)
    got = np.array(words, np.uint32).astype(np.int32).reshape(-1, len(wanted[0])).tolist()
    differing = [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]
    assert not differing, f"window {differing[0]}: {got[differing[0]]}, {wanted[differing[0]]}"
    return wanted


@pytest.mark.slow
@pytest.mark.tool("cc")
@pytest.mark.parametrize(
    "kind", [{}, {"by_rows": True}, {"layers": False}, {"hidden": ()}], ids=str
)
def test_on_this_machine_it_gives_the_reference_s_integers(kind, tmp_path):
    """With the sanitizers watching."""
    d, deltas = random_case(2000, **kind)
    program = compiled(tmp_path, d, deltas, "-fsanitize=address,undefined", SOURCE)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = assert_same(done.stdout.split(), d, deltas)
    assert {row[3] for row in wanted} >= {0, 1, -1}, "a rule that never decides"


@pytest.mark.boards("qemu_m0")
def test_on_an_emulated_cortex_m0_it_gives_the_golden_vectors_integers():
    """Without a C library: the header needs none."""
    board = read_board("qemu_m0")
    d = random_detector(3)
    deltas = golden.windows(extreme_windows(5, golden.ORDINARY))
    flags = "-O2", in_c.LOOPS, "-Wno-unused-function"  # it looks at no timer
    words = in_c.run(board, [SOURCE], "model.h", with_windows(d, deltas), *flags)
    assert_same(words, d, deltas)


@pytest.mark.tool("cc")
def test_the_page_s_program_compiles(tmp_path):
    page = (ROOT / "docs/model_file.md").read_text()
    (program,) = re.findall(r"```c\n(.*?)```", page, re.S)
    (tmp_path / "page.c").write_text(program + "int main(void) { begin(); return 0; }")
    d, deltas = random_case(20)
    compiled(tmp_path, d, deltas, tmp_path / "page.c")


def test_what_stands_before_the_scorer_is_the_model_number_by_number():
    """A feature's first sum is the damped mean of its offset: 16 times its
    octave and sixteenths, times 2^r.
    """
    text = c_header(DETECTOR)
    before, scorer, after = text.partition(SCORER.read_text())
    assert scorer and after == "\n#endif\n"
    lines = before.splitlines()
    assert lines[1:3] == ["#ifndef INLIER_MODEL_H", "#define INLIER_MODEL_H"]
    told = dict(re.findall(r"#define INLIER_(\w+) (\S.*)", before))
    assert told == {
        "SOURCE": '"replay"', "WINDOW_MS": "1500", "MODEL_NUMBER": str(0x01020304),
        "COUNTERS": "2", "KINDS": "3", "MEANS": "2", "FEATURES": "6", "LAYERS": "2",
        "WIDEST": "6", "HORIZONS": "2", "LONGEST": "12", "BY_ROWS": "0", "AE_THRESHOLD": "111",
        "QUIET_THRESHOLD": "222", "CLEAR_AFTER": "9", "QUIET_AFTER": "57", "COOLDOWN": "600",
        "WARMUP": "700", "TELL_AFTER": "8", "GROWN": "4", "TOLD_MAX": "4",
        "DELTA_MAX": str((1 << 30) - 1), "LEVEL_MAX": str((1 << 26) - 1), "FULL_BITS": "12",
        "NAMES": '{"h\\303\\266he", "b"}',
    }  # fmt: skip
    assert [line for line in lines if line.startswith("static")] == [
        "static const int8_t inlier_right_shift[] = {-8, 30};",
        "static const uint8_t inlier_cap[] = {29, 4};",
        "static const uint8_t inlier_decay[] = {0, 3, 5};",
        "static const uint8_t inlier_out[] = {0, 3, 4};",
        "static const struct inlier_k_of_n inlier_horizon[] = {{2, 8, 70000}, {8, 12, 300}};",
        "static const struct inlier_feature inlier_features[] = {"
        "{160, 10, 300, 288, 30, 0, 1, 2, 3}, {1408, 11, 21, 1, 31, 1, 4, 5, 6}, "
        "{3072, 12, 22, 2, 32, 2, 7, 8, 9}, {208, 13, 23, 3, 33, 3, 10, 11, 12}, "
        "{1792, 14, 24, 4, 34, 0, 13, 14, 15}, {1073737728, 288, 25, 5, 1000, 1, 16, 17, 127}};",
        "static const int8_t inlier_weights_0[] = "
        "{1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16, 127, -128};",
        "static const int32_t inlier_bias_0[] = {268435456, -268435456, 5};",
        "static const uint8_t inlier_shift_0[] = {6, 7, 30};",
        "static const int8_t inlier_weights_1[] = "
        "{1, -1, 2, 2, -2, 4, 3, -3, 6, 4, -4, 8, 5, -5, 10, 6, -6, 12};",
        "static const int32_t inlier_bias_1[] = {1, 2, 3, 4, 5, 6};",
        "static const uint8_t inlier_shift_1[] = {1, 2, 3, 4, 5, 6};",
        "static const struct inlier_layer inlier_layers[] = "
        "{{3, 6, inlier_weights_0, inlier_bias_0, inlier_shift_0}, "
        "{6, 3, inlier_weights_1, inlier_bias_1, inlier_shift_1}};",
    ]
    alone = c_header(replace(DETECTOR, layers=[], by_rows=True, horizons=((2, 9, 5),)))
    assert "INLIER_LAYERS 0\n#define INLIER_WIDEST 1\n" in alone, "C99 has no array of none"
    assert "inlier_layers[] = {{0, 0, 0, 0, 0}};" in alone and "INLIER_BY_ROWS 1\n" in alone
    assert "INLIER_LONGEST 9\n" in alone


def test_a_name_cannot_leave_its_string():
    d = random_detector(1, counters=('a"b', "c\\", "*/ ??/", "é"))
    names = next(line for line in c_header(d).splitlines() if "INLIER_NAMES" in line)
    assert names == (
        '#define INLIER_NAMES {"a\\042b", "c\\134", "\\052\\057 \\077\\077\\057", "\\303\\251"}'
    )
    assert "*/ ??/" not in c_header(d)


def test_the_command_writes_it_and_leaves_the_model_alone(tmp_path, inlier):
    d, deltas = random_case(20)
    model = tmp_path / "m.inlier"
    model.write_bytes(pack(d))
    code, out, err = inlier("export", model, "--c-header", tmp_path / "model.h")
    assert code == 0, err
    assert (tmp_path / "model.h").read_text() == c_header(d) and "model.h" in out
    assert model.read_bytes() == pack(d)
    code, _, err = inlier("export", model)
    assert code == 2 and "nothing to write: give --out, --module or --c-header" in err
    code, _, err = inlier("export", model, "--c-header", model)
    assert code == 2 and "would be overwritten" in err
