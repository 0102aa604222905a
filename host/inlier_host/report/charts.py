"""The charts, as Vega-Lite specifications made with Altair. Colours of text and
axes are the page's: light and dark.
"""

from typing import Any

import altair as alt
import numpy as np

from inlier_export.reference import Ints
from inlier_trainer import threshold

from .story import Alarm
from .subject import Subject

SCORE, ATTACK, ALARM, LIMIT, TAIL = "#3b82c4", "#e2604a", "#d6351f", "#c77700", "#8a5cd0"
POINTS = 1500  # of a timeline: more would be more than the screen has
UNITS = (("s", 1), ("min", 60), ("h", 3600), ("days", 86400))
ROC_POINTS = 300
BINS = 40
# labels of an axis: 0.01, 10, 20k
SHORT = "datum.value < 1000 ? format(datum.value, '~r') : format(datum.value, '~s')"
LEAST = 0.01  # the histogram's floor, in windows

Spec = dict[str, Any]


def detectors(subject: Subject) -> tuple[tuple[str, Ints, int], ...]:
    """(name, scores, threshold) of both."""
    d = subject.detector
    return (
        ("autoencoder", subject.trace.ae, d.threshold_ae),
        ("one-class SVM", subject.trace.svm, d.threshold_svm),
    )


class Clock:
    """Window indices to time since boot, in the unit that fits the run."""

    def __init__(self, subject: Subject):
        self._window_s = subject.detector.window_ms / 1000
        self.unit, self._seconds = self._unit(len(subject.windows))

    def _unit(self, windows: int) -> tuple[str, int]:
        return next(
            ((u, s) for u, s in reversed(UNITS) if windows * self._window_s >= 2 * s), UNITS[0]
        )

    def __call__(self, window: float) -> float:
        return round(window * self._window_s / self._seconds, 4)

    def told(self, windows: int) -> str:
        """So many windows in the unit that fits them."""
        unit, seconds = self._unit(windows)
        return f"{windows * self._window_s / seconds:.3g} {unit}"


def timeline(subject: Subject, told: list[Alarm], which: int, band: tuple[int, int] | None) -> Spec:
    """One detector's scores with its threshold, the known attacks and the
    alarms. band: the threshold's interval.
    """
    name, scores, limit = detectors(subject)[which]
    clock = Clock(subject)
    x = alt.X("t:Q", title=f"{clock.unit} since boot", scale=alt.Scale(nice=False))
    symlog = alt.Scale(type="symlog", constant=max(1, limit / 50))
    layers: list[Any] = []
    warm_up = [
        {
            "t": 0,
            "t2": clock(min(subject.detector.alarm[4], len(scores))),
            "what": "warm-up: nothing is raised",
        }
    ]
    spans = [
        {"t": clock(a.start), "t2": clock(a.end), "name": a.name, "what": f"attack: {a.name}"}
        for a in subject.attacks or ()
    ]
    for values, colour, opacity in ((warm_up, "#8894a0", 0.15), (spans, ATTACK, 0.18)):
        if values:
            rectangles = alt.Chart(alt.Data(values=values)).mark_rect(color=colour, opacity=opacity)
            layers.append(
                rectangles.encode(x=x, x2="t2:Q", tooltip=alt.Tooltip("what:N", title=" "))
            )
    if spans:
        names = alt.Chart(alt.Data(values=spans)).mark_text(
            color=ATTACK, align="left", baseline="top", dx=3, fontWeight=600
        )
        layers.append(names.encode(x=x, y=alt.value(2), text=alt.Text("name:N")))
    if band:
        rectangle = alt.Chart(alt.Data(values=[{"low": band[0], "high": band[1]}])).mark_rect(
            color=LIMIT, opacity=0.2
        )
        layers.append(rectangle.encode(y="low:Q", y2="high:Q", tooltip=["low:Q", "high:Q"]))
    line = alt.Chart(alt.Data(values=_thinned(scores, clock))).mark_line(
        color=SCORE, strokeWidth=1.2, interpolate="linear"
    )
    y = alt.Y(
        "score:Q",
        scale=symlog,
        title=f"{name} score",
        axis=alt.Axis(values=_decades(limit, scores), labelExpr=SHORT),
    )
    layers.append(line.encode(x=x, y=y, tooltip=["t:Q", "score:Q"]))
    rule = alt.Chart(alt.Data(values=[{"score": limit}])).mark_rule(
        color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5
    )
    layers.append(rule.encode(y="score:Q", tooltip=alt.Tooltip("score:Q", title="threshold")))
    points = [{"t": clock(a.index), "score": int(scores[a.index]), "what": a.message} for a in told]
    if points:
        mark = alt.Chart(alt.Data(values=points)).mark_point(
            shape="triangle-down", color=ALARM, filled=True, size=110
        )
        layers.append(
            mark.encode(
                x=x, y="score:Q", opacity=alt.value(1), tooltip=alt.Tooltip("what:N", title="alarm")
            )
        )
    return _spec(alt.layer(*layers), 220)


