"""The published experiment: benign rows split 80/20 at random, trained on the
80, tested on 20 and all attacks.

Of the sample's Gafgyt rows 64 % are one and the same vector, a stream's first
packet of 60 bytes: whether that point is seen decides the share of rows seen.
So it is told by itself, and the share of distinct rows beside that of rows.
Rows are the same if they are but for the HH_jit columns, which hold a Unix time
on a first packet.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.reference import Ints
from inlier_trainer.progress import Progress

from . import baselines, detectors
from .detectors import Scores
from .nbaiot import COLUMNS, FAMILIES, JITTER, Device, Rows

SEEDS = (1, 2, 3, 4, 5)
TRAINED = 0.8
ROWS_MIN = 250
PROCESSES = 2
COLUMN_SETS = {
    "all": tuple(range(len(COLUMNS))),
    "without_HH_jit": tuple(i for i, name in enumerate(COLUMNS) if not name.startswith(JITTER)),
}


@dataclass
class Result:
    """One detector on one device. Shares are of 1, None of a family without
    rows.

    fpr_low and fpr_high: 95 % interval (Wilson, 1927).
    distinct_: each different row of a family counts once.
    first_packets: how much of Gafgyt its commonest row makes up.
    first_packets_seen: how many of those rows are.
    mismatches: rows whose integers under MicroPython differ from the
        reference's, of the form that can have any.
    """

    device: str
    columns: str
    detector: str
    form: str
    seed: int
    accuracy: float
    tpr_mirai: float | None
    tpr_gafgyt: float | None
    fpr: float
    fpr_low: float
    fpr_high: float
    auc: float
    distinct_mirai: float | None
    distinct_gafgyt: float | None
    first_packets: float
    first_packets_seen: float
    model_bytes: int | None = None
    mismatches: int = 0

    def summary(self) -> dict[str, object]:
        return asdict(self)


def wilson(count: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share of `count` in n."""
    p, q = count / n, z * z / n
    half = z * float(np.sqrt(p * (1 - p) / n + q / (4 * n)))
    return max(0.0, (p + q / 2 - half) / (1 + q)), min(1.0, (p + q / 2 + half) / (1 + q))


def copies(rows: Rows) -> Ints:
    """How often each of rows (n, 115) occurs among them (n,)."""
    chosen = rows[:, COLUMN_SETS["without_HH_jit"]] + 0.0  # -0 and 0 are one number, of other bits
    each = np.ascontiguousarray(chosen).view(f"V{chosen.shape[1] * chosen.itemsize}").ravel()
    _, which, counts = np.unique(each, return_inverse=True, return_counts=True)
    return counts[which].astype(np.int64)


def run(
    devices: Iterator[Device], interpreter: Path, progress: Progress, seeds: tuple[int, ...] = SEEDS
) -> Iterator[Result]:
    """Results of every device, column set and seed. Raises BadInput."""
    # A process a core: further threads of each would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for device in devices:
            if len(device.benign) < ROWS_MIN:
                raise BadInput(
                    f"{device.name}: {len(device.benign)} benign rows, at least {ROWS_MIN} are "
                    f"needed"
                )
            with tempfile.TemporaryDirectory() as folder:
                # By file: a whole device of UCI's would not pass a pipe.
                np.save(f"{folder}/benign.npy", device.benign)
                for family in FAMILIES:
                    np.save(f"{folder}/{family}.npy", device.attacks[family])
                    np.save(f"{folder}/{family}_copies.npy", copies(device.attacks[family]))
                jobs = [
                    pool.submit(one, Path(folder), device.name, columns, seed, interpreter)
                    for columns in COLUMN_SETS
                    for seed in seeds
                ]
                for done, job in enumerate(as_completed(jobs)):
                    yield from job.result()
                    progress(device.name, done + 1, len(jobs))


def one(folder: Path, device: str, columns: str, seed: int, interpreter: Path) -> list[Result]:
    """One split of one device: this project's detectors in three forms, and the
    baselines.
    """
    chosen = list(COLUMN_SETS[columns])
    benign, mirai, gafgyt = (
        np.load(folder / f"{name}.npy", "r")[:, chosen] for name in ("benign", *FAMILIES)
    )
    alike = [np.load(folder / f"{family}_copies.npy") for family in FAMILIES]
    order = np.random.default_rng(seed).permutation(len(benign))
    trained = int(len(benign) * TRAINED)
    fitted = detectors.fit(benign[order[:trained]], tuple(COLUMNS[i] for i in chosen), seed)
    test = np.concatenate([benign[order[trained:]], mirai, gafgyt])
    results = []

    def add(detector: str, form: str, scores: Scores | Ints, limit: float, **told: Any) -> None:
        measured = measure(scores, limit, alike)
        results.append(Result(device, columns, detector, form, seed, **measured, **told))

    floats = fitted.fitted.floats(test)
    said = detectors.score(fitted, detectors.counters(test), interpreter)
    for name, (scores, of_device, wrong) in said.items():
        size = len(fitted.blobs[name])
        add(name, "float", floats[name], fitted.float_limits[name], model_bytes=size)
        add(name, "int8", scores, fitted.limit(name), model_bytes=size)
        limit = fitted.limit(name)
        add(name, "int8_micropython", of_device, limit, model_bytes=size, mismatches=wrong)
    q = detectors.float_features(test, fitted.fitted.detector)
    for name, of_baseline, top in baselines.scores(fitted.parts, q, seed):
        add(name, "float", of_baseline, top)
    return results


def share(seen: NDArray[np.bool_], weights: Scores | None = None) -> float | None:
    """Of so many rows with these weights, how much is seen."""
    return float(np.average(seen, weights=weights)) if len(seen) else None


def area(benign: Scores | Ints, odd: Scores | Ints) -> float:
    """Under the ROC curve: the share of pairs that are ranked right, ties a
    half (Mann and Whitney, 1947).
    """
    ranked = np.sort(benign)
    below = np.searchsorted(ranked, odd, "left") + np.searchsorted(ranked, odd, "right")
    return float(below.mean()) / 2 / len(benign)


def measure(scores: Scores | Ints, limit: float, alike: Sequence[Ints]) -> dict[str, Any]:
    """A Result's figures from accuracy to first_packets_seen.

    scores: benign rows, then Mirai, then Gafgyt, of which `alike` are the
        copies of each row.
    """
    over = scores > limit
    benign = len(over) - sum(map(len, alike))
    false = int(over[:benign].sum())
    mirai, gafgyt = over[benign : benign + len(alike[0])], over[benign + len(alike[0]) :]
    low, high = wilson(false, benign)
    first = alike[1] == alike[1].max()
    return {
        "accuracy": (benign - false + int(over[benign:].sum())) / len(over),
        "tpr_mirai": share(mirai),
        "tpr_gafgyt": share(gafgyt),
        "fpr": false / benign,
        "fpr_low": low,
        "fpr_high": high,
        "auc": area(scores[:benign], scores[benign:]),
        "distinct_mirai": share(mirai, 1 / alike[0]),
        "distinct_gafgyt": share(gafgyt, 1 / alike[1]),
        "first_packets": float(first.mean()),
        "first_packets_seen": float(gafgyt[first].mean()),
    }
