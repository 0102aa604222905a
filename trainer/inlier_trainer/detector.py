"""inlier for data people: the trainer and the integer reference, in
scikit-learn's manner.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_array, check_is_fitted

from inlier.explain import top_features
from inlier.model import Model
from inlier_export import model_file
from inlier_export.errors import BadInput
from inlier_export.reference import Ints, Trace

from . import scored
from .about import MARKS
from .files import write_atomic
from .learn import learn
from .recordings import Recording
from .sources import counters_of
from .trainer import Settings


class Detector(OutlierMixin, BaseEstimator):  # type: ignore[misc] # they have no types
    """Learns benign windows, scores others: an autoencoder and a linear
    one-class SVM in int8, with the integers that a device computes.

    X is always windows (n, counters): non-negative whole numbers, each how
    often something was counted in a window, in the order in which they were
    counted, without a gap. Of a DataFrame the columns are matched by name, and
    a recording's own three, boot, window and elapsed, say where it was
    interrupted. Each call scores from boot, and after each interruption again:
    nothing is raised in the first 32 windows.

    source: what counted; its counters are the columns, unless `counters` names
        others.
    window_ms: a window's length in ms.
    false_alarms: the budget, such as "3/week".
    allow_constant: counters that may never change, or "all".

    The others are options of `inlier train`, which gives the same bytes for the
    same windows.

    There is no decision_function: whether an alarm is on follows from many
    windows, not from the sign of one score.

    After fit or load: model_ (bytes, the model file), detector_ (the Detector
    of inlier_export.reference), feature_names_in_, n_features_in_.

    Example:
        detector = Detector(source="sockets", window_ms=10_000).fit(benign)
        detector.save("model.inlier")
        outlying = detector.predict(windows) == -1
    """

    def __init__(
        self,
        source: str = "sockets",
        *,
        counters: Sequence[str] | None = None,
        window_ms: int = 10_000,
        hidden: Sequence[int] = (16,),
        false_alarms: str = "1/week",
        seed: int = 1,
        detectors: str = "both",
        backend: str = "numpy",
        allow_constant: str | Sequence[str] = (),
        accept_anomalies: bool = False,
    ) -> None:
        self.source = source
        self.counters = counters
        self.window_ms = window_ms
        self.hidden = hidden
        self.false_alarms = false_alarms
        self.seed = seed
        self.detectors = detectors
        self.backend = backend
        self.allow_constant = allow_constant
        self.accept_anomalies = accept_anomalies

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def fit(self, X: Any, y: None = None, groups: Any = None) -> Self:
        """Fit on benign windows. Raises ValueError where nothing can be
        learned.

        groups (n,): which of several units of one type counted a window; a
            unit's windows lie side by side.
        y: is ignored.
        """
        with _as_value_error():
            of_source = counters_of(self.source) if self.counters is None else self.counters
        counters = tuple(of_source)
        whole = _recording(X, counters)
        units, names = ([whole], ["X"]) if groups is None else _units(whole, np.asarray(groups))
        settings = Settings(
            source=self.source,
            counters=counters,
            window_ms=self.window_ms,
            hidden=tuple(self.hidden),
            false_alarms=self.false_alarms,
            seed=self.seed,
            detectors=self.detectors,
            backend=self.backend,
            allow_constant=set(counters if self.allow_constant == "all" else self.allow_constant),
            accept_anomalies=self.accept_anomalies,
        )
        with _as_value_error():
            self._take(learn([unit.runs for unit in units], names, settings).trained.blob)
        return self

    def score_samples(self, X: Any) -> Ints:
        """(n,) int64, the higher the more normal: the score of each window,
        negated, which is 0 for whatever keeps within what was benign.
        """
        return -self._trace(X).svm

    def predict(self, X: Any) -> Ints:
        """(n,) int64: -1 while an alarm is on, else 1."""
        check_is_fitted(self, "model_")
        recording = _recording(X, self.detector_.counters)
        event = scored.run(self.detector_, recording).event
        verdicts = np.ones(len(event), np.int64)
        for rows in recording.stretches:  # at boot none is on
            turns = np.where(event[rows] == 2, 0, event[rows])  # one that grows is on already
            verdicts[rows] = np.where(turns.cumsum() > 0, -1, 1)
        return verdicts

    def explain(self, X: Any, count: int = 3) -> list[list[tuple[str, int]]]:
        """Of each window the `count` features that contributed most to its
        score, (name, per cent), largest first: none where the score is 0.
        """
        trace = self._trace(X)
        model = Model(self.model_)
        return [
            top_features(model, f, y, count) if score else []
            for f, y, score in zip(
                trace.f.tolist(), trace.y.tolist(), trace.svm.tolist(), strict=True
            )
        ]

    def save(self, path: str | Path) -> None:
        """Write the model file, which a device loads. Raises OSError."""
        check_is_fitted(self, "model_")
        write_atomic(Path(path), self.model_)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A model file, whoever trained it; parameters that the file does not
        hold are as by default. Raises ValueError.
        """
        with _as_value_error():
            file = model_file.read_file(Path(path))
        d = file.detector
        trained: dict[str, Any] = {
            name: d.metadata[name] for name in ("false_alarms", "seed") if name in d.metadata
        }
        made = cls(d.source, counters=d.counters, window_ms=d.window_ms, **trained)
        made._take(file.blob)
        return made

    def _take(self, blob: bytes) -> None:
        self.model_ = blob
        self.detector_ = model_file.unpack(blob)
        self.n_features_in_ = len(self.detector_.counters)
        self.feature_names_in_ = np.array(self.detector_.counters, object)

    def _trace(self, X: Any) -> Trace:
        check_is_fitted(self, "model_")
        return scored.run(self.detector_, _recording(X, self.detector_.counters))


