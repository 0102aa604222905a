"""`inlier fleet drift`: what a type does now, against what it was learned from,
by firmware version and week, of the histograms that training left.
"""

import numpy as np
import polars as pl

from inlier_trainer.figures import number_of
from inlier_trainer.progress import Progress

from . import parts
from .engine import Cluster, Summary
from .profile import BIN, WEEK_MS, read
from .store import Device, Store

QUANTILES = (0.5, 0.95)
MOVED_OCTAVES = 0.75  # three bins of a quarter: two are chance where devices are few
WINDOWS_MIN = 200
WEEK_SHARE = 0.5  # of the fullest one: less of a week is a matter of which days
SHARE_MIN = 0.02  # of the week's windows: fewer of a version say little


def drift(
    store: Store,
    devices: dict[str, list[Device]],
    until: str,
    on: Cluster,
    progress: Progress,
) -> list[Summary]:
    """What moved against the weeks before `until`, of each type, version and
    week, the most first.
    """
    moved: list[Summary] = []
    after = parts.ms_of(until)
    for type_, mine in sorted(devices.items()):
        ran = on.run(f"histograms {type_}", store, _histogram, mine, (), progress)
        rows = [row for told in ran.told for row in told["rows"]]
        names = ["version", "week", "counter", "bin", "windows"]
        table = pl.DataFrame(rows, schema=names, orient="row")
        moved += _moved(type_, table, after)
    moved.sort(key=lambda m: (-abs(m["octaves"]), m["type"], m["version"], m["week"], m["counter"]))
    return moved


def _histogram(store: Store, device: Device) -> Summary:
    return {"rows": read(store, device).rows()}


def _moved(type_: str, table: pl.DataFrame, after: int) -> list[Summary]:
    keys = ["version", "week", "counter"]
    summed = table.group_by([*keys, "bin"]).agg(pl.col("windows").sum())
    counted = {
        key: (group["bin"].to_numpy(), group["windows"].to_numpy())
        for key, group in summed.sort([*keys, "bin"]).group_by(keys, maintain_order=True)
    }
    sizes = table.group_by("week").agg(pl.col("windows").sum()).rows()
    most = max(size for _, size in sizes)
    weeks = sorted(week for week, size in sizes if size >= WEEK_SHARE * most)
    # the weeks that lie wholly in what was learned from, the first at least
    before = [w for w in weeks if (w + 1) * WEEK_MS <= after] or weeks[:1]
    found: list[Summary] = []
    for counter in sorted({c for *_, c in counted}):
        reference = _quantiles([counted[k] for k in counted if k[2] == counter and k[1] in before])
        for version, week in sorted(
            {(v, w) for v, w, _ in counted if w in weeks and w not in before}
        ):
            part = counted.get((version, week, counter))
            if part is None or part[1].sum() < WINDOWS_MIN:
                continue
            whole = sum(counted[k][1].sum() for k in counted if k[1] == week and k[2] == counter)
            if part[1].sum() < SHARE_MIN * whole:
                continue
            now = _quantiles([part])
            away = max((now - reference).tolist(), key=abs) * BIN / 16
            if abs(away) >= MOVED_OCTAVES:
                found.append(
                    {
                        "type": type_,
                        "version": version,
                        "week": parts.date_of(week * WEEK_MS),
                        "counter": counter,
                        "octaves": round(away, 2),
                    }
                )
    return found


def _quantiles(histograms: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """In bins, of several histograms together."""
    bins = np.concatenate([b for b, _ in histograms])
    counts = np.concatenate([c for _, c in histograms])
    order = np.argsort(bins, kind="stable")
    share = np.cumsum(counts[order]) / counts.sum()
    return np.array([bins[order][np.searchsorted(share, q)] for q in QUANTILES])


def proposals(moved: list[Summary]) -> list[Summary]:
    """Types to train again, each with its reason in words."""
    told = []
    for type_ in sorted({m["type"] for m in moved}):
        mine = [m for m in moved if m["type"] == type_]
        first = mine[0]
        versions = sorted({m["version"] for m in mine})
        weeks = sorted({m["week"] for m in mine})
        way = "above" if first["octaves"] > 0 else "below"
        away = f"{abs(first['octaves']):g}"
        told.append(
            {
                "type": type_,
                "versions": versions,
                "since": weeks[0],
                "reason": (
                    f"since the week of {weeks[0]} firmware {', '.join(versions)} has "
                    f"'{first['counter']}' up to {number_of(away, 'octave')} {way} what was "
                    f"learned" + (f", and {len(mine) - 1} more such" if len(mine) > 1 else "")
                ),
            }
        )
    return told
