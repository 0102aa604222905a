"""What a recording may not hold, each refused in one sentence that says what,
where and what to do.
"""

from pathlib import Path

import numpy as np
import pytest

from inlier.counters import DELTA_MAX
from inlier_export.errors import BadInput
from inlier_trainer import files, recordings

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
        ("a,b\n1,2\nx,2\n", "line 3, column 'a' holds 'x'"),
        ("a,b\n1,2\n3,-4\n", "line 3, column 'b' holds '-4'"),
        ("a,b\n1,NaN\n", "line 2, column 'b' holds 'NaN'"),
        ("a,b\n1,2.5\n", "line 2, column 'b' holds '2.5'"),
        ("a,b\n1,\n", "line 2, column 'b' is empty"),
        ("a,b\n1,2\n3\n", "line 3, column 'b' is empty"),
        ("a,b\n1,2,3\n", "not a readable table"),
        ("", "empty"),
        (b"\x00\xff\xfe\x00 binary", "misses the counter 'a'"),
        ("a,b\n1,99999999999999999999999\n", "line 2, column 'b' holds"),
    ],
)
def test_bad_csv_is_refused(tmp_path, text, expected):
    assert expected in refused(tmp_path / "w.csv", text)


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
    recordings.check(rows, COUNTERS, "w.csv", 10, set())
    with pytest.raises(BadInput, match="10 windows, at least 12 are needed; record 2 more"):
        recordings.check(rows, COUNTERS, "w.csv", 12, set())
    rows[:, 1] = 7
    with pytest.raises(BadInput, match="column 'b' is 7 in all 10 windows.*--allow-constant b"):
        recordings.check(rows, COUNTERS, "w.csv", 10, set())
    recordings.check(rows, COUNTERS, "w.csv", 10, {"b"})
    with pytest.raises(BadInput, match="--allow-constant z: no such counter"):
        recordings.check(rows, COUNTERS, "w.csv", 10, {"b", "z"})


def test_split_is_in_the_order_of_time():
    assert recordings.split(1000) == (slice(0, 750), slice(750, 1000))


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
