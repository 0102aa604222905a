"""`inlier fleet ingest`: recordings, tables and captures into the store.

Each file is read by a task of its own, and what it holds of a device waits for
that device's task, which sorts it in. A row that is no window is left out and
counted, by its reason.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from inlier.counters import DELTA_MAX
from inlier.model import WINDOW_MS_MAX
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_export.reference import Ints
from inlier_trainer import recordings
from inlier_trainer.about import MARKS
from inlier_trainer.csv_table import integers
from inlier_trainer.pcap.count import count
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import Table
from inlier_trainer.sources import SOURCES, counters_of

from . import captured, parts, sorting
from .engine import Cluster, Summary, once
from .store import Device, Store, digest, named

COLUMNS = ("time", "device", "firmware", "type", *MARKS)
EARLIEST_MS = parts.ms_of("2000-01-01")
AHEAD_MS = parts.DAY_MS  # a clock that is further ahead than a day is wrong


@dataclass(frozen=True)
class Given:
    """What options say where a file does not: "" and 0 say nothing.

    start_ms: of the first window of a table without times.
    now_ms: when it was asked.
    """

    now_ms: int
    type: str = ""
    device: str = ""
    firmware: str = ""
    source: str = ""
    window_ms: int = 0
    start_ms: int = 0


def ingest(
    store: Store, paths: list[Path], given: Given, on: Cluster, progress: Progress
) -> sorting.Ingested:
    """Raises BadInput, OSError."""
    ran = on.run("reading", store, _read, [str(p) for p in paths], (given,), progress)
    done = sorting.Ingested(len(ran.told) - ran.again, ran.again, rejected=list(ran.rejected))
    for told in ran.told:
        for reason, n in told["left_out"].items():
            done.add(reason, n)
    sorting.sort(store, done, on, progress)
    return done


def _read(store: Store, path: str, given: Given) -> Summary:
    try:
        found = Path(path).stat()
    except OSError as error:
        return {"rejected": f"{path}: {error.strerror}"}
    key = digest(found.st_size, found.st_mtime_ns, given.__dict__ | {"now_ms": 0})
    name = digest(str(Path(path).resolve()))
    # staged by a name of its content too: another process may still sort in
    # what the file held before
    label = f"{name}-{key}"
    return once(store, "ingest", name, key, lambda: _staged(store, Path(path), label, given))


def _staged(store: Store, path: Path, name: str, given: Given) -> Summary:
    left_out: dict[str, int] = {}
    try:
        if path.name.endswith(captured.ENDINGS):
            spans = _capture(path, given)
        else:
            spans = _table(path, given, left_out)
        for device, span in spans:
            sorting.stage(store, device, span, name)
    except BadInput as problem:
        return {"rejected": str(problem)}
    return {"left_out": left_out, "devices": [[d.type, d.name] for d, _ in spans]}


def _capture(path: Path, given: Given) -> list[tuple[Device, parts.Span]]:
    address = given.device or captured.whose(path)
    if address is None:
        raise BadInput(f"{path}: nobody has a part in most of its packets: say --device ADDRESS")
    window_ms = given.window_ms or 10_000
    counted = count(path, address, window_ms)
    device = Device(named(given.type, "--type"), named(captured.called(address), "device"))
    time = np.arange(len(counted.windows), dtype=np.int64) * window_ms
    time += counted.first_ns // 1_000_000
    firmware = np.full(len(time), given.firmware, object)
    windows = np.minimum(counted.windows, DELTA_MAX)
    kind = "packets", window_ms, captured.COUNTERS
    return [(device, parts.Span(*kind, time, firmware, windows))]


def _table(path: Path, given: Given, left_out: dict[str, int]) -> list[tuple[Device, parts.Span]]:
    opened = recordings.table(path)
    about, table = opened.about, opened.columns
    source = _agreed(path, "source", about.source, given.source)
    counters = counters_of(source)
    if missing := [c for c in counters if c not in table]:
        raise BadInput(f"{path}: no column '{missing[0]}', which source '{source}' counts")
    if odd := [c for c in table if c not in counters and c not in COLUMNS]:
        what = printable(odd[0], 60)
        raise BadInput(f"{path}: a column '{what}', which source '{source}' does not count")
    window = _agreed(path, "window_ms", str(about.window_ms or ""), str(given.window_ms or ""))
    if not window.isdecimal() or not 10 <= int(window) <= WINDOW_MS_MAX:
        raise BadInput(f"{path}: windows of '{printable(window, 20)}' ms: say --window")
    window_ms = int(window)
    windows = np.stack([integers(table[c]) for c in counters], axis=1)
    time = _times(path, opened, window_ms, about.clock, given)
    good = np.ones(len(opened), bool)
    cut = "elapsed" in table
    elapsed = integers(table["elapsed"]) if cut else np.ones(len(opened), np.int64)
    for reason, bad in (
        ("interrupted", elapsed == 0),
        ("no_counter", ((windows < 0) | (windows > DELTA_MAX)).any(axis=1)),
        ("no_time", time < 0),
        ("clock", (time >= 0) & ((time < EARLIEST_MS) | (time > given.now_ms + AHEAD_MS))),
    ):
        if n := int((good & bad).sum()):
            left_out[reason] = left_out.get(reason, 0) + n
        good &= ~bad
    texts = {
        "device": captured.called(given.device or about.device) or path.stem,
        "type": given.type or path.parent.name.removeprefix("type="),
        "firmware": given.firmware or about.firmware,
    }
    for name in ("type", "device"):
        if name not in table:
            named(texts[name], f"{path}: say --{name}, its {name} is")
    columns = {
        name: table[name].astype(str).astype(object)
        if name in table
        else np.full(len(opened), default, object)
        for name, default in texts.items()
    }
    return _by_device(
        columns, good, left_out, parts.Kind(source, window_ms, counters), time, windows
    )


def _by_device(
    columns: dict[str, np.ndarray],
    good: np.ndarray,
    left_out: dict[str, int],
    kind: parts.Kind,
    time: Ints,
    windows: Ints,
) -> list[tuple[Device, parts.Span]]:
    spans = []
    pairs = np.char.add(
        np.char.add(columns["type"].astype(str), "/"), columns["device"].astype(str)
    )
    for pair in np.unique(pairs[good]):
        rows = np.flatnonzero(good & (pairs == pair))
        type_, _, name = str(pair).partition("/")
        try:
            device = Device(named(type_, "type"), named(name, "device"))
        except BadInput:
            left_out["no_name"] = left_out.get("no_name", 0) + len(rows)
            continue
        rows = rows[np.argsort(time[rows], kind="stable")]
        firmware = columns["firmware"][rows]
        spans.append((device, parts.Span(*kind, time[rows], firmware, windows[rows])))
    return spans


def _agreed(path: Path, what: str, said: str, option: str) -> str:
    if said and option and said != option:
        raise BadInput(
            f"{path}: it says {what}={printable(said, 40)}, the option {option}: leave the option "
            f"out, or this file"
        )
    if not (said or option):
        raise BadInput(
            f"{path}: it does not say its {what}: say --{what.partition('_')[0]}"
            + (f", one of {', '.join(SOURCES)}" if what == "source" else "")
        )
    return said or option


def _times(path: Path, opened: Table, window_ms: int, clock: str, given: Given) -> Ints:
    """ms since 1970, -1 where a cell is no time."""
    if "time" not in opened.columns:
        start_ms = given.start_ms or iso(clock)
        if start_ms < 0 or not start_ms:
            raise BadInput(
                f"{path}: no column 'time', and it does not say when it began: say --start, such "
                f"as 2026-01-31T00:00:00"
            )
        return start_ms + _since(opened) * window_ms
    column = opened.columns["time"]
    whole = integers(column)
    if column.dtype != object or (whole >= 0).all():
        return whole
    texts = pl.Series([cell or None for cell in column], dtype=pl.String)
    said = texts.str.to_datetime(time_unit="ms", time_zone="UTC", strict=False)
    return np.where(whole >= 0, whole, said.dt.epoch("ms").fill_null(-1).to_numpy())


def _since(opened: Table) -> Ints:
    """Windows since the first row: by the device's numbers where one boot has
    counted them all, else each follows the one before.
    """
    if "window" in opened.columns and "boot" in opened.columns:
        boot, window = integers(opened.columns["boot"]), integers(opened.columns["window"])
        if (boot == boot[0]).all() and (np.diff(window) > 0).all():
            return window - window[0]
    return np.arange(len(opened), dtype=np.int64)


def iso(text: str) -> int:
    """-1 for what is no time."""
    try:
        return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64)) if text else -1
    except ValueError:
        return -1