def _decades(limit: int, scores: Ints) -> list[int]:
    """Ticks of a symlog axis: 0 and the powers of ten from a tenth of the
    threshold on.
    """
    top = max(limit, int(scores.max()), 1)
    return [
        0,
        *(10**k for k in range(max(0, int(np.log10(max(1, limit))) - 1), int(np.log10(top)) + 1)),
    ]


def _thinned(scores: Ints, clock: Clock) -> list[dict[str, float]]:
    """The greatest of each of at most POINTS parts: no peak is lost."""
    starts = np.unique(
        np.linspace(0, len(scores), min(POINTS, len(scores)), endpoint=False).astype(int)
    )
    return [
        {"t": clock(int(i)), "score": int(s)}
        for i, s in zip(starts, np.maximum.reduceat(scores, starts), strict=True)
    ]


def histogram(name: str, scores: Ints, limit: int, tail: threshold.Tail | None) -> Spec:
    """Benign scores that the detector was not fitted on, and the clusters that
    the fitted tail expects beyond its start.
    """
    edges = np.linspace(0, max(limit * 1.15, float(scores.max()) * 1.02, 1.0), BINS + 1)
    counts = np.histogram(scores, edges)[0]
    bars = [
        {"low": round(float(a), 1), "high": round(float(b), 1), "windows": int(c), "floor": LEAST}
        for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
        if c
    ]
    log = alt.Scale(type="log", domain=[LEAST, max(10, int(counts.max()))], clamp=True)
    x = alt.X("low:Q", title=f"{name} score", axis=alt.Axis(labelExpr=SHORT, tickCount=6))
    ticks = [10.0**k for k in range(-2, 8) if 10**k <= max(10, counts.max())]
    y = alt.Y("windows:Q", scale=log, title="windows", axis=alt.Axis(values=ticks, labelExpr=SHORT))
    bar = alt.Chart(alt.Data(values=bars)).mark_rect(color=SCORE, opacity=0.75)
    layers: list[Any] = [
        bar.encode(x=x, x2="high:Q", y=y, y2="floor:Q", tooltip=["low:Q", "high:Q", "windows:Q"])
    ]
    if tail:
        fine = np.linspace(tail.start, edges[-1], 120)
        expected = (
            -np.diff(tail.rate(fine)) * len(scores) * (edges[1] - edges[0]) / (fine[1] - fine[0])
        )
        curve = [
            {"low": round(float(a), 1), "windows": float(f"{e:.4g}")}
            for a, e in zip(fine, expected, strict=False)
            if e > LEAST
        ]
        line = alt.Chart(alt.Data(values=curve)).mark_line(color=TAIL, strokeWidth=2.5)
        layers.append(line.encode(x=x, y=y))
    rule = alt.Chart(alt.Data(values=[{"low": limit}])).mark_rule(
        color=LIMIT, strokeDash=[6, 4], strokeWidth=1.5
    )
    layers.append(rule.encode(x=x, tooltip=alt.Tooltip("low:Q", title="threshold")))
    return _spec(alt.layer(*layers), 200)


