"""Recordings as Parquet, which is all that polars is needed for here."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from inlier_export.reference import Ints

from .about import BEGIN
from .csv_table import Column, Columns

GROUP = 1 << 14  # rows, compressed together
METADATA = BEGIN.strip("# ")
FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # a panic: of a damaged file


def rows(file: BinaryIO) -> int:
    """How many it says that it has. Raises one of FAULTS."""
    file.seek(0)
    return pl.scan_parquet(file).select(pl.len()).collect().item()


def read(file: BinaryIO) -> tuple[str, Columns]:
    """What it says of itself, and its columns, as csv_table.parse gives them; a
    time is in milliseconds since 1970. Raises one of FAULTS.
    """
    file.seek(0)
    told = pl.read_parquet_metadata(file).get(METADATA, "")
    file.seek(0)
    frame = pl.read_parquet(file)
    return told, {name: _column(frame[name]) for name in frame.columns}


def _column(column: pl.Series) -> Column:
    cells = column.to_list() if column.dtype == pl.String or column.dtype.is_nested() else None
    if cells is None:
        whole = column.dt.epoch("ms") if column.dtype.is_temporal() else column
        whole = whole.cast(pl.Int64, strict=False)
        if column.dtype.is_float():
            whole = whole.set(column != column.floor(), None)
        if not whole.null_count():
            return whole.to_numpy()
        cells = [cell if n is None else n for n, cell in zip(whole, column, strict=True)]
    return np.array(["" if cell is None else str(cell) for cell in cells], object)


def packed(names: Sequence[str], parts: Iterable[Ints], about: str) -> bytes:
    """parts: windows (n, names) that follow each other, each held no longer
    than it takes to pack it.
    """

    def frames(*wanted: object) -> Iterator[pl.DataFrame]:
        for windows in parts:
            yield pl.DataFrame(windows, schema=list(names), orient="row")

    out = io.BytesIO()
    lazy = register_io_source(frames, schema=dict.fromkeys(names, pl.Int64))
    lazy.sink_parquet(out, metadata={METADATA: about}, row_group_size=GROUP)
    return out.getvalue()
