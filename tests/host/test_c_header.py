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
from inlier_export.c_header import c_header
from inlier_export.model_file import pack
from inlier_export.synthetic import extreme_windows, random_detector, with_thresholds

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
