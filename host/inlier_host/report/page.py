"""Puts the report together: one HTML file that needs no network. The words are
in page.html.
"""

from importlib import resources

import inlier
from inlier_export.reference import Ints
from inlier_trainer import threshold
from inlier_trainer.progress import Progress

from . import charts, cost
from .bundle import vega
from .story import alarms
from .subject import Subject

ALARMS_SHOWN = 40  # in words and bars; a run with more has another problem


def page(subject: Subject, progress: Progress) -> str:
    """The HTML file's content."""
    import jinja2
    import markupsafe

    def done(part: int) -> None:
        progress("report", part, 4)

    done(0)
    detector = subject.detector
    told = alarms(subject)
    shown = told[:ALARMS_SHOWN]
    levels = benign_levels(subject)
    bands = [interval(subject, level) for level in levels] or [None, None]
    done(1)
    drawn = {
        "score_ae": charts.timeline(subject, shown, 0, bands[0]),
        "score_svm": charts.timeline(subject, shown, 1, bands[1]),
    }
    if shown:
        drawn["contributions"] = charts.contributions(shown, charts.Clock(subject))
    if subject.unseen is not None:
        pair = (("tail_ae", subject.unseen.ae), ("tail_svm", subject.unseen.svm))
        for (key, scores), (name, _, limit), level in zip(
            pair, charts.detectors(subject), levels, strict=True
        ):
            drawn[key] = charts.histogram(
                name, scores, limit, threshold.tail_of(level, detector.alarm[1])
            )
    curves = charts.roc(subject)
    if curves:
        drawn["roc"] = curves
    done(2)
    script = vega()
    done(3)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(
        (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
    )
    clock = charts.Clock(subject)
    content = template.render(
        name=subject.name,
        windows=len(subject.windows),
        window=f"{detector.window_ms / 1000:g} s"
        if detector.window_ms >= 1000
        else f"{detector.window_ms} ms",
        source=subject.model.source,
        duration=clock.told(len(subject.windows)),
        clock=clock,
        tiles=tiles(subject, [alarm.index for alarm in told]),
        banded=any(bands),
        attacks=subject.attacks,
        alarms=shown,
        path=subject.path,
        more=len(told) if len(told) > len(shown) else 0,
        unseen=0 if subject.unseen is None else len(subject.unseen.ae),
        chart=lambda key: markupsafe.Markup(f'<div class="chart" id="{key}" role="img"></div>'),
        charts=drawn,
        costs=cost.costs(subject.blob, detector),
        version=inlier.__version__,
        detector=detector,
        layers=[detector.features, *(len(layer.bias) for layer in detector.layers)],
        greatest=[int(scores.max()) for _, scores, _ in charts.detectors(subject)],
        script=markupsafe.Markup(script),
    )
    done(4)
    return content


def benign_levels(subject: Subject) -> list[Ints]:
    """Of both detectors, over the benign windows that they were not fitted on:
    the threshold at which each would alarm.
    """
    if subject.unseen is None:
        return []
    k, n = subject.detector.alarm[:2]
    return [
        threshold.alarm_level(scores, k, n) for scores in (subject.unseen.ae, subject.unseen.svm)
    ]


def interval(subject: Subject, level: Ints) -> tuple[int, int] | None:
    """Where these levels would put the threshold for the false-alarm rate that
    the model was trained for.
    """
    accepted = subject.detector.metadata.get("false_alarms")
    if not accepted:
        return None
    rate = threshold.rate_per_window(str(accepted), subject.detector.window_ms) / 2
    return threshold.interval(level, subject.detector.alarm[1], rate)


def tiles(subject: Subject, raised: list[int]) -> list[tuple[str, str]]:
    """The figures at the top: what, and how much."""
    result = [("alarms", str(len(raised)))]
    if subject.attacks is not None:
        seen = [[a.start <= i < a.end for i in raised] for a in subject.attacks]
        result.append(("attacks seen", f"{sum(map(any, seen))} of {len(seen)}"))
        result.append(("false alarms", str(len(raised) - sum(map(sum, seen)))))
    result.append(("windows over a threshold", f"{100 * subject.trace.hot.mean():.3g} %"))
    result.append(("bytes of model", f"{len(subject.blob):,}"))
    accepted = subject.detector.metadata.get("false_alarms")
    if accepted:
        result.append(("false alarms accepted", str(accepted).replace("/", " a ")))
    return result
