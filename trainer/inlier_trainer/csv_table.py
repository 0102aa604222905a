"""A CSV with a line of names, as columns of numbers: NumPy's reader, in C, for
a file as it should be, Python's own for any other, so that whoever refuses a
cell can say which.
"""

import csv
import io
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlier_export.reference import Ints

from .about import SHOWN

Column = NDArray[Any]  # (rows,)
Columns = dict[str, Column]
Malformed = csv.Error
BLOCK = 1 << 22  # bytes
LINES_MAX = 1 << 24  # windows: five years of 10 s
_INTEGER = re.compile(r"\s*[+-]?0*[0-9]{1,19}\s*", re.ASCII)


def parse(content: bytes, first: int = 2, kind: type = int) -> Columns:
    """From the line of names on. A column is int64, or float64 where that is
    `kind`; where a cell is none, it holds str, "" of a cell that is not there.
    Raises ValueError, Malformed.

    first: the line of the first row, as messages tell it.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    header, _, rest = content.partition(b"\n")
    names = _header(header, first - 1)
    rows = _lines(rest) if rest else 0
    if rows > LINES_MAX:  # in memory a cell of a byte takes eight
        raise ValueError(f"{rows} rows, at most {LINES_MAX} are read: split it")
    if not rows:
        return {name: np.empty(0, np.int64) for name in names}
    blocks, row = [], first
    for block in _blocks(rest):
        blocks.append(_quick(block, len(names), kind) or _careful(block, row, len(names), kind))
        row += block.count(b"\n")
    columns = [_joined([block[i] for block in blocks]) for i in range(len(names))]
    return dict(zip(names, columns, strict=True))


def _blocks(rest: bytes) -> Iterator[bytes]:
    """Whole lines: one that is odd costs the time of a block. Between quotes a
    line may end that is none.
    """
    start = 0
    while start < len(rest):
        end = len(rest) if b'"' in rest else rest.find(b"\n", start + BLOCK) + 1 or len(rest)
        yield rest[start:end]
        start = end


def _lines(block: bytes) -> int:
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _joined(parts: list[Column]) -> Column:
    if any(part.dtype == object for part in parts):
        parts = [part.astype(str).astype(object) for part in parts]
    return np.concatenate(parts)


def integers(column: Column) -> Ints:
    """-1 where a cell is no integer of 64 bits."""
    if column.dtype != object:
        return column.astype(np.int64, copy=False)
    return np.array([_integer(cell) for cell in column], np.int64)


def _integer(cell: str) -> int:
    value = int(cell) if _INTEGER.fullmatch(cell) else -1
    return value if -(1 << 63) <= value < 1 << 63 else -1


def _header(line: bytes, number: int) -> list[str]:
    text = line.decode(errors="replace").rstrip("\r")
    names = next(csv.reader([text], strict=True), [""])
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"line {number} names the column '{name[:SHOWN]}' twice")
    return names


def _quick(block: bytes, width: int, kind: type) -> list[Column] | None:
    """None for what loadtxt would not read as it stands: a line that is empty,
    too short or too long, a cell unlike the first of its column.
    """
    rows = _lines(block)
    if block.count(b",") != rows * (width - 1) or block.count(b'"') % 2:
        return None
    begin = block.partition(b"\n")[0].decode(errors="replace").split(",")
    numbers = [i for i, cell in enumerate(begin) if _is(kind, cell)]
    texts = [i for i in range(len(begin)) if i not in numbers]
    columns: dict[int, Column] = {}
    for chosen, dtype in ((numbers, np.dtype(kind)), (texts, np.dtype(object))):
        if chosen:
            try:
                table = _loaded(block, dtype, chosen)
            except (ValueError, DeprecationWarning):
                return None
            if len(table) != rows:
                return None
            columns |= zip(chosen, table.T, strict=True)
    return [columns[i] for i in range(width)] if len(columns) == width else None


def _loaded(block: bytes, dtype: np.dtype[Any], columns: list[int]) -> Column:
    lines = io.TextIOWrapper(io.BytesIO(block), "utf-8")
    with warnings.catch_warnings():  # NumPy < 2.4 would take 2.5 for 2, and say so
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)  # of no rows, which the caller sees
        return np.loadtxt(
            lines, dtype, None, delimiter=",", usecols=columns, ndmin=2, quotechar='"'
        )


def _is(kind: type, cell: str) -> bool:
    try:
        kind(cell)
    except ValueError:
        return False
    return True


def _careful(block: bytes, first: int, width: int, kind: type) -> list[Column]:
    text = io.StringIO(block.decode(errors="replace"), newline="")
    rows = list(_rows(csv.reader(text, strict=True), first, width))
    columns = list(np.array(rows, object).T)
    if kind is int:
        whole = [integers(column) for column in columns]
        columns = [w if (w >= 0).all() else c for w, c in zip(whole, columns, strict=True)]
    return columns


def _rows(reader: Iterator[list[str]], first: int, width: int) -> Iterator[list[str]]:
    for number, cells in enumerate(reader, first):
        if len(cells) > width:
            raise ValueError(f"line {number} has {len(cells)} cells, the line of names {width}")
        # the same number is in memory once, however often it is in the file
        yield [*map(sys.intern, cells), *[""] * (width - len(cells))]
