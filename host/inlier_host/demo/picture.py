"""The picture of a demonstration: the score over time, with the horizons'
thresholds, stages and alarms.
"""

from inlier_host.report import charts
from inlier_host.report.subject import Attack

from .stages import WINDOW_MS, Run

INK, LINE = "#22303c", "#e3e7eb"
WIDTH, HEIGHT = 1080, 400


def png(run: Run) -> bytes:
    """A PNG of about 1,300 x 500."""
    import vl_convert

    detector = run.trained.detector
    attacks = [Attack(s.name, s.start, s.end) for s in run.stages if s.kind == "attack"]
    chart, above_px = charts.timeline(run.trace, detector, attacks, {}, HEIGHT)
    title = {
        "text": "A doorbell scores itself on MicroPython, and is infected three times",
        "subtitle": [
            f"A model of {len(run.trained.blob):,} bytes, a window every {WINDOW_MS} ms. "
            "Triangles: alarms; small: one that is on has grown. Grey: warm-up. "
            "Dashed: each horizon's threshold",
        ],
        "anchor": "start",
        "frame": "bounds",
        "color": INK,
        "subtitleColor": INK,
        "fontSize": 16,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "offset": above_px + 4,
    }
    spec = chart.properties(width=WIDTH, padding=14).to_dict()
    spec["title"] = title
    axis = {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
    }
    spec["config"] = {"background": "#ffffff", "view": {"stroke": None}, "axis": axis}
    spec["config"]["text"] = {"color": INK}
    made: bytes = vl_convert.vegalite_to_png(spec, scale=1)
    return made
