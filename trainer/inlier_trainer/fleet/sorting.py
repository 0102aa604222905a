"""Puts windows of devices where they belong: a part a day, each window once,
in the order of time, whenever it came.

What is new waits in staged/, and is taken away when the parts that hold it are
written: an ingest that was cut finds it there, and adds nothing twice. A staged
file's name begins with a digest of its kind, so that a listing tells what does
not fit.
"""

from dataclasses import dataclass, field

import numpy as np

from inlier_trainer.progress import Progress

from . import parts
from .alone import alone
from .engine import Cluster, Summary
from .store import Device, Store, digest

KEYS = ("new", "repeated", "contradicting", "late")


@dataclass
class Ingested:
    """files: read now.
    again: read before.
    counts: windows by what became of them, rejects among them.
    rejected: files and devices that were left out.
    """

    files: int = 0
    again: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)

    def add(self, key: str, n: int) -> None:
        if n:
            self.counts[key] = self.counts.get(key, 0) + n


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


def sort(store: Store, done: Ingested, on: Cluster, progress: Progress, wait: bool = True) -> None:
    """What is staged, into the devices' days; of a device that is in another
    type, or of another kind than its type, nothing.

    wait: for another process that sorts; else what is staged waits for the
        next time.
    """
    with alone(store, progress, wait) as is_alone:
        if not is_alone:
            return
        homes = {d: t for t in store.types() for d in store.members(t)}
        kinds: dict[str, tuple[str, str]] = {}
        fits: list[tuple[Device, list[str]]] = []
        for device, names in staged(store).items():
            bad, reason = _misplaced(store, device, names, homes, kinds)
            if bad:
                done.rejected.append(reason)
                forget(store, device, bad)
            if good := [name for name in names if name not in bad]:
                fits.append((device, good))
        merged = on.run("sorting", store, merge, fits, (), progress)
    for told in merged.told:
        done.rejected += told["problems"]
        for key in KEYS:
            done.add(key, told[key])


def _misplaced(
    store: Store,
    device: Device,
    names: list[str],
    homes: dict[str, str],
    kinds: dict[str, tuple[str, str]],
) -> tuple[list[str], str]:
    """Which of the staged files do not belong to the type, and why. homes, and
    kinds as digest and words, grow by what is new.
    """
    home = homes.setdefault(device.name, device.type)
    if home != device.type:
        return names, (
            f"device '{device.name}' is in type '{home}' already, and was to be added as "
            f"'{device.type}': say --type {home}, or move its folder"
        )
    if device.type not in kinds:
        if usual := _usual(store, device.type):
            kinds[device.type] = digest(usual), _said(usual)
        else:
            kinds[device.type] = kind_of(names[0]), _staged_said(store, device, names[0])
    of_type, said = kinds[device.type]
    bad = [name for name in names if kind_of(name) != of_type]
    if not bad:
        return [], ""
    return bad, (
        f"device '{device.name}' has {_staged_said(store, device, bad[0])}, its type "
        f"'{device.type}' {said}: ingest it as another type"
    )


def _staged_said(store: Store, device: Device, name: str) -> str:
    place = f"staged/{device.place}/{name}"
    try:
        return _said(parts.span_of(store.read(place), place).kind)
    except parts.Unreadable:
        return "windows that cannot be read"


def _said(kind: parts.Kind) -> str:
    return f"windows of {kind.window_ms} ms of source '{kind.source}'"


def _usual(store: Store, type_: str) -> parts.Kind | None:
    for name in store.members(type_):
        device = Device(type_, name)
        for date in store.dates(device)[-1:]:
            try:
                return parts.kind(store, device, date)
            except parts.Unreadable:
                continue
    return None


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
