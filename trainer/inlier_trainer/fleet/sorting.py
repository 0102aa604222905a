"""Puts windows of one device where they belong: a part a day, each window once,
in the order of time, whenever it came.

What is new waits in staged/, and is taken away when the parts that hold it are
written: an ingest that was cut finds it there, and adds nothing twice. A staged
file's name begins with a digest of its kind, so that a listing tells what does
not fit.
"""

import numpy as np

from . import parts
from .engine import Summary
from .store import Device, Store, digest

KEYS = ("new", "repeated", "contradicting", "late")


def stage(store: Store, device: Device, span: parts.Span, name: str) -> None:
    """name: another one for other windows. Raises OSError."""
    place = f"staged/{device.place}/{digest(span.kind)}.{name}.parquet"
    store.write(place, parts.packed(span, device))


def kind_of(name: str) -> str:
    """digest() of the kind of what is staged by that name."""
    return name.partition(".")[0]


def staged(store: Store) -> dict[Device, list[str]]:
    """Names by device."""
    found = {}
    for type_ in store.names("staged"):
        for device in store.names(f"staged/{type_}"):
            if names := store.names(f"staged/{type_}/{device}"):
                key = Device(type_.removeprefix("type="), device.removeprefix("device="))
                found[key] = names
    return found


def forget(store: Store, device: Device, names: list[str]) -> None:
    for name in names:
        store.remove(f"staged/{device.place}/{name}")


def merge(store: Store, item: tuple[Device, list[str]]) -> Summary:
    """Staged windows of a device into their days; tells what became of them:
    new, repeated (the same again), contradicting (of the same time, but others:
    the first stays), late (older than what was there). problems: of files that
    stay, for somebody to look at.
    """
    device, names = item
    told = dict.fromkeys(KEYS, 0)
    problems = []
    there = store.dates(device)
    for name in names:
        place = f"staged/{device.place}/{name}"
        try:
            span = parts.span_of(store.read(place), place)
            for key, n in _added(store, device, span, set(there)).items():
                told[key] += n
        except parts.Unreadable as problem:
            problems.append(f"{problem}; {place} stays until that is mended")
            continue
        there = store.dates(device)
        store.remove(place)
    return {"type": device.type, "device": device.name, **told, "problems": problems}


def _added(store: Store, device: Device, span: parts.Span, there: set[str]) -> Summary:
    told = dict.fromkeys(KEYS, 0)
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
