"""The published experiment: benign rows split 80/20 at random, trained on the
80, tested on 20 and all attacks.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from inlier_export.errors import BadInput
from inlier_export.reference import Ints
from inlier_trainer.progress import Progress

from . import baselines, detectors
from .detectors import Scores
from .nbaiot import COLUMNS, FAMILIES, JITTER, Device

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
    """One detector on one device. Shares are of 1; fpr_low and fpr_high: 95 %
    interval (Wilson, 1927).

    mismatches: rows whose integers under MicroPython differ from the
    reference's, of the form that can have any.
    """

    device: str
    columns: str
    detector: str
    form: str
    seed: int
    accuracy: float
    tpr_mirai: float
    tpr_gafgyt: float
    fpr: float
    fpr_low: float
    fpr_high: float
    auc: float
    model_bytes: int | None
    mismatches: int = 0

    def summary(self) -> dict[str, object]:
        return asdict(self)


def wilson(count: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share of `count` in n."""
    p, q = count / n, z * z / n
    half = z * float(np.sqrt(p * (1 - p) / n + q / (4 * n)))
    return max(0.0, (p + q / 2 - half) / (1 + q)), min(1.0, (p + q / 2 + half) / (1 + q))


def run(
    devices: Iterator[Device], interpreter: Path, progress: Progress, seeds: tuple[int, ...] = SEEDS
) -> Iterator[Result]:
    """Results of every device, column set and seed. Raises BadInput."""
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
    order = np.random.default_rng(seed).permutation(len(benign))
    trained = int(len(benign) * TRAINED)
    fitted = detectors.fit(benign[order[:trained]], tuple(COLUMNS[i] for i in chosen), seed)
    test = np.concatenate([benign[order[trained:]], mirai, gafgyt])
    sizes = len(benign) - trained, len(mirai), len(gafgyt)
    results = []

    def add(
        detector: str,
        form: str,
        scores: Scores | Ints,
        limit: float,
        own: bool = True,
        mismatches: int = 0,
    ) -> None:
        measured = measure(scores, limit, sizes)
        size = len(fitted.blob) if own else None
        results.append(Result(device, columns, detector, form, seed, *measured, size, mismatches))

    deltas = detectors.counters(test)
    ae, svm = fitted.int8(deltas)
    device_ae, device_svm, hot = detectors.micropython(interpreter, fitted.blob, deltas)
    same = (ae == device_ae) & (svm == device_svm) & (hot == (fitted.together(ae, svm) > 1))
    forms: dict[str, tuple[Scores | Ints, Scores | Ints]] = {
        "float": fitted.floats(test),
        "int8": (ae, svm),
        "int8_micropython": (device_ae, device_svm),
    }
    for form, (a, s) in forms.items():
        wrong = int((~same).sum()) if form == "int8_micropython" else 0
        add("autoencoder", form, a, fitted.alone[0], mismatches=wrong)
        add("svm", form, s, fitted.alone[1], mismatches=wrong)
        add("both", form, fitted.together(a, s), 1, mismatches=wrong)
    for name, scores, limit in baselines.scores(fitted.parts, fitted.float_features(test), seed):
        add(name, "float", scores, limit, own=False)
    return results


def measure(
    scores: Scores | Ints, limit: float, sizes: tuple[int, int, int]
) -> tuple[float, float, float, float, float, float, float]:
    """accuracy, TPR of each family, FPR with its interval, AUC; scores: benign
    rows, then Mirai, then Gafgyt.
    """
    from sklearn.metrics import roc_auc_score

    over = scores > limit
    benign, mirai, _ = sizes
    false = int(over[:benign].sum())
    right = benign - false + int(over[benign:].sum())
    auc = roc_auc_score(np.arange(len(scores)) >= benign, scores)
    mirai_seen, gafgyt_seen = over[benign : benign + mirai].mean(), over[benign + mirai :].mean()
    return (
        right / len(over),
        float(mirai_seen),
        float(gafgyt_seen),
        false / benign,
        *wilson(false, benign),
        float(auc),
    )