def contributions(told: list[Alarm], clock: Clock) -> Spec:
    """What each alarm rests on: shares of its strongest features."""
    values = [
        {
            "alarm": f"{a.index} ({clock.told(a.index)})",
            "feature": name,
            "share": share,
            "order": -share,
        }
        for a in told
        for name, share in a.features
    ]
    chart = alt.Chart(alt.Data(values=values)).mark_bar(stroke="#ffffff", strokeWidth=0.5)
    encoded = chart.encode(
        x=alt.X(
            "share:Q",
            title="per cent of what made the window outlying",
            scale=alt.Scale(domain=[0, 100]),
        ),
        y=alt.Y("alarm:N", title=None, sort=None),
        color=alt.Color(
            "feature:N",
            scale=alt.Scale(scheme="tableau20"),
            legend=alt.Legend(
                orient="bottom", columns=alt.ExprRef("width < 500 ? 1 : 4"), title=None
            ),
        ),
        order=alt.Order("order:Q"),
        tooltip=["feature:N", "share:Q"],
    )
    return _spec(encoded, 34 * len(told))


def roc(subject: Subject) -> Spec | None:
    """Single windows of the attacks against benign ones; None where there are
    not both.

    Windows in which a damped mean still holds an attack that has ended are
    neither.
    """
    attack = np.zeros(len(subject.windows), bool)
    after = np.zeros_like(attack)
    memory = 4 << max(subject.detector.scales)
    for a in subject.attacks or ():
        attack[a.start : a.end] = True
        after[a.end : a.end + memory] = True
    benign = ~attack & ~after
    benign[: subject.detector.alarm[4]] = False  # the warm-up
    if not attack.any() or not benign.any():
        return None
    values: list[dict[str, object]] = []
    both = np.maximum(*(scores / max(1, limit) for _, scores, limit in detectors(subject)))
    for name, scores in (*(d[:2] for d in detectors(subject)), ("either", both)):
        false, true = _curve(scores[benign], scores[attack])
        label = f"{name}: {np.trapezoid(true, false):.4f}"
        keep = np.unique(np.linspace(0, len(false) - 1, min(ROC_POINTS, len(false))).astype(int))
        values += [
            {
                "false": round(float(f), 5),
                "true": round(float(t), 5),
                "detector": label,
                "at": int(i),
            }
            for i, (f, t) in enumerate(zip(false[keep], true[keep], strict=True))
        ]
    chart = alt.Chart(alt.Data(values=values)).mark_line(strokeWidth=2)
    encoded = chart.encode(
        x=alt.X(
            "false:Q",
            title="share of benign windows over the threshold",
            scale=alt.Scale(type="sqrt", domain=[0, 1]),
        ),
        y=alt.Y("true:Q", title="share of attack windows over it", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "detector:N",
            sort=None,
            legend=alt.Legend(orient="bottom", columns=1, title="area under the curve"),
        ),
        order="at:Q",
        tooltip=["detector:N", "false:Q", "true:Q"],
    )
    return _spec(encoded, 260)


def _curve(
    benign: np.ndarray[Any, Any], attack: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """False and true positive rates at every threshold, falling."""
    limits = np.unique(np.concatenate([benign, attack]))[::-1]
    rates = [
        1 - np.searchsorted(np.sort(part), limits, side="left") / len(part)
        for part in (benign, attack)
    ]
    zero = np.zeros(1)
    return np.concatenate([zero, rates[0]]), np.concatenate([zero, rates[1]])


def _spec(chart: Any, height: Any) -> Spec:
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    spec: Spec = chart.properties(width="container", height=height, autosize=fit).to_dict()
    del spec["config"]  # the page has its own, one for light and one for dark
    return spec
