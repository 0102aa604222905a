"""Commands that judge a fleet: its budget, its devices' last day, its drift."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inlier_host.options import Json, Key, say
from inlier_trainer.figures import number_of

from .fleet_options import Fleet, Scheduler, Workers, cluster, tell_rejected

if TYPE_CHECKING:
    from inlier_trainer.fleet.calibrate import Calibrated
    from inlier_trainer.fleet.engine import Cluster
    from inlier_trainer.fleet.store import Store
    from inlier_trainer.fleet.survey import Days
    from inlier_trainer.progress import Progress

BUDGET = "5/day"
Budget = Annotated[
    str | None,
    typer.Option(help="False alarms of the whole fleet; by default as calibrated, else 5/day."),
]
Top = Annotated[int, typer.Option(min=1, help="Devices told to people.")]


def _calibrated(
    place: "Store", budget: str | None, on: "Cluster", progress: "Progress"
) -> tuple["Calibrated", "Days", list[str]]:
    """Of all devices, scored where they are not yet; and the days."""
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import survey as surveys
    from inlier_trainer.fleet.store import CALIBRATION

    before = place.read_json(CALIBRATION) or {}
    per_day = calibrating.per_day(budget or f"{before.get('budget_per_day', 5)}/day")
    surveyed = surveys.survey(place, on, progress)
    surveys.enough(surveyed.days, place.address)
    done = calibrating.calibrate(place, surveyed, per_day, on, progress)
    return done, surveyed.days, [*surveyed.rejected, *done.rejected]


def calibrate(
    fleet: Fleet,
    false_alarms: Budget = None,
    key: Key = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Divide the fleet's budget of false alarms over its devices.

    Writes the few bytes in which a device's thresholds differ, signed if there
    is a key; says what was reached on days that were held out.

    Example: inlier fleet calibrate FLEET --false-alarms 5/day
    """
    from inlier_host import keys
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import store
    from inlier_trainer.progress import bars

    if false_alarms:
        calibrating.per_day(false_alarms)
    signing = keys.find(key)
    place = store.opened(fleet)
    calibrating.models(place)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        done, _, rejected = _calibrated(place, false_alarms or BUDGET, on, progress)
        size = calibrating.write(place, done, signing)
    told = done.told
    if as_json:
        print(json.dumps({**told, "bytes_a_device": size, "rejected": rejected}))
        return
    tell_rejected(rejected)
    say(
        f"budget {told['budget_per_day']:g} a day: {told['alarms_per_day']:g} a day on "
        f"{number_of(told['held_out_days'], 'held-out day')}"
        + ("" if told["budget_kept"] else "; more than the budget: new kinds of events came up")
    )
    for type_, of in told["by_type"].items():
        limits = told["limits"][type_]
        say(
            f"  {type_}: {number_of(of['devices'], 'device')}, {of['alarms_per_day']:g} a day; "
            f"limits {limits['least']:g} to {limits['most']:g} times the type's thresholds"
        )
    for event in told["mass_events"]:
        say(_event(event))
    say(f"calibrations/: {number_of(len(done.limits), 'device')}, {size} bytes each")


def _event(event: dict[str, Any]) -> str:
    types = ", ".join(map(str, event["types"]))
    leading = ", ".join(map(str, event["leading"]))
    return (
        f"{event['begins']} to {event['ends']}: {number_of(event['devices'], 'device')} of {types} "
        f"at one time ({leading}), one event; {event['cause']}"
    )


