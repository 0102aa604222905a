"""What is reported: a model over windows, or the folder of a run."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier.model import Model
from inlier_export.errors import BadInput
from inlier_export.inputs import TEXT_MAX, read_input
from inlier_export.model_file import model_of, read_blob, unpack
from inlier_export.reference import Detector, Ints, Trace
from inlier_trainer import scored
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import Recording, read_for

MONITORED = "monitored.csv"  # the windows of a run's folder, scored from boot


@dataclass(frozen=True)
class Attack:
    """Windows [start, end) in which the device is known to have been infected."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Benign:
    """Scores of windows known to be benign, and what these are, in words."""

    scores: Ints
    origin: str


@dataclass
class Subject:
    """scored: the recording in the file `path`, from boot: trace.
    recording: the windows that the model was trained on, where they are
        there.
    attacks: None where nobody said what was benign.
    """

    name: str
    blob: bytes
    model: Model
    detector: Detector
    path: Path
    scored: Recording
    trace: Trace
    recording: Path | None
    benign: Benign | None
    attacks: list[Attack] | None

    @property
    def windows(self) -> Ints:
        return self.scored.windows


def of_model(
    path: Path,
    windows: Path,
    benign: Path | None,
    attacks: list[Attack] | None,
    progress: Progress,
) -> Subject:
    """benign: the recording that the model was trained on. Raises BadInput."""
    blob = read_blob(path)
    model = model_of(path, blob)
    shown = read_for(windows, model)
    n = len(shown.windows)
    for attack in attacks or ():
        if not 0 <= attack.start < attack.end <= n:
            raise BadInput(
                f"--attack {attack.name}={attack.start}:{attack.end}: {windows} has the windows "
                f"0 to {n}"
            )
    detector = unpack(blob)
    trace = scored.run(detector, shown, lambda done, total: progress("scoring", done, total))
    recording = read_for(benign, model) if benign else None
    known = _benign(detector, trace, attacks, shown, recording)
    name = shown.about.device or path.stem
    return Subject(name, blob, model, detector, windows, shown, trace, benign, known, attacks)


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


def masks(
    shown: Recording, detector: Detector, attacks: list[Attack]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Windows in a known attack; and windows surely in none. Neither: the
    warm-up, what was interrupted, and windows in which sums still hold an
    attack that is over.
    """
    attack = np.zeros(len(shown.windows), bool)
    after = np.zeros_like(attack)
    memory = 4 << max(k for k, _ in detector.schema.kinds)
    for a in attacks:
        attack[a.start : a.end] = True
        after[a.end : a.end + memory] = True
    benign = ~attack & ~after & shown.whole
    for rows in shown.stretches:
        benign[rows][: detector.warmup] = False
    return attack & shown.whole, benign


def _benign(
    detector: Detector,
    trace: Trace,
    attacks: list[Attack] | None,
    shown: Recording,
    recording: Recording | None,
) -> Benign | None:
    """The run's windows outside its attacks, which the model never saw; without
    attacks, those that it was trained on.
    """
    if attacks:
        apart = masks(shown, detector, attacks)[1]
        return Benign(
            trace.svm[apart],
            "windows of this run, without its attacks and what sums still hold of them",
        )
    if recording is None:
        return None
    scores = scored.run(detector, recording).svm[recording.whole]
    return Benign(
        scores,
        "windows of the recording that it was trained on. It knows what they do, so that they "
        "score next to nothing: thresholds rest on detectors that had not seen them",
    )
