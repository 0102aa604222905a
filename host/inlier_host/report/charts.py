"""The charts, as Vega-Lite specifications made with Altair. Colours of text and
axes are the page's: light and dark.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from inlier_export.reference import Detector, Ints, Trace

from .axis import SHORT, ScoreAxis
from .subject import Attack, Subject, masks

SCORE, ATTACK, ALARM, REST = "#3b82c4", "#e2604a", "#d6351f", "#8894a0"
POINTS = 1500  # of a timeline: more would be more than the screen has
UNITS = (("s", 1), ("min", 60), ("h", 3600), ("days", 86400))
WORDS = {"s": "seconds", "min": "minutes", "h": "hours", "days": "days"}
ROC_POINTS = 300
HEIGHT = 240
BINS = 48
LEAST = 0.7  # the histogram's floor, in windows
NARROW_PX, LETTER_PX = 250, 7.5  # a plot on a phone

Spec = dict[str, Any]


class Clock:
    """Window indices to time since boot, in the unit that fits `windows`."""

    def __init__(self, window_ms: int, windows: int):
        self._window_s = window_ms / 1000
        self.unit, self._seconds = self._unit(windows)

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


def spans_of(trace: Trace) -> list[Attack]:
    """The windows in which the device had gone quiet."""
    found = []
    start = None
    for i in np.flatnonzero(trace.gone).tolist():
        if trace.gone[i] > 0:
            start = i
        elif start is not None:
            found.append(Attack("gone quiet", start, i))
            start = None
    return found if start is None else [*found, Attack("gone quiet", start, len(trace.gone))]


def timeline(
    trace: Trace,
    detector: Detector,
    attacks: Sequence[Attack],
    said: dict[int, str],
    height: int = HEIGHT,
) -> tuple[alt.LayerChart, int]:
    """The score with each horizon's threshold, known attacks and alarms; and
    how many pixels the names above it take.

    said: an alarm's message, by window.
    """
    scores = trace.svm
    clock = Clock(detector.window_ms, len(scores))
    axis = ScoreAxis(detector, int(scores.max()), height)
    x = alt.X("t:Q", title=f"{WORDS[clock.unit]} since boot", scale=alt.Scale(nice=False))
    warm_up = Attack("warm-up", 0, min(detector.warmup, len(scores)))
    calm = [warm_up, *spans_of(trace)]
    layers: list[Any] = []
    for spans, colour, opacity in ((calm, REST, 0.2), (attacks, ATTACK, 0.18)):
        values = [{"t": clock(s.start), "t2": clock(s.end), "what": s.name} for s in spans]
        if values:
            rectangle = alt.Chart(alt.Data(values=values)).mark_rect(color=colour, opacity=opacity)
            tip = alt.Tooltip("what:N", title=" ")
            layers.append(rectangle.encode(x=x, x2="t2:Q", tooltip=tip))
    names, rows = _names([*calm[1:], *attacks], len(scores), clock)
    layers += [text.encode(x=x) for text in names]
    layers.append(axis.thresholds())
    line = alt.Chart(alt.Data(values=_thinned(scores, clock))).mark_line(
        color=SCORE, strokeWidth=1.2, interpolate="linear"
    )
    layers.append(line.encode(x=x, y=axis.y("score"), tooltip=["t:Q", "score:Q"]))
    mark_y = alt.Y("score:Q", scale=axis.scale, axis=None)
    for event, shape, size, what in (
        (2, "triangle-up", 45, "grows"),
        (1, "triangle-down", 120, ""),
    ):
        values = [
            {"t": clock(i), "score": int(scores[i]), "what": said.get(i, what or "alarm")}
            for i in np.flatnonzero(trace.event == event).tolist()
        ]
        if values:
            mark = alt.Chart(alt.Data(values=values)).mark_point(
                shape=shape, color=ALARM, filled=True, size=size, yOffset=-7 if not what else 0
            )
            tip = alt.Tooltip("what:N", title=what or "alarm")
            layers.append(mark.encode(x=x, y=mark_y, opacity=alt.value(1), tooltip=tip))
    chart = alt.layer(*layers).resolve_axis(y="independent").properties(height=height)
    return chart, 6 + 15 * rows


def _names(spans: Sequence[Attack], windows: int, clock: Clock) -> tuple[list[alt.Chart], int]:
    """The spans' names above the plot, in rows where they would meet on a
    phone; and the number of rows.
    """
    charts = []
    ends: list[float] = []  # of each row, in pixels
    for s in sorted(spans, key=lambda span: span.start):
        middle = (s.start + s.end) / 2 / windows
        align = "left" if middle < 1 / 3 else "right" if middle > 2 / 3 else "center"
        at = {"left": s.start, "right": s.end, "center": (s.start + s.end) / 2}[align]
        wide = LETTER_PX * len(s.name)
        left = NARROW_PX * at / windows - wide * {"left": 0, "right": 1, "center": 0.5}[align]
        row = next((r for r, end in enumerate(ends) if end < left), len(ends))
        ends[row : row + 1] = [left + wide + 6]
        mark = alt.Chart(alt.Data(values=[{"t": clock(at), "name": s.name}])).mark_text(
            align=align, baseline="bottom", fontWeight=600, fontSize=12
        )
        charts.append(mark.encode(y=alt.value(-5 - 15 * row), text="name:N"))
    return charts, len(ends)


def _thinned(scores: Ints, clock: Clock) -> list[dict[str, float]]:
    """The greatest of each of at most POINTS parts: no peak is lost."""
    starts = np.unique(
        np.linspace(0, len(scores), min(POINTS, len(scores)), endpoint=False).astype(int)
    )
    return [
        {"t": clock(int(i)), "score": int(s)}
        for i, s in zip(starts, np.maximum.reduceat(scores, starts), strict=True)
    ]


def histogram(subject: Subject) -> Spec:
    """How many benign windows, and how many of attacks, score what: sideways,
    on the timeline's own axis.
    """
    attack = subject.trace.svm[masks(subject.scored, subject.detector, subject.attacks or [])[0]]
    groups = {"benign": subject.benign.scores if subject.benign else attack[:0]}
    if len(attack):
        groups["known attacks"] = attack
    greatest = max(int(scores.max(initial=0)) for scores in groups.values())
    axis = ScoreAxis(subject.detector, greatest, HEIGHT)
    edges = np.array([axis.score(p) for p in np.linspace(HEIGHT, 0, BINS + 1)])
    counted = {name: np.histogram(scores, edges)[0] for name, scores in groups.items()}
    values = [
        {
            "score": round(float(low), 1),
            "high": round(float(high), 1),
            "windows": int(c),
            "floor": LEAST,
            "what": name,
        }
        for name, counts in counted.items()
        for low, high, c in zip(edges[:-1], edges[1:], counts, strict=True)
        if c
    ]
    most = max(10, *(int(counts.max()) for counts in counted.values()))
    ticks = [10**k for k in range(8) if 10**k <= most]
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=list(groups), range=[SCORE, ATTACK][: len(groups)]),
        legend=alt.Legend(orient="bottom", title=None) if len(groups) > 1 else None,
    )
    bar = alt.Chart(alt.Data(values=values)).mark_rect(opacity=0.6)
    bars = bar.encode(
        x=alt.X(
            "windows:Q",
            title="windows",
            scale=alt.Scale(type="log", domain=[LEAST, most * 1.2], nice=False),
            axis=alt.Axis(values=ticks, labelExpr=SHORT),
        ),
        x2="floor:Q",
        y=axis.y("score"),
        y2="high:Q",
        color=colour,
        tooltip=["what:N", "score:Q", "high:Q", "windows:Q"],
    )
    chart = alt.layer(axis.thresholds(), bars).resolve_axis(y="independent")
    return spec(chart.properties(height=HEIGHT))


def roc(subject: Subject) -> Spec | None:
    """Single windows of the attacks against benign ones; None where there are
    not both.
    """
    attack, benign = masks(subject.scored, subject.detector, subject.attacks or [])
    if not attack.any() or not benign.any():
        return None
    values: list[dict[str, object]] = []
    parts = (
        ("score", subject.trace.svm),
        ("the autoencoder's squared error, which raises nothing", subject.trace.ae),
    )
    for name, scores in parts[: 2 if subject.detector.layers else 1]:
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
            title="share of benign windows over a threshold",
            scale=alt.Scale(type="sqrt", domain=[0, 1]),
        ),
        y=alt.Y("true:Q", title="share of attack windows over it", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "detector:N",
            sort=None,
            scale=alt.Scale(range=[SCORE, REST]),
            legend=alt.Legend(orient="bottom", columns=1, title="area under the curve"),
        ),
        order="at:Q",
        tooltip=["detector:N", "false:Q", "true:Q"],
    )
    return spec(encoded.properties(height=260))


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


def spec(chart: Any, above_px: int = 5) -> Spec:
    """As wide as its place on the page.

    above_px: what lies over the plot.
    """
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    padding = {"top": above_px, "left": 5, "right": 5, "bottom": 5}
    made: Spec = chart.properties(width="container", autosize=fit, padding=padding).to_dict()
    del made["config"]  # the page has its own, one for light and one for dark
    return made
