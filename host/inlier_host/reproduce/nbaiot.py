"""Reads N-BaIoT (Meidan et al., "N-BaIoT: Network-based detection of IoT botnet
attacks using deep autoencoders", 2018): 115 traffic statistics a packet, of
benign devices and of the same infected with Mirai and Gafgyt.

Two layouts: UCI's (a folder a device with benign_traffic.csv,
mirai_attacks/*.csv and gafgyt_attacks/*.csv) and a sample whose attack rows are
pooled over devices (attacks_pooled/mirai.csv and gafgyt.csv). Every file may be
gzipped.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer import csv_table

Rows = NDArray[np.float64]
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.I)

FAMILIES = ("mirai", "gafgyt")
BENIGN = "benign_traffic"
POOLED = "attacks_pooled"
DECAYS = ("L5", "L3", "L1", "L0.1", "L0.01")
_STATISTICS = ("weight", "mean", "variance")
_TWO_WAY = ("weight", "mean", "std", "magnitude", "radius", "covariance", "pcc")
COLUMNS = tuple(
    f"{stream}_{decay}_{statistic}"
    for stream, statistics in (
        ("MI_dir", _STATISTICS), ("H", _STATISTICS), ("HH", _TWO_WAY), ("HH_jit", _STATISTICS),
        ("HpHp", _TWO_WAY),
    )
    for decay in DECAYS
    for statistic in statistics
)  # fmt: skip
# Two of UCI's nine devices were never infected with Mirai.
NO_MIRAI = ("Ennio_Doorbell", "Samsung_SNH_1011_N_Webcam")
JITTER = "HH_jit_"  # hold a raw Unix time on a channel's first packet


@dataclass
class Device:
    """Rows (n, 115) float64, in the order of COLUMNS; none of a family that the
    device was never infected with.
    """

    name: str
    benign: Rows
    attacks: dict[str, Rows]


def read(folder: Path) -> Iterator[Device]:
    """Every device in `folder`, one after the other: a whole one of UCI's takes
    a gigabyte. Raises BadInput.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; name the one that holds N-BaIoT's devices")
    places = [
        place for place in sorted(folder.iterdir()) if place.is_dir() and _tables(place, BENIGN)
    ]
    if not places:
        raise BadInput(
            f"{folder}: no device in it; a device is a folder with {BENIGN}.csv or {BENIGN}.csv.gz"
        )
    pooled = {family: _tables(folder / POOLED, family) for family in FAMILIES}
    attacks = {
        place: {family: _tables(place / f"{family}_attacks", "*") for family in FAMILIES}
        for place in places
    }
    for place, own in attacks.items():
        for family in FAMILIES:
            never = family == "mirai" and place.name in NO_MIRAI
            if not own[family] and not pooled[family] and not never:
                raise BadInput(
                    f"{place}: no rows of {family}; unpack them into {family}_attacks there, or "
                    f"add {POOLED}"
                )
    shared = {family: _rows(paths) for family, paths in pooled.items()}
    for place, own in attacks.items():
        rows = {family: _rows(paths) if paths else shared[family] for family, paths in own.items()}
        yield Device(place.name, _rows(_tables(place, BENIGN)), rows)


def _tables(folder: Path, stem: str) -> list[Path]:
    return sorted([*folder.glob(f"{stem}.csv"), *folder.glob(f"{stem}.csv.gz")])


def _rows(paths: list[Path]) -> Rows:
    return (
        np.concatenate([_table(path) for path in paths]) if paths else np.empty((0, len(COLUMNS)))
    )


def _table(path: Path) -> Rows:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        table = csv_table.parse(content, kind=float)
    except (csv_table.Malformed, OSError, EOFError, ValueError, zlib.error) as error:
        why = printable(str(error).partition("\n")[0], 120)
        raise BadInput(f"{path}: not a readable CSV ({why}); download it again") from None
    for kind, names in (
        ("misses the column", [c for c in COLUMNS if c not in table]),
        ("has a column that N-BaIoT does not,", [c for c in table if c not in COLUMNS]),
    ):
        if names:
            raise BadInput(
                f"{path}: line 1 {kind} '{names[0]}'; the header must be UCI's, {COLUMNS[0]} to "
                f"{COLUMNS[-1]}"
            )
    values = np.stack([_floats(table[name]) for name in COLUMNS], axis=1)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        line, column = bad[0]
        held = table[COLUMNS[column]][int(line)]
        raise BadInput(
            f"{path}: line {line + 2}, column '{COLUMNS[column]}' holds '{held}'; correct or "
            f"remove that line"
        )
    return values


def _floats(column: Rows | NDArray[np.object_]) -> Rows:
    """NaN where a cell is no number."""
    if column.dtype != object:
        return column.astype(np.float64)
    return np.array([float(cell) if _NUMBER.fullmatch(cell) else np.nan for cell in column])