@contextmanager
def _as_value_error() -> Iterator[None]:
    """What scikit-learn's tools expect of an estimator."""
    try:
        yield
    except BadInput as problem:
        raise ValueError(str(problem)) from None


def _recording(X: Any, counters: tuple[str, ...]) -> Recording:
    """Raises ValueError: X holds no windows of these counters."""
    named = {str(name) for name in getattr(X, "columns", ())}
    if not named.issuperset(MARKS):
        return Recording(counters, _windows(X, counters))
    columns = [*MARKS, *counters]
    both = _windows(X, tuple(columns))
    found = Recording(counters, both[:, len(MARKS) :], marks=both[:, : len(MARKS)])
    if not found.whole.any():
        raise ValueError("X: each window in it was interrupted")
    return found


def _windows(X: Any, counters: tuple[str, ...]) -> Ints:
    """The columns of these names, in their order. Raises ValueError."""
    columns = getattr(X, "columns", None)
    if columns is not None:
        named = {str(name) for name in columns}
        wrong = [f"no column '{name}'" for name in counters if name not in named]
        wrong += [f"a column '{name}' that is no counter" for name in sorted(named - {*counters})]
        if wrong:
            raise ValueError(f"X has {wrong[0]}; its columns must be {', '.join(counters)}")
        X = X[list(counters)]
    values = check_array(X, dtype="numeric", input_name="X")
    if values.shape[1] != len(counters):
        raise ValueError(
            f"X has {values.shape[1]} columns, but {len(counters)} counters are expected: "
            f"{', '.join(counters)}"
        )
    whole: Ints = values.astype(np.int64)
    if bad := np.argwhere((whole != values) | (whole < 0)).tolist():
        row, column = bad[0]
        raise ValueError(
            f"X, window {row}, counter '{counters[column]}' is {values[row, column]}; it must be "
            "a whole number from 0 up"
        )
    return whole


def _units(recording: Recording, groups: NDArray[Any]) -> tuple[list[Recording], list[str]]:
    """Each unit's windows, and its name. Raises ValueError."""
    windows, marks = recording.windows, recording.marks
    if groups.shape != (len(windows),):
        raise ValueError(f"groups has shape {groups.shape}; one of each window is needed")
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    names = [str(name) for name in groups[starts]]
    if len(set(names)) < len(names):
        raise ValueError("groups: the windows of a unit must lie side by side; sort by unit")
    ends = [*starts[1:].tolist(), len(windows)]
    return [
        Recording(recording.counters, windows[a:b], marks=None if marks is None else marks[a:b])
        for a, b in zip(starts.tolist(), ends, strict=True)
    ], names
