"""Puts windows of one device where they belong: a part a day, each window once,
in the order of time, whenever it came.

What is new waits in staged/, and is taken away when the parts that hold it are
written: an ingest that was cut finds it there, and adds nothing twice.
"""

import numpy as np

from . import parts
from .engine import Summary
from .store import Device, Store


def stage(store: Store, device: Device, span: parts.Span, name: str) -> None:
    """Raises OSError."""
    store.write(f"staged/{device.place}/{name}.parquet", parts.packed(span, device))


def staged(store: Store) -> list[Device]:
    return [
        Device(type_.removeprefix("type="), name.removeprefix("device="))
        for type_ in store.names("staged")
        for name in store.names(f"staged/{type_}")
        if store.names(f"staged/{type_}/{name}")
    ]


def forget(store: Store, device: Device) -> None:
    """Takes away what is staged of a device."""
    for name in store.names(f"staged/{device.place}"):
        store.remove(f"staged/{device.place}/{name}")


def merge(store: Store, device: Device) -> Summary:
    """Staged windows into their days; tells what became of them: new,
    repeated (the same again), contradicting (of the same time, but others: the
    first stays), late (older than what was there).
    """
    names = store.names(f"staged/{device.place}")
    told = {"new": 0, "repeated": 0, "contradicting": 0, "late": 0}
    there = store.dates(device)
    try:
        for name in names:
            content = store.read(f"staged/{device.place}/{name}")
            for key, n in _added(store, device, parts.span_of(content, name), set(there)).items():
                told[key] += n
            there = store.dates(device)
    except parts.Unreadable as problem:
        return {"rejected": str(problem)}
    for name in names:
        store.remove(f"staged/{device.place}/{name}")
    return {"type": device.type, "device": device.name, **told}


def _added(store: Store, device: Device, span: parts.Span, there: set[str]) -> Summary:
    told = {"new": 0, "repeated": 0, "contradicting": 0, "late": 0}
    dates = span.time.astype("datetime64[ms]").astype("datetime64[D]").astype(str)
    newest = max(there, default="")
    for date in sorted(set(dates.tolist())):
        fresh = span.at(np.flatnonzero(dates == date))
        known = parts.read(store, device, [date]) if date in there else None
        if known is not None and known.kind != fresh.kind:
            raise parts.Unreadable(
                f"{store.part(device, date)}: its source, window or counters are not those of "
                f"what is to be added: ingest that as another type"
            )
        end = int(known.time.max()) if known is not None and len(known) else -1
        both = _both(known, fresh)
        kept, repeated, contradicting, new = _once_each(both, 0 if known is None else len(known))
        told["repeated"] += repeated
        told["contradicting"] += contradicting
        told["new"] += len(new)
        told["late"] += int((both.time[new] < end).sum()) if date >= newest else len(new)
        if len(new):
            parts.write_part(store, device, date, both.at(kept))
    return told


def _both(known: parts.Span | None, fresh: parts.Span) -> parts.Span:
    if known is None:
        return fresh
    return parts.Span(
        *fresh.kind,
        np.concatenate([known.time, fresh.time]),
        np.concatenate([known.firmware, fresh.firmware]),
        np.concatenate([known.windows, fresh.windows]),
    )


def _once_each(span: parts.Span, known: int) -> tuple[np.ndarray, int, int, np.ndarray]:
    """Rows to keep in order of time, how many were repeated and how many
    contradict; and rows that are new. The first of a time wins.
    """
    slot = (span.time + span.window_ms // 2) // span.window_ms
    order = np.lexsort((np.arange(len(span)), slot))
    first = np.diff(slot[order], prepend=slot[order][0] - 1) != 0
    kept = order[first]
    leader = kept[np.cumsum(first) - 1]  # of each row, the one that won its time
    same = (span.windows[order] == span.windows[leader]).all(axis=1)
    repeated = int((~first & same).sum())
    contradicting = int((~first & ~same).sum())
    kept = kept[np.argsort(span.time[kept], kind="stable")]
    return kept, repeated, contradicting, np.sort(kept[kept >= known])
