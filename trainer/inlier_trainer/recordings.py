"""Files of windows: CSV or Parquet, one row a window, columns named as the
source's counters, deltas as integers. What the file says of itself: about.py.

Three more columns say how a window stands to the one before:

    boot     the device's number of the boot that counted it
    window   its number since that boot
    elapsed  window lengths that it is the mean of: more than 1 after a missed
             tick; 0 where it was interrupted, as by packets that the kernel
             dropped: it is no window, only what is left of one

Between windows that do not follow each other something is missing: a reboot,
or lines that were lost. There a device, or what is trained, begins as at boot.
Without the columns each window follows the one before.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from inlier.model import Model
from inlier_export.errors import BadInput
from inlier_export.inputs import RECORDING_MAX, open_input, read_rest
from inlier_export.os_errors import said
from inlier_export.printable import printable
from inlier_export.reference import Ints

from . import csv_table
from .about import BEGIN, MARKS, NOTHING, SHOWN, About, hold_against, parsed
from .csv_table import Columns
from .files import write_atomic

WHAT = "recording"
FORMER = ("boot", "window", "missed")  # what MARKS were up to 0.2.0
ROWS_MAX = csv_table.LINES_MAX  # windows
BLOCK = 4096  # windows, written at once
COMMENTS_MAX, COMMENT_MAX = 64, 4096  # lines before the names, and bytes of one
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zX")


@dataclass
class Recording:
    """windows: (n, counters) int64, a row each, also those that were
        interrupted.
    marks: (n, 3) int64, None where each follows the one before.
    """

    counters: tuple[str, ...]
    windows: Ints
    about: About = NOTHING
    marks: Ints | None = None

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Of each row, whether it is a window, and was not interrupted."""
        if self.marks is None:
            return np.ones(len(self.windows), bool)
        return self.marks[:, 2] > 0

    @property
    def stretches(self) -> list[slice]:
        """Rows of whole windows that follow each other; each begins as at boot."""
        if self.marks is None:
            return [slice(0, len(self.windows))]
        rows = np.flatnonzero(self.whole)
        boot, window = self.marks[rows, 0], self.marks[rows, 1]
        breaks = (np.diff(rows) > 1) | (np.diff(boot) != 0) | (np.diff(window) != 1)
        parts = np.split(rows, np.flatnonzero(breaks) + 1)
        return [slice(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]

    @property
    def runs(self) -> list[Ints]:
        """The windows of each stretch."""
        return [self.windows[rows] for rows in self.stretches]


@dataclass
class Table:
    """A file as it was read, before one knows whose counters it should hold.
    Raises BadInput for the form before this.

    first: the line of its first row.
    """

    path: Path
    about: About
    columns: Columns
    first: int

    def __post_init__(self) -> None:
        if self.names[: len(FORMER)] == FORMER:
            raise BadInput(
                f"{self.path}: it is a recording of inlier 0.2.0 or before, which began with "
                f"{','.join(FORMER)}: record again; or take those three columns out of it, and "
                f"each window is taken to follow the one before"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def recording(self, counters: tuple[str, ...]) -> Recording:
        """Its columns in the order of `counters`. Raises BadInput."""
        marks = [name for name in self.names if name in MARKS]
        self._check_columns([name for name in self.names if name not in MARKS], counters)
        if not len(self):
            raise BadInput(f"{self.path}: it holds no window; record again")
        if marks and len(marks) < len(MARKS):
            raise BadInput(
                f"{self.path}: line {self.first - 1} has the column '{marks[0]}' without the "
                f"others of {','.join(MARKS)}: leave it out, or record again"
            )
        found = Recording(
            counters,
            self._columns(counters),
            self.about,
            self._columns(MARKS) if marks else None,
        )
        if not found.whole.any():
            raise BadInput(f"{self.path}: each window in it was interrupted; record again")
        return found

    def board_recording(self) -> Recording:
        """The same of whatever its board counted. Raises BadInput."""
        if self.names[: len(MARKS)] != MARKS:
            raise BadInput(
                f"{self.path}: it is no recording of a board, which begins with "
                f"{','.join(MARKS)}: record into another file"
            )
        counters = self.names[len(MARKS) :]
        if not counters:
            raise BadInput(f"{self.path}: it holds no counter; record into another file")
        return self.recording(counters)

    def _columns(self, names: tuple[str, ...]) -> Ints:
        out = np.empty((len(self), len(names)), np.int64)
        for i, name in enumerate(names):
            out[:, i] = self._integers(name)
        return out

    def _check_columns(self, columns: list[str], counters: tuple[str, ...]) -> None:
        for kind, names in (
            ("misses the counter", [c for c in counters if c not in columns]),
            (
                "has a column that its source does not count,",
                [c for c in columns if c not in counters],
            ),
        ):
            if names:
                raise BadInput(
                    f"{self.path}: line {self.first - 1} {kind} '{names[0][:SHOWN]}'; the columns "
                    f"must be {','.join(counters)}"
                )

    def _integers(self, name: str) -> Ints:
        column = self.columns[name]
        values = csv_table.integers(column)
        bad = np.flatnonzero(values < 0)
        if len(bad):
            row, value = int(bad[0]), column[bad[0]]
            what = "is empty" if value == "" else f"holds '{str(value)[:SHOWN]}'"
            raise BadInput(
                f"{self.path}: line {row + self.first}, column '{name}' {what}; a counter's "
                f"delta is an integer from 0 to 2^63 - 1: correct or remove that line"
            )
        return values


def read(path: Path, counters: tuple[str, ...]) -> Recording:
    """A recording of these counters. Raises BadInput."""
    return table(path).recording(counters)


def read_for(path: Path, model: Model) -> Recording:
    """A recording of what a model scores. Raises BadInput, also where the
    recording says that it is of another source or length.
    """
    opened = table(path)
    hold_against(
        path,
        opened.about,
        model.source,
        model.window_ms,
        "the model has",
        "take a recording like those that the model was trained on, or another model",
    )
    return opened.recording(model.counters())


def table(path: Path) -> Table:
    """Never by its path, which a library may take for a pattern of other files
    too. Raises BadInput.
    """
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
            comments = list(_comments(path, file))
            about = next((c for c in comments if c.startswith(BEGIN)), BEGIN)
            content = file.read()
            if not content:
                raise BadInput(f"{path}: the file is empty; record again")
            first = len(comments) + 2
            columns = csv_table.parse(content, first)
            return Table(path, parsed(path, about[len(BEGIN) :]), columns, first)
    except OSError as error:
        raise BadInput(said(error, path)) from None
    except (ValueError, csv_table.Malformed) as error:
        raise _no_table(path, error) from None


def _no_table(path: Path, error: BaseException) -> BadInput:
    first = str(error).partition("\n")[0].partition(" - ")[0]  # behind it advice to programmers
    why = printable(first, 2 * SHOWN)  # it cites names and cells
    return BadInput(f"{path}: not a readable table ({why}); record again")


def _comments(path: Path, file: BinaryIO) -> Iterator[str]:
    """The lines before the names, empty ones too; the file is then at the
    names.
    """
    at = file.tell()
    for _ in range(COMMENTS_MAX):
        line = file.readline(COMMENT_MAX)
        if not line.endswith(b"\n") or (line.strip() and not line.startswith(b"#")):
            file.seek(at)
            return
        yield line.decode(errors="replace").strip()
        at = file.tell()
    raise BadInput(f"{path}: its first {COMMENTS_MAX} lines are comments: record again")


def check_kind(path: Path, by_lines: bool = False) -> None:
    """Raises BadInput where a recording could not be written as `path` says:
    by_lines, window by window, as Parquet can't be.
    """
    if path.suffix != ".parquet":
        return
    if by_lines:
        raise BadInput(
            f"{path}: what is recorded window by window is a CSV: name it "
            f"{path.with_suffix('.csv').name}"
        )
    _polars(path)


def _parquet(path: Path, buffered: BinaryIO) -> Table:
    parquet = _polars(path)
    # a seek in the buffer would not move the descriptor, from which polars
    # reads
    file: BinaryIO = getattr(buffered, "raw", buffered)
    try:
        rows = parquet.rows(file)
        if rows > ROWS_MAX:  # a few bytes of a file can say so, and take all memory
            raise BadInput(f"{path}: {rows} windows, at most {ROWS_MAX} are read: split it")
        told, columns = parquet.read(file)
    except parquet.FAULTS as error:
        raise _no_table(path, error) from None
    return Table(path, parsed(path, told), columns, 2)


def _polars(path: Path) -> ModuleType:
    try:
        from . import parquet
    except ModuleNotFoundError:
        raise BadInput(
            f"{path}: Parquet needs polars: pip install 'inlier[parquet]', or take a CSV"
        ) from None
    return parquet


def write(path: Path, recording: Recording) -> None:
    """Replace `path` whole. Raises OSError."""
    write_parts(path, [recording])


def write_parts(path: Path, parts: Iterable[Recording]) -> None:
    """The same of recordings that follow each other as one, some thousands of
    windows each: a CSV of any length takes the memory of one of them, a Parquet
    what it takes on disk besides.
    """
    if path.suffix != ".parquet":
        write_atomic(path, _csv(parts))
        return
    parquet = _polars(path)
    parts = iter(parts)
    first = next(parts)
    names, rows = _columns(first)
    blocks = chain([rows], (_columns(part)[1] for part in parts))
    write_atomic(path, parquet.packed(names, blocks, first.about.line()))


def in_parts(
    counters: tuple[str, ...], about: About, windows: Iterable[Ints], cut: int | None = None
) -> Iterator[Recording]:
    """Recordings of windows that come some thousands at a time.

    cut: which window was interrupted, if one was.
    """
    at = 0
    for part in windows:
        marks, number = None, np.arange(at, at + len(part))
        if cut is not None:
            marks = np.stack([np.ones_like(number), number, number != cut], axis=1)
        yield Recording(counters, part, about, marks)
        at += len(part)


def csv_bytes(recording: Recording) -> bytes:
    return b"".join(_csv([recording]))


def _csv(parts: Iterable[Recording]) -> Iterator[bytes]:
    for i, part in enumerate(parts):
        names, rows = _columns(part)
        if not i:
            yield f"{part.about.comment()}{','.join(names)}\n".encode()
        line = ",".join(["%d"] * len(names)) + "\n"
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            yield (line * len(block) % tuple(block.ravel().tolist())).encode()


def _columns(recording: Recording) -> tuple[tuple[str, ...], Ints]:
    if recording.marks is None:
        return recording.counters, recording.windows
    marked = np.concatenate([recording.marks, recording.windows], axis=1)
    return (*MARKS, *recording.counters), marked
