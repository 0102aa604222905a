"""A fleet's page: what `inlier fleet report` shows of what the other commands
found.
"""

from typing import Any

import altair as alt

import inlier
from inlier_trainer.progress import Progress

from . import charts
from .axis import LIMIT
from .bundle import vega
from .charts import ALARM, REST, SCORE, Spec
from .page import place_of, templates

WORST = 25
REJECTED = 20
PHASES = ("learned", "weighed", "held out", "judged")
PERIOD_SHOWN = 1e7  # days: beyond, bars differ no more
Told = dict[str, Any]


def page(told: Told, progress: Progress) -> str:
    """told: name, devices, windows, date, phases (of each date), calibration,
    ranked, types, drift (None where it was not looked for), rollouts, rejected.
    """
    import markupsafe

    calibration, ranked = told["calibration"], told["ranked"]
    drawn = {"days": days(told), "worst": worst(ranked[:WORST])}
    drift = told["drift"]
    if drift and drift["moved"]:
        drawn["drift"] = moved(drift["moved"])
    if told["rollouts"]:
        drawn["rollout"] = rollout(told["rollouts"])
    progress("report", 1, 2)
    content = (
        templates()
        .get_template("fleet.html")
        .render(
            name=told["name"],
            devices=told["devices"],
            windows=told["windows"],
            days=len(told["phases"]),
            date=told["date"],
            tiles=tiles(told),
            budget=calibration["budget_per_day"],
            reached=calibration["alarms_per_day"],
            events=calibration["mass_events"],
            types=told["types"],
            drift=drift,
            proposals=drift["proposals"] if drift else [],
            rollouts=told["rollouts"],
            rejected=told["rejected"][:REJECTED],
            chart=place_of,
            charts=drawn,
            version=inlier.__version__,
            script=markupsafe.Markup(vega()),
        )
    )
    progress("report", 2, 2)
    return content


def tiles(told: Told) -> list[tuple[str, str, bool]]:
    """What, how much, and whether it is bad news."""
    calibration = told["calibration"]
    found = sum(device["discovered"] for device in told["ranked"])
    events = len(calibration["mass_events"])
    halted = sum(bool(r["halted"]) for r in told["rollouts"])
    result = [
        ("devices", f"{told['devices']:,}", False),
        ("stand out on the last day", str(found), found > 0),
        ("events of many devices", str(events), False),
        ("alarms a day, held out", f"{calibration['alarms_per_day']:g}", False),
        ("budget a day", f"{calibration['budget_per_day']:g}", False),
        ("types to train again", str(len((told["drift"] or {}).get("proposals", ()))), False),
    ]
    if told["rollouts"]:
        result.append(("rollouts halted", str(halted), halted > 0))
    if told["rejected"]:
        result.append(("left out", str(len(told["rejected"])), True))
    return result


def days(told: Told) -> Spec:
    calibration = told["calibration"]
    by_day = calibration["by_day"]
    values = [
        {"date": date, "alarms": by_day.get(date, 0), "what": phase}
        for date, phase in sorted(told["phases"].items())
    ]
    colour = alt.Color(
        "what:N",
        sort=PHASES,
        scale=alt.Scale(domain=PHASES, range=[REST, "#b7c3cf", SCORE, ALARM]),
        legend=alt.Legend(orient="bottom", title=None, columns=2),
    )
    bars = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            x=alt.X("date:O", title=None, axis=alt.Axis(labelOverlap="greedy", labelAngle=0)),
            y=alt.Y("alarms:Q", title="alarms of all devices", axis=alt.Axis(tickMinStep=1)),
            color=colour,
            tooltip=["date:N", "alarms:Q", "what:N"],
        )
    )
    budget = [{"budget": calibration["budget_per_day"]}]
    rule = (
        alt.Chart(alt.Data(values=budget))
        .mark_rule(color=LIMIT, strokeDash=[6, 4], strokeWidth=1.2)
        .encode(y="budget:Q", tooltip=alt.Tooltip("budget:Q", title="budget a day"))
    )
    return charts.spec(alt.layer(bars, rule).properties(height=220))


def worst(ranked: list[Told]) -> Spec:
    values = [
        {
            "device": f"{device['device']} ({device['type']})",
            "days": min(device["return_period_days"], PERIOD_SHOWN),
            "once": f"{device['return_period_days']:,.3g} days",
            "what": "discovered" if device["discovered"] else "not",
            "severity": device["severity"],
            "leading": device["leading"],
            "least": 0.8,
        }
        for device in ranked
    ]
    tip = [
        alt.Tooltip("device:N"),
        alt.Tooltip("once:N", title="such a day once in"),
        alt.Tooltip("severity:Q", title="times the threshold"),
        alt.Tooltip("leading:N"),
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("device:N", sort=None, title=None, axis=alt.Axis(labelLimit=150)),
            x=alt.X(
                "days:Q",
                title="such a day once in so many days",
                scale=alt.Scale(type="log", domainMin=0.8),
                axis=alt.Axis(format="~s", values=[10**k for k in range(8)]),
            ),
            x2="least:Q",
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=["discovered", "not"], range=[ALARM, REST]),
                legend=None,
            ),
            tooltip=tip,
        )
    )
    return charts.spec(chart.properties(height=max(60, 17 * len(values))))


def moved(found: list[Told]) -> Spec:
    values = [
        {
            "what": f"{m['type']} {m['counter']}",
            "when": f"{m['week']} {m['version']}",
            "octaves": m["octaves"],
        }
        for m in found
    ]
    most = max(abs(m["octaves"]) for m in found)
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_rect()
        .encode(
            y=alt.Y("what:N", title=None, axis=alt.Axis(labelLimit=200)),
            x=alt.X("when:N", title="week, firmware", axis=alt.Axis(labelAngle=-35)),
            color=alt.Color(
                "octaves:Q",
                scale=alt.Scale(scheme="redblue", domain=[-most, most], reverse=True),
                legend=alt.Legend(orient="bottom", title="octaves"),
            ),
            tooltip=["what:N", "when:N", "octaves:Q"],
        )
    )
    rows = len({v["what"] for v in values})
    return charts.spec(chart.properties(height=max(40, 20 * rows)))


def rollout(rollouts: list[Told]) -> Spec:
    states = ("run it", "refused", "away", "not offered")
    values = [
        {"type": f"{r['type']}, number {r['number']}", "state": state, "devices": count}
        for r in rollouts
        for state, count in zip(
            states,
            (r["running"], r["refused"], r["away"], r["devices"] - r["offered"]),
            strict=True,
        )
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("type:N", title=None),
            x=alt.X("devices:Q", title="devices"),
            color=alt.Color(
                "state:N",
                sort=states,
                scale=alt.Scale(domain=states, range=[SCORE, ALARM, LIMIT, REST]),
                legend=alt.Legend(orient="bottom", title=None, columns=2),
            ),
            tooltip=["type:N", "state:N", "devices:Q"],
        )
    )
    return charts.spec(chart.properties(height=max(40, 34 * len(rollouts))))
