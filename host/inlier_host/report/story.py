"""The alarms of a run as a person reads them: the runtime's own words, on the
host.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from inlier.alarm import Alarm
from inlier.explain import top_features
from inlier.sinks.message import WORDS, Episode
from inlier_export.reference import Horizon, Ints, contributions, settings

from .subject import Subject

NAMED = 3  # features of an alarm, as the device names them
COUNTERS = 4  # of an alarm's score shown; what the others gave is "other"


@dataclass
class ToldAlarm:
    """Windows: index (raised), began, cleared (None: still on).

    features: [(name, per cent)], largest first, as the device names them.
    shares: the same by counter, in words, and sum to 100.
    reached: the horizons that raised it.
    grown: (window, message) each time that it was told again.
    """

    index: int
    began: int
    cleared: int | None
    message: str
    features: list[tuple[str, int]]
    shares: list[tuple[str, int]]
    reached: list[Horizon]
    grown: list[tuple[int, str]] = field(default_factory=list)


def alarms(subject: Subject) -> list[ToldAlarm]:
    trace, model = subject.trace, subject.model
    told: list[ToldAlarm] = []
    episode = Episode()
    reached = _reached(subject)
    boots = [rows.start for rows in subject.scored.stretches]
    for i in np.flatnonzero(trace.hot | (trace.event != 0)).tolist():
        if boots and i >= boots[0]:  # it knows of no alarm before
            boots = [boot for boot in boots if boot > i]
            episode = Episode()
        moment = SimpleNamespace(
            model=model,
            index=i,
            svm=int(trace.svm[i]),
            hot=bool(trace.hot[i]),
            least=subject.detector.least,
            deltas=subject.windows[i].tolist(),
        )
        if trace.event[i] > 0:
            f, y = trace.f[i].tolist(), trace.y[i].tolist()
            features = top_features(model, f, y, NAMED)
            message = episode.alarm(moment, features)["message"]
            if trace.event[i] == 1:
                by_counter = shares(subject, i)
                told.append(
                    ToldAlarm(i, episode.began, None, message, features, by_counter, reached[i])
                )
            else:
                told[-1].grown.append((i, message))
        elif trace.event[i] < 0:
            episode.clear(moment)
            told[-1].cleared = i
        episode.window(moment)
    for alarm in told:  # one that an interruption ended was never cleared
        end = next(r.stop for r in subject.scored.stretches if alarm.index < r.stop)
        if alarm.cleared is None and end < len(subject.windows):
            alarm.cleared = end - 1
    return told


def _reached(subject: Subject) -> dict[int, list[Horizon]]:
    """The horizons that had their k of n in each window that raised an alarm."""
    d, trace = subject.detector, subject.trace
    odd = trace.ae > d.threshold_ae if d.by_rows else np.zeros(len(trace.svm), bool)
    found = {}
    for rows in subject.scored.stretches:
        rule = Alarm(settings(d))
        for i in range(rows.start, rows.stop):
            if rule.step(int(trace.svm[i]), bool(odd[i])) == 1:
                counts = rule.horizons.counts
                found[i] = [h for h, c in zip(d.horizons, counts, strict=True) if c >= h[0]]
    return found


def shares(subject: Subject, window: int) -> list[tuple[str, int]]:
    """What each counter gave to a window's score: per cent that sum to 100, the
    largest COUNTERS and "other".
    """
    d, trace = subject.detector, subject.trace
    parts = contributions(trace.f[window], trace.y[window], d)
    by_counter = parts.reshape(len(d.counters), -1).sum(axis=1)
    if not by_counter.any():
        return []
    order = np.argsort(-by_counter, kind="stable")[:COUNTERS]
    named = [(d.counters[c], int(by_counter[c])) for c in order if by_counter[c]]
    rest = int(by_counter.sum()) - sum(part for _, part in named)
    names = [WORDS.get(name, name) for name, _ in named] + (["other"] if rest else [])
    whole = per_cent([*(part for _, part in named), *[rest][: rest > 0]])
    told = list(zip(names, whole, strict=True))
    return told[:-1] if told[-1] == ("other", 0) else told


def per_cent(parts: list[int]) -> list[int]:
    """Whole per cent that sum to 100: the largest remainders are rounded up."""
    exact = 100 * np.asarray(parts, np.float64) / sum(parts)
    whole = np.floor(exact).astype(int)
    missing = 100 - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return [int(part) for part in whole]


def relearn(subject: Subject, alarm: ToldAlarm) -> str:
    """The command that learns an alarm as benign, whole."""
    import shlex

    d, recording = subject.detector, subject.recording
    hidden = ",".join(str(len(layer.bias)) for layer in d.layers[:-1])
    end = len(subject.windows) if alarm.cleared is None else alarm.cleared + 1
    seconds, ms = divmod(d.window_ms, 1000)
    words = ["inlier", "train", str(recording or "RECORDING.csv"), "--source", d.source]
    words += ["--window", f"{d.window_ms}ms" if ms else f"{seconds}s"]
    if "false_alarms" in d.metadata:
        words += ["--false-alarms", str(d.metadata["false_alarms"])]
    if "seed" in d.metadata:
        words += ["--seed", str(d.metadata["seed"])]
    words += ["--hidden", hidden] if d.layers else ["--detectors", "svm"]
    for name in _constant(subject):
        words += ["--allow-constant", name]
    words += [
        "--add",
        f"{subject.path}@{alarm.began}:{end}",
        "-o",
        f"{subject.name.replace('/', '-')}.inlier",
    ]
    return shlex.join(words)


def _constant(subject: Subject) -> list[str]:
    """The counters that the recording has constant: training allowed them."""
    from inlier_trainer.recordings import read_for

    if subject.recording is None:
        return []
    recording = read_for(subject.recording, subject.model)
    rows: Ints = recording.windows[recording.whole]
    same = (rows == rows[:1]).all(axis=0)
    return [name for name, is_same in zip(subject.detector.counters, same, strict=True) if is_same]
