"""Puts the report together: one HTML file that needs no network. The words are
in page.html.
"""

from importlib import resources
from typing import TYPE_CHECKING

import inlier
from inlier_trainer.progress import Progress

from . import axis, charts, cost
from .bundle import vega
from .story import ToldAlarm, alarms, relearn
from .subject import Subject

if TYPE_CHECKING:
    import jinja2
    import markupsafe

ALARMS_SHOWN = 40  # in words and bars; a run with more has another problem


def page(subject: Subject, progress: Progress) -> str:
    """The HTML file's content."""
    import markupsafe

    def done(part: int) -> None:
        progress("report", part, 3)

    done(0)
    detector = subject.detector
    told = alarms(subject)
    shown = told[:ALARMS_SHOWN]
    drawn = _drawn(subject, shown)
    done(1)
    script = vega()
    done(2)
    template = templates().get_template("page.html")
    clock = charts.Clock(detector.window_ms, len(subject.windows))
    content = template.render(
        name=subject.name,
        windows=len(subject.windows),
        window=f"{detector.window_ms / 1000:g} s"
        if detector.window_ms >= 1000
        else f"{detector.window_ms} ms",
        source=subject.model.source,
        about=subject.scored.about,
        duration=clock.told(len(subject.windows)),
        clock=clock,
        tiles=tiles(subject, [alarm.index for alarm in told]),
        attacks=subject.attacks,
        alarms=[(alarm, relearn(subject, alarm)) for alarm in shown],
        recording=subject.recording,
        more=len(told) if len(told) > len(shown) else 0,
        benign=subject.benign,
        gone=charts.spans_of(subject.trace),
        chart=place_of,
        charts=drawn,
        costs=cost.costs(subject.blob, detector),
        version=inlier.__version__,
        detector=detector,
        named=axis.named,
        layers=[detector.features, *(len(layer.bias) for layer in detector.layers)],
        greatest=int(subject.trace.svm.max()),
        script=markupsafe.Markup(script),
    )
    done(3)
    return content


def _drawn(subject: Subject, shown: list[ToldAlarm]) -> dict[str, charts.Spec]:
    """The charts, of which there may be fewer than LABELS."""
    said = {alarm.index: alarm.message for alarm in shown}
    said.update(grown for alarm in shown for grown in alarm.grown)
    timeline = charts.timeline(subject.trace, subject.detector, subject.attacks or [], said)
    drawn = {"scores": charts.spec(*timeline)}
    if subject.benign is not None:
        drawn["benign"] = charts.histogram(subject)
    if curves := charts.roc(subject):
        drawn["roc"] = curves
    return drawn


def templates() -> "jinja2.Environment":
    """The pages beside this file; base.html is what they share."""
    import jinja2

    texts = {
        page.name: page.read_text(encoding="utf-8")
        for page in resources.files(__package__).iterdir()
        if page.name.endswith(".html")
    }
    loader = jinja2.DictLoader(texts)
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, loader=loader)


LABELS = {
    "scores": "score over time, with thresholds and alarms",
    "benign": "how many windows score what",
    "roc": "share of attack windows over a threshold, by the share of benign ones",
}


def place_of(key: str) -> "markupsafe.Markup":
    """Of the chart `key`, in a page."""
    import markupsafe

    label = LABELS.get(key, key)
    return markupsafe.Markup(
        f'<div class="chart" id="{key}" role="img" aria-label="{label}"></div>'
    )


def tiles(subject: Subject, raised: list[int]) -> list[tuple[str, str]]:
    """The figures at the top: what, and how much."""
    result = [("alarms", str(len(raised)))]
    if subject.attacks is not None:
        # one that begins while an alarm is on is seen when that grows
        event = subject.trace.event
        seen = [bool((event[a.start : a.end] > 0).any()) for a in subject.attacks]
        inside = [any(a.start <= i < a.end for a in subject.attacks) for i in raised]
        result.append(("attacks seen", f"{sum(seen)} of {len(seen)}"))
        result.append(("false alarms", str(len(raised) - sum(inside))))
    quiet = int((subject.trace.gone == 1).sum())
    if quiet:
        result.append(("times gone quiet", str(quiet)))
    if len(subject.scored.stretches) > 1:
        result.append(("interruptions", str(len(subject.scored.stretches) - 1)))
    result.append(("windows over the lowest threshold", f"{100 * subject.trace.hot.mean():.3g} %"))
    result.append(("bytes of model", f"{len(subject.blob):,}"))
    accepted = subject.detector.metadata.get("false_alarms")
    if accepted:
        result.append(("false alarms accepted", str(accepted).replace("/", " a ")))
    return result
