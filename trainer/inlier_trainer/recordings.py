"""Files of windows: CSV or Parquet, one row a window, columns named as the
source's counters, deltas as integers.
"""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from inlier_export.errors import BadInput
from inlier_export.inputs import RECORDING_MAX, open_input, read_rest
from inlier_export.os_errors import said
from inlier_export.printable import printable
from inlier_export.reference import Ints

from .files import write_atomic

MARKS = (
    "boot",
    "window",
    "missed",
)  # columns of a board's recording before its counters: see serial_line/record_board.py

WHAT = "recording"
ROWS_MAX = 1 << 24  # windows: five years of 10 s
SHOWN = 80  # characters of what a cell holds, or a header
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zX")


def read_windows(path: Path, counters: tuple[str, ...]) -> Ints:
    """Windows (n, counters) int64, columns in the order of `counters`. Raises
    BadInput.
    """
    table = _read(path)
    _check_columns(path, [name for name in table.columns if name not in MARKS], counters)
    if not table.height:
        raise BadInput(f"{path}: it holds no window; record again")
    return _columns(path, table, counters)


def read_board_recording(path: Path) -> tuple[tuple[str, ...], Ints, Ints]:
    """Counters, marks (n, 3) and windows (n, counters) of a board's recording.
    Raises BadInput.
    """
    table = _read(path)
    if tuple(table.columns[: len(MARKS)]) != MARKS:
        raise BadInput(
            f"{path}: it is no recording of a board, which begins with {','.join(MARKS)}: record "
            f"into another file"
        )
    counters = tuple(table.columns[len(MARKS) :])
    return counters, _columns(path, table, MARKS), _columns(path, table, counters)


def _read(path: Path) -> pl.DataFrame:
    """Never by its path: polars takes that for a pattern, of other files too."""
    try:
        with open_input(path, RECORDING_MAX, WHAT) as opened:
            packed = opened.peek(4).startswith(PACKED)
            file: BinaryIO = opened
            if not opened.seekable():
                file = io.BytesIO(read_rest(path, opened, RECORDING_MAX, WHAT))
            if path.suffix == ".parquet":
                return _parquet(path, file)
            if packed:
                raise BadInput(f"{path}: it is compressed: unpack it first")
            return pl.read_csv(file, infer_schema=False)
    except OSError as error:
        raise BadInput(said(error, path)) from None
    except pl.exceptions.NoDataError:
        raise BadInput(f"{path}: the file is empty; record again") from None
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        ValueError,
    ) as error:  # a panic: of damaged Parquet
        why = printable(str(error).partition("\n")[0], 2 * SHOWN)  # it cites names and cells
        raise BadInput(f"{path}: not a readable table ({why}); record again") from None


def _parquet(path: Path, file: BinaryIO) -> pl.DataFrame:
    rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    if rows > ROWS_MAX:  # a few bytes of a file can say so, and take all memory
        raise BadInput(f"{path}: {rows} windows, at most {ROWS_MAX} are read: split it")
    file.seek(0)
    return pl.read_parquet(file)


def _columns(path: Path, table: pl.DataFrame, counters: tuple[str, ...]) -> Ints:
    out = np.empty((table.height, len(counters)), np.int64)
    for i, name in enumerate(counters):
        out[:, i] = _integers(path, table[name])
    return out


def _check_columns(path: Path, columns: list[str], counters: tuple[str, ...]) -> None:
    for kind, names in (
        ("misses the counter", [c for c in counters if c not in columns]),
        ("has a column that its source does not count,", [c for c in columns if c not in counters]),
    ):
        if names:
            raise BadInput(
                f"{path}: line 1 {kind} '{names[0][:SHOWN]}'; the columns must be "
                f"{','.join(counters)}"
            )


def _integers(path: Path, column: pl.Series) -> Ints:
    try:
        values = column.cast(pl.Int64, strict=False)
        if column.dtype.is_float():
            values = values.set(column != column.floor(), None)
        bad = values.is_null() | (values < 0).fill_null(True)
    except pl.exceptions.PolarsError:
        raise BadInput(
            f"{path}: column '{column.name}' does not hold numbers; record again"
        ) from None
    if bad.any():
        row = int(bad.arg_max() or 0)
        value = column[row]
        what = "is empty" if value in (None, "") else f"holds '{str(value)[:SHOWN]}'"
        raise BadInput(
            f"{path}: line {row + 2}, column '{column.name}' {what}; a counter's delta is an "
            f"integer from 0 up: "
            "correct or remove that line"
        )
    return values.to_numpy()


def write_windows(path: Path, counters: tuple[str, ...], rows: Ints) -> None:
    """Replace `path` whole. Raises OSError."""
    if path.suffix != ".parquet":
        write_atomic(path, csv_bytes(counters, rows))
        return
    out = io.BytesIO()
    _table(counters, rows).write_parquet(out)
    write_atomic(path, out.getvalue())


def csv_bytes(counters: tuple[str, ...], rows: Ints) -> bytes:
    """The CSV of windows (n, counters), as the runtime's replay source reads
    it.
    """
    return _table(counters, rows).write_csv().encode()


def _table(counters: tuple[str, ...], rows: Ints) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(counters), orient="row")


def check_constant(allowed: set[str], counters: tuple[str, ...]) -> None:
    """Raises BadInput for names that are no counters."""
    if unknown := sorted(allowed - set(counters)):
        raise BadInput(
            f"--allow-constant {', '.join(unknown)}: no such counter; choose from "
            f"{', '.join(counters)}"
        )


def check(
    windows: Ints, counters: tuple[str, ...], origin: str, minimum: int, allow_constant: set[str]
) -> None:
    """Refuse windows that nothing can be learned from. Raises BadInput."""
    if len(windows) < minimum:
        raise BadInput(
            f"{origin}: {len(windows)} windows, at least {minimum} are needed; record "
            f"{minimum - len(windows)} more"
        )
    check_constant(allow_constant, counters)
    constant = [
        (name, int(windows[0, i]))
        for i, name in enumerate(counters)
        if name not in allow_constant and (windows[:, i] == windows[0, i]).all()
    ]
    if constant:
        columns = ", ".join(f"column '{name}' is {value}" for name, value in constant)
        options = " ".join(f"--allow-constant {name}" for name, _ in constant)
        raise BadInput(
            f"{origin}: {columns} in all {len(windows)} windows; record until "
            f"{'it changes' if len(constant) == 1 else 'they change'}, or say {options} if "
            f"{'it never does' if len(constant) == 1 else 'they never do'} on this device"
        )


def split(n: int) -> tuple[slice, slice]:
    """What is trained on and what is tested on, in the order of time:
    neighbouring windows share a damped sum, so that a random split would test
    on what it was fitted on.
    """
    return slice(0, n * 75 // 100), slice(n * 75 // 100, n)
