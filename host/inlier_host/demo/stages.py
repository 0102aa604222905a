"""The demonstration's three stages: record, train, monitor and infect. All that
is measured comes back as numbers.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from inlier_boards.build import micropython
from inlier_boards.catalogue import EXAMPLES
from inlier_boards.leash import leashed
from inlier_boards.serial_line.intake import Intake, Window
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Ints, Trace
from inlier_trainer import recordings, train, trainer
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import Recording
from inlier_trainer.sources import counters_of
from inlier_trainer.train import Trained

from .servers import SECOND_MS, surroundings

WINDOW_MS = SECOND_MS
RECORD_WINDOWS = 800
# 80 seconds of traffic have not seen what a week shows, and can't promise what
# a week can.
FALSE_ALARMS = "30/hour"
DEVICE = Path(__file__).parent / "device"

# calm: a stage goes on until the alarm has been off for so many windows;
# at_most ends it in any case.
_CALM = {"windows": 40, "calm": 24, "at_most": 300}
PLAN: tuple[dict[str, Any], ...] = (
    {"name": "benign", "windows": 300},
    {"name": "scan", "windows": 40},
    {"name": "calm after scan", **_CALM},
    {"name": "flood", "windows": 30},
    {"name": "calm after flood", **_CALM},
    {"name": "beacon", "windows": 60},
)
ATTACKS = ("scan", "flood", "beacon")


@dataclass
class Stage:
    """A part of the demonstration, windows [start, end).

    kind: benign or attack.
    alarms, grown: raised in it, and how often one that was on grew.
    delay_windows: how many windows of an attack it took to the first, None
        without one.
    top_features: [(name, per cent)] of the first.
    """

    name: str
    kind: str
    start: int
    end: int
    alarms: int
    grown: int
    delay_windows: int | None
    top_features: list[tuple[str, int]]


@dataclass
class Run:
    """deltas: of each window.
    trace: what the device said.
    mismatches: windows in which the NumPy reference differs from it in any
        integer.
    """

    trained: Trained
    stages: list[Stage]
    deltas: Ints
    trace: Trace
    mismatches: int

    def summary(self) -> dict[str, Any]:
        stages = [
            {
                "name": s.name,
                "kind": s.kind,
                "windows": s.end - s.start,
                "alarms": s.alarms,
                "grown": s.grown,
                "delay_windows": s.delay_windows,
                "top_features": [name for name, _ in s.top_features],
            }
            for s in self.stages
        ]
        parity = {"vectors": len(self.trace.ae), "mismatches": self.mismatches}
        return {"stages": stages, "parity": parity, "model": {"bytes": len(self.trained.blob)}}


def printed(interpreter: Path, script: str, settings: dict[str, Any]) -> Iterator[str]:
    """Run a script of device/ under MicroPython; yields the lines that it
    prints. Raises BadInput if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(settings))
        environment = {**os.environ, "MICROPYPATH": micropython.search_path(DEVICE, EXAMPLES)}
        process = subprocess.Popen(
            leashed([interpreter, "-X", "heapsize=8M", DEVICE / script, path]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            assert process.stdout and process.stderr
            last = ""
            for line in process.stdout:
                last = line
                yield line
            if process.wait():
                told = (process.stderr.read().strip() or last.strip() or "no message").splitlines()[
                    -1
                ]
                raise BadInput(
                    f"the demonstration's device stopped: {told}; run it again, and report it if "
                    f"it comes back"
                )
        finally:
            process.kill()
            process.wait()


def device(interpreter: Path, script: str, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The JSON objects among what it prints. Raises BadInput if it fails."""
    for line in printed(interpreter, script, settings):
        if line.startswith("{"):
            yield json.loads(line)


def record(interpreter: Path, seed: int, path: Path, progress: Progress) -> None:
    """The doorbell counts its own windows, which go into the CSV at `path`."""
    taken = Intake()
    windows: list[Window] = []
    with surroundings(seed) as (config, _):
        settings = {"doorbell": config, "window_ms": WINDOW_MS, "count": RECORD_WINDOWS}
        for line in printed(interpreter, "run.py", settings):
            windows += taken.take(line)
            progress("recording", len(windows), RECORD_WINDOWS)
    deltas = np.array([window.deltas for window in windows], np.int64)
    marks = np.array([(w.boot, w.index, w.elapsed) for w in windows], np.int64)
    about = replace(taken.about, device="doorbell")
    recordings.write(path, Recording(taken.counters, deltas, about, marks))


def fit(path: Path, seed: int, progress: Progress) -> Trained:
    counters = counters_of("sockets")
    settings = trainer.Settings(
        "sockets",
        counters,
        WINDOW_MS,
        false_alarms=FALSE_ALARMS,
        seed=seed,
        allow_constant=counters,
    )
    runs = recordings.read(path, counters).runs
    return train.train(runs, settings, str(path), progress, [0] * len(runs))


def monitor(
    interpreter: Path,
    seed: int,
    model: Path,
    trained: Trained,
    progress: Progress,
    tell: Callable[[str], None],
) -> Run:
    """The same doorbell scores itself, and is infected. tell(line) for each
    thing that happens.
    """
    said: list[dict[str, Any]] = []
    total = sum(s["windows"] for s in PLAN)
    with surroundings(seed) as (config, targets):
        settings = {"doorbell": config, "targets": targets, "model": str(model), "plan": PLAN}
        for i, window in enumerate(device(interpreter, "run.py", settings)):
            if not said or window["stage"] != said[-1]["stage"]:
                tell(f"{_clock(i)}  {PLAN[window['stage']]['name']}")
            if window["event"]:
                tell(f"{_clock(i)}    {_event(window)}")
            if window["gone"]:
                tell(f"{_clock(i)}    {'gone quiet' if window['gone'] > 0 else 'no more quiet'}")
            said.append(window)
            progress("monitoring", min(i + 1, total), max(i + 1, total))
    progress("monitoring", len(said), len(said))
    deltas: Ints = np.array([w["deltas"] for w in said], np.int64)
    ours = _trace(said, trained.detector.features)
    theirs = reference.run(trained.detector, deltas)
    same = np.ones(len(said), bool)
    for part in fields(Trace):
        equal = getattr(ours, part.name) == getattr(theirs, part.name)
        same &= equal.reshape(len(said), -1).all(axis=1)
    return Run(trained, list(_stages(said)), deltas, ours, int((~same).sum()))


def _trace(said: list[dict[str, Any]], features: int) -> Trace:
    """What the device said of every window. Its last layer is rounded up to
    four rows.
    """
    f = np.array([w["f"] for w in said], np.int16)
    x, y = (np.array([list(bytes.fromhex(w[key])) for w in said], np.uint8) for key in ("x", "y"))
    keys = ("ae", "svm", "quiet", "event", "gone")
    ints = {key: np.array([w[key] for w in said], np.int64) for key in keys}
    hot = np.array([w["hot"] for w in said], bool)
    return Trace(f=f, x=x, y=y[:, :features], hot=hot, **ints)


def _stages(said: list[dict[str, Any]]) -> Iterator[Stage]:
    at = np.array([w["stage"] for w in said])
    for i, plan in enumerate(PLAN):
        inside = np.flatnonzero(at == i)
        start, end = int(inside[0]), int(inside[-1]) + 1
        raised = [j for j in range(start, end) if said[j]["event"] == 1]
        grown = sum(said[j]["event"] == 2 for j in range(start, end))
        kind = "attack" if plan["name"] in ATTACKS else "benign"
        delay = raised[0] - start + 1 if raised and kind == "attack" else None
        features = [(name, share) for name, share in said[raised[0]]["features"]] if raised else []
        yield Stage(plan["name"], kind, start, end, len(raised), grown, delay, features)


def _clock(window: int) -> str:
    return f"{window * WINDOW_MS / 1000:6.1f} s"


def _event(window: dict[str, Any]) -> str:
    if window["event"] < 0:
        return "alarm cleared"
    word = "ALARM" if window["event"] == 1 else "it grows"
    return f"{word}: " + ", ".join(f"{name} {share} %" for name, share in window["features"])


def interpreter(say: Callable[[str], None]) -> Path:
    if not sys.platform.startswith("linux"):
        raise BadInput("the demonstration needs the addresses 127.0.0.0/8: run it on Linux")
    return micropython.find_or_build(say)
