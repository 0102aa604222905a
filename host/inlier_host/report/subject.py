"""What is reported: a model over windows, or the folder of a run."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inlier.model import Model
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.inputs import TEXT_MAX, read_input
from inlier_export.model_file import model_of, read_blob, unpack
from inlier_export.reference import Detector, Ints, Trace
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import read_windows, split

MONITORED = "monitored.csv"  # the windows of a run's folder, scored from boot


@dataclass(frozen=True)
class Attack:
    """Windows [start, end) in which the device is known to have been infected."""

    name: str
    start: int
    end: int


@dataclass
class Subject:
    """windows (n, counters) from the file `path`, scored from boot: trace.
    unseen: the run over benign windows that the detectors were not fitted on,
    where the recording is there. attacks: None where nobody said what was
    benign.
    """

    name: str
    blob: bytes
    model: Model
    detector: Detector
    path: Path
    windows: Ints
    trace: Trace
    unseen: Trace | None
    attacks: list[Attack] | None


def of_model(
    path: Path,
    windows: Path,
    benign: Path | None,
    attacks: list[Attack] | None,
    progress: Progress,
    name: str = "",
) -> Subject:
    """benign: the recording that the model was trained on. Raises BadInput."""
    blob = read_blob(path)
    model = model_of(path, blob)
    counters = model.counters()
    rows = read_windows(windows, counters)
    for attack in attacks or ():
        if not 0 <= attack.start < attack.end <= len(rows):
            raise BadInput(
                f"--attack {attack.name}={attack.start}:{attack.end}: {windows} has the windows "
                f"0 to {len(rows)}"
            )
    detector = unpack(blob)
    trace = reference.run(detector, rows, lambda done, total: progress("scoring", done, total))
    unseen = _unseen(detector, read_windows(benign, counters)) if benign else None
    return Subject(name or path.stem, blob, model, detector, windows, rows, trace, unseen, attacks)


def of_run(folder: Path, progress: Progress) -> Subject:
    """A folder as `inlier demo` leaves it: a model, windows.csv, monitored.csv,
    run.json with stages. Raises BadInput.
    """
    models = sorted(folder.glob("*.inlier"))
    for what, there in (
        ("no model (*.inlier)", models),
        (f"no {MONITORED}", (folder / MONITORED).exists()),
    ):
        if not there:
            raise BadInput(
                f"{folder}: the run is empty, there is {what} in it; run `inlier demo -o "
                f"{folder}` to the end"
            )
    benign = folder / "windows.csv"
    attacks = _stages(folder / "run.json")
    return of_model(
        models[0],
        folder / MONITORED,
        benign if benign.exists() else None,
        attacks,
        progress,
        folder.resolve().name,
    )


def _stages(path: Path) -> list[Attack] | None:
    if not path.exists():
        return None
    try:
        stages = json.loads(read_input(path, TEXT_MAX, "summary"))["stages"]
        ends = np.cumsum([int(stage["windows"]) for stage in stages])
        return [
            Attack(str(stage["name"]), int(end) - int(stage["windows"]), int(end))
            for stage, end in zip(stages, ends, strict=True)
            if stage["kind"] == "attack"
        ]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadInput(f"{path}: not the summary of a run ({error!r}); run it again") from None


def _unseen(detector: Detector, benign: Ints) -> Trace | None:
    """The run over the calibration and test parts of the recording: from its
    start, so that the means are what they were.
    """
    first = split(len(benign))[1].start
    if first >= len(benign):
        return None
    trace = reference.run(detector, benign)
    return Trace(
        trace.x[first:], trace.ae[first:], trace.svm[first:], trace.hot[first:], trace.event[first:]
    )