def score(
    fleet: Fleet,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Score what is not scored yet.

    Example: inlier fleet score FLEET
    """
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import store
    from inlier_trainer.progress import bars

    place = store.opened(fleet)
    calibrating.models(place)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        done, days, rejected = _calibrated(place, None, on, progress)
    count, last = len(done.limits), days.last
    today = [
        told["device"]
        for told in done.alarmed
        if any(last == _date(end) for _, end, *_ in told["alarms"])
    ]
    if as_json:
        told = {"devices": count, "again": done.again, "date": last, "alarmed": sorted(today)}
        print(json.dumps({**told, "rejected": rejected}))
        return
    tell_rejected(rejected)
    say(
        f"{number_of(count, 'device')}, {done.again} of them scored already; "
        f"on {last} an alarm of {len(today)}"
    )


def _date(ms: int) -> str:
    from inlier_trainer.fleet.parts import date_of

    return date_of(ms - 1)


def rank(
    fleet: Fleet,
    false_alarms: Budget = None,
    top: Top = 12,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Sort devices by how unlikely their last day is.

    Each by its own tail; what befell many at once is one event, told apart.

    Example: inlier fleet rank FLEET --json
    """
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import rank as ranking
    from inlier_trainer.fleet import store
    from inlier_trainer.progress import bars

    if false_alarms:
        calibrating.per_day(false_alarms)
    place = store.opened(fleet)
    calibrating.models(place)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        done, days, rejected = _calibrated(place, false_alarms, on, progress)
        ranked = ranking.rank(place, done, days.last, on, progress)
    events = done.told["mass_events"]
    last = days.last
    content = {"date": last, "devices": ranked.told, "mass_events": events, "rejected": rejected}
    place.write_json("rank.json", content)
    if as_json:
        print(json.dumps(content))
        return
    tell_rejected(rejected)
    found = sum(told["discovered"] for told in ranked.told)
    say(f"{last}: {found} of {number_of(len(ranked.told), 'device')} stand out; the first {top}:")
    for i, told in enumerate(ranked.told[:top]):
        mark = "!" if told["discovered"] else " "
        return_period = f"{told['return_period_days']:,.3g}"
        say(
            f"{mark} {i + 1:>3} {told['device']} ({told['type']}): such a day once in "
            f"{number_of(return_period, 'day')}, {told['severity']:g} times the threshold"
            + (f", {told['leading']}" if told["leading"] else "")
        )
    for event in events:
        say(_event(event))


def drift(
    fleet: Fleet,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Say what moved since training, by version and week.

    Proposes which types to train again, with the reason.

    Example: inlier fleet drift FLEET
    """
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import drift as drifting
    from inlier_trainer.fleet import profile, store
    from inlier_trainer.fleet import survey as surveys
    from inlier_trainer.fleet import train as training
    from inlier_trainer.progress import bars

    place = store.opened(fleet)
    told = {t: place.read_json(store.known_of(t)) for t in calibrating.models(place)}
    samples = {t: training.sample(place, t) for t in told}
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        surveyed = surveys.survey(place, on, progress)
        mine = {t: d for t, d in surveyed.devices.items() if t in told}
        until = next(iter(told.values()))["until"]
        devices = [d for of in mine.values() for d in of]
        new = on.run("profiles", place, profile.profile, devices, (samples, until), progress)
        moved = drifting.drift(place, mine, until, on, progress)
    proposed = drifting.proposals(moved)
    place.write_json(store.DRIFT, {"moved": moved, "proposals": proposed})
    rejected = [*surveyed.rejected, *new.rejected]
    if as_json:
        print(json.dumps({"moved": moved, "proposals": proposed, "rejected": rejected}))
        return
    tell_rejected(rejected)
    for proposal in proposed:
        say(f"train '{proposal['type']}' again: {proposal['reason']}")
    if not proposed:
        say("nothing has moved by three quarters of an octave since training")


def report(
    fleet: Fleet,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path(
        "fleet.html"
    ),
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Write an HTML page on the fleet.

    At a glance: worst devices, budget against reality, drift, rollout.

    Example: inlier fleet report FLEET -o fleet.html
    """
    from inlier_host.report import fleet as pages
    from inlier_trainer.files import check_output, write_atomic
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import rank as ranking
    from inlier_trainer.fleet import rollout as rolling
    from inlier_trainer.fleet import store
    from inlier_trainer.progress import bars

    check_output(out)
    place = store.opened(fleet)
    calibrating.models(place)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        done, days, rejected = _calibrated(place, None, on, progress)
        ranked = ranking.rank(place, done, days.last, on, progress).told
        phases = dict.fromkeys(days.tried, "held out") | dict.fromkeys(days.weighed, "weighed")
        phases |= dict.fromkeys(days.learned, "learned") | {days.last: "judged"}
        types = [
            {"name": type_, **_of_type(place, type_), **of, "limits": done.told["limits"][type_]}
            for type_, of in done.told["by_type"].items()
        ]
        shown = {
            "name": fleet.rstrip("/").rpartition("/")[2],
            "devices": len(done.limits),
            "windows": sum(t["windows"] for t in types),
            "date": days.last,
            "phases": phases,
            "calibration": done.told,
            "ranked": ranked,
            "types": types,
            "drift": place.read_json(store.DRIFT),
            "rollouts": rolling.summaries(place),
            "rejected": rejected,
        }
        content = pages.page(shown, progress).encode()
    write_atomic(out, content)
    if as_json:
        print(json.dumps({"report": str(out), "bytes": len(content), "devices": shown["devices"]}))
    else:
        say(f"{out}: {number_of(len(done.limits), 'device')}; open it in a browser")


def _of_type(place: "Store", type_: str) -> dict[str, Any]:
    from inlier_trainer.fleet.store import known_of

    told = place.read_json(known_of(type_)) or {}
    return {
        "windows": told.get("windows", 0),
        "model_bytes": told.get("model_bytes", 0),
        "odd": [odd["device"] for odd in told.get("odd", ())][:6],
    }
