"""What a recording may not hold, each refused in one sentence that says what,
where and what to do.
"""

from pathlib import Path

import numpy as np
import pytest

from inlier.counters import DELTA_MAX
from inlier_export.errors import BadInput
from inlier_trainer import csv_table, evaluate, files, learnable, recordings

COUNTERS = ("a", "b")


def refused(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as caught:
        recordings.read(path, COUNTERS).windows
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n1\n", "misses the counter 'b'"),
        ("a,b,c\n1,2,3\n", "'c'"),
        ("a,b,a\n1,2,3\n", "line 1 names the column 'a' twice"),
        ("a,b\n1,2\nx,2\n", "line 3, column 'a' holds 'x'"),
        ("a,b\n1,2\n3,-4\n", "line 3, column 'b' holds '-4'"),
        ("a,b\n1,NaN\n", "line 2, column 'b' holds 'NaN'"),
        ("a,b\n1,2.5\n", "line 2, column 'b' holds '2.5'"),
        ("a,b\n1,\n", "line 2, column 'b' is empty"),
        ("a,b\n1,2\n3\n", "line 3, column 'b' is empty"),
        ("a,b\n1,2,3\n", "not a readable table"),
        ("a,b\n1,2\n3,4,5\n6,7\n", "not a readable table (line 3 has 3 cells"),
        ("", "empty"),
        (b"\x00\xff\xfe\x00 binary", "misses the counter 'a'"),
        ("a,b\n1,99999999999999999999999\n", "line 2, column 'b' holds"),
    ],
)
def test_bad_csv_is_refused(tmp_path, text, expected):
    assert expected in refused(tmp_path / "w.csv", text)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\n1,2\n3,4",
        '"a","b"\n"1","2"\n3,4\n',
        "\ufeffa,b\n1, 2\n+3,04\n",
        "# a comment\n\na,b\n1,2\n3,4\n",
    ],
)
def test_a_csv_of_other_programs_is_read_as_one_of_ours(tmp_path, text):
    (tmp_path / "w.csv").write_bytes(text.encode())
    found = recordings.read(tmp_path / "w.csv", COUNTERS).windows
    assert found.tolist() == [[1, 2], [3, 4]] and found.dtype == np.int64


def test_a_bad_cell_in_a_later_block_is_told_by_its_line(tmp_path, monkeypatch):
    """A block is read again by another reader, the others as ever."""
    monkeypatch.setattr(csv_table, "BLOCK", 40)
    lines = ["a,b", *(f"{i},{i}" for i in range(200))]
    (tmp_path / "w.csv").write_text("\n".join(lines))
    assert recordings.read(tmp_path / "w.csv", COUNTERS).windows[:, 1].tolist() == list(range(200))
    for line, text, expected in (
        (150, "7,x", "line 150, column 'b' holds 'x'"),
        (201, "", "line 201, column 'a' is empty"),
        (90, "7", "line 90, column 'b' is empty"),
        (90, "7,8,9", "not a readable table (line 90 has 3 cells, the line of names 2)"),
        (90, '7,"8', "not a readable table"),
    ):
        bent = [*lines[: line - 1], text, *lines[line:]]
        assert expected in refused(tmp_path / "w.csv", "\n".join(bent) + "\n"), text


def test_a_short_line_and_a_long_one_do_not_make_up_for_each_other(tmp_path):
    assert "has 3 cells" in refused(tmp_path / "w.csv", "a,b\n1\n1,2,3\n")


def test_a_csv_of_bytes_that_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "LINES_MAX", 5)
    assert "6 rows, at most 5" in refused(tmp_path / "w.csv", "a,b\n" + "1,2\n" * 6)


def test_missing_file(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        recordings.read(tmp_path / "none.csv", COUNTERS).windows


def test_not_a_parquet_file(tmp_path):
    assert "not a readable table" in refused(tmp_path / "w.parquet", b"PAR1 not really")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_written_is_read_back_in_the_source_s_order(tmp_path, suffix):
    rows = np.array([[1, 2], [3, DELTA_MAX]])
    recordings.write(tmp_path / f"w.{suffix}", recordings.Recording(("b", "a"), rows))
    assert (recordings.read(tmp_path / f"w.{suffix}", COUNTERS).windows == rows[:, ::-1]).all()


def test_parquet_of_floats_names_the_fraction(tmp_path):
    import polars as pl

    pl.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.5]}).write_parquet(tmp_path / "w.parquet")
    with pytest.raises(BadInput, match="line 3, column 'b' holds '2.5'"):
        recordings.read(tmp_path / "w.parquet", COUNTERS).windows


def test_check():
    rows = np.arange(20).reshape(10, 2)
    learnable.check(rows, COUNTERS, "w.csv", 10, set())
    with pytest.raises(BadInput, match="10 windows, at least 12 are needed; record 2 more"):
        learnable.check(rows, COUNTERS, "w.csv", 12, set())
    rows[:, 1] = 7
    with pytest.raises(BadInput, match="column 'b' is 7 in all 10 windows.*--allow-constant b"):
        learnable.check(rows, COUNTERS, "w.csv", 10, set())
    learnable.check(rows, COUNTERS, "w.csv", 10, {"b"})
    with pytest.raises(BadInput, match="--allow-constant z: no such counter"):
        learnable.check(rows, COUNTERS, "w.csv", 10, {"b", "z"})
    rows[:] = 0
    with pytest.raises(BadInput, match="no counter changes in all 10 windows"):
        learnable.check(rows, COUNTERS, "w.csv", 10, set(COUNTERS))
    many = tuple("abcde")
    five = np.zeros((10, 5), np.int64)
    five[:, 0] = range(10)
    with pytest.raises(BadInput, match="or say --allow-constant all if they never do"):
        learnable.check(five, many, "w.csv", 10, set())


def test_split_is_in_the_order_of_time():
    assert evaluate.split(1000) == (slice(0, 750), slice(750, 1000))


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    target = tmp_path / "model"
    files.write_atomic(target, b"former")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(target, b"new")
    assert target.read_bytes() == b"former" and list(tmp_path.iterdir()) == [target], "no litter"


def test_an_interrupt_leaves_the_former_file(tmp_path, monkeypatch):
    target = tmp_path / "model"
    files.write_atomic(target, b"former")

    def interrupt(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(target, b"new")
    assert target.read_bytes() == b"former" and list(tmp_path.iterdir()) == [target]
