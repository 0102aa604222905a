"""Commands that fill a fleet's store, and learn from it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.options import NUMBER_MAX, Detectors, Json, Key, Seed, milliseconds, one_of, say
from inlier_trainer.figures import number_of

from .fleet_options import Fleet, Scheduler, Workers, cluster, tell_rejected

if TYPE_CHECKING:
    from inlier_trainer.fleet.sorting import Ingested


def simulate(
    fleet: Fleet,
    devices: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 1000,
    types: Annotated[int, typer.Option(min=1, max=100, help="How many they are of.")] = 4,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many of windows.")] = 30,
    infected: Annotated[int, typer.Option(min=0, help="Devices, on the last day.")] = 10,
    seed: Seed = 1,
    window: Annotated[str, typer.Option(help="Length of a window, from 10s.")] = "5m",
    captures: Annotated[
        Path | None,
        typer.Option(help="A folder of benign captures of a device each, to make types of."),
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Make up a fleet whose truth is known.

    From a model of the example doorbell's traffic: two firmware versions, one
    outage of many devices at once, and infected ones; truth.json says which.

    Example: inlier fleet simulate FLEET --devices 100 --days 10 --infected 2
    """
    from inlier_trainer.fleet import captured, store
    from inlier_trainer.fleet import simulate as made
    from inlier_trainer.progress import bars

    window_ms = milliseconds(window)
    if window_ms < 10_000 or 3_600_000 % window_ms:
        raise BadInput(f"--window {window}: give a length from 10s on of which hours are made")
    if types > devices or infected > devices:
        what = f"--types {types}" if types > devices else f"--infected {infected}"
        raise BadInput(f"{what}: more than --devices {devices}: give fewer")
    place = store.opened(fleet, new=True)
    with bars(quiet=as_json) as progress:
        counted = (
            captured.into(place, captures, types, window_ms, progress)
            if captures is not None
            else ()
        )
        plan = made.Plan(devices, types, days, infected, seed, window_ms, counted)
        with cluster(workers, scheduler) as on:
            ran = made.simulate(place, plan, on, progress)
    rows = sum(told["rows"] for told in ran.told)
    if as_json:
        told = {"fleet": fleet, "devices": len(ran.told), "windows": rows, "again": ran.again}
        print(json.dumps({**told, "truth": place.path(store.TRUTH)}))
        return
    say(
        f"{fleet}: {number_of(devices, 'device')} of {number_of(types, 'type')}, "
        f"{number_of(days, 'day')}, {rows:,} windows of {window}; "
        f"what is true of them is in {place.path(store.TRUTH)}"
    )


def train(
    fleet: Fleet,
    by: Annotated[str, typer.Option(help="What shares a model: type.")] = "type",
    detectors: Detectors = "both",
    seed: Seed = 1,
    key: Key = None,
    number: Annotated[
        int, typer.Option(min=0, max=NUMBER_MAX, help="Of the models, for rollout.")
    ] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Fit a model a type, and name devices that fit theirs badly.

    From a bounded sample of its devices and days; ranges from all of them. The
    last days are kept: limits are tried on them.

    Example: inlier fleet train FLEET --by type
    """
    from inlier_host import keys
    from inlier_trainer.fleet import store
    from inlier_trainer.fleet import survey as surveys
    from inlier_trainer.fleet import train as training
    from inlier_trainer.progress import bars
    from inlier_trainer.trainer import DETECTORS

    one_of("--by", by, ("type",))
    one_of("--detectors", detectors, DETECTORS)
    signing = keys.find(key)
    place = store.opened(fleet)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        surveyed = surveys.survey(place, on, progress)
        surveys.enough(surveyed.days, fleet)
        fitted = training.fit(place, surveyed, on, progress, seed, signing, number, detectors)
    rejected = [*surveyed.rejected, *fitted.rejected]
    if not fitted.models:
        raise BadInput(f"{fleet}: no type could be learned: {rejected[0]}")
    if as_json:
        told = {"types": fitted.told, "odd": fitted.odd, "rejected": rejected}
        print(json.dumps({**told, "again": fitted.again}))
        return
    tell_rejected(rejected)
    for type_, of in fitted.told.items():
        say(
            f"{store.model_of(type_)}: {of['model_bytes']} bytes, of "
            f"{number_of(of['devices'], 'device')}; "
            f"fitted on {of['sample_windows']:,} windows of {len(of['sample'])} of them, from "
            f"{of['learned'][0]} to {of['learned'][1]}"
        )
        for suspect in of["suspect"]:
            say(f"  not learned from: {suspect}")
    for odd in fitted.odd[:10]:
        differs = ", ".join(
            f"{name} by {away:+.1f} octaves" for name, away in odd["differs"].items()
        )
        say(f"{odd['device']} fits its type '{odd['type']}' badly: {differs}")


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Recordings and tables (CSV, Parquet), captures, or mqtt://host/inlier/+."
        ),
    ],
    fleet: Annotated[str, typer.Option("--out", "-o", help="The fleet to add to.")],
    type_: Annotated[
        str,
        typer.Option(
            "--type",
            help="Of the devices; by default what a table's column says, else its folder's name.",
        ),
    ] = "",
    device: Annotated[
        str, typer.Option(help="Name; of a capture its address. By default what the file says.")
    ] = "",
    firmware: Annotated[str, typer.Option(help="Version, where the file does not say.")] = "",
    source: Annotated[str, typer.Option(help="Where the file does not say.")] = "",
    window: Annotated[str, typer.Option(help="Where the file does not say.")] = "",
    start: Annotated[
        str, typer.Option(help="When the first window began (UTC), of tables without times.")
    ] = "",
    devices: Annotated[
        Path | None, typer.Option(help="Over MQTT: a CSV with columns device and type.")
    ] = None,
    count: Annotated[
        int, typer.Option(help="Over MQTT: windows until it ends; -1: until interrupted.")
    ] = -1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Add windows: each once, in the order of time, whenever it comes.

    Tables have the source's counters as columns, and may have time (ISO 8601,
    or ms since 1970), device, type and firmware. A file that was read is not
    read again. What is no window is left out and counted.

    Example: inlier fleet ingest week.csv -o FLEET --type doorbell
    """
    import time

    from inlier_export.inputs import check_input
    from inlier_trainer.fleet import ingest as ingesting
    from inlier_trainer.fleet import store
    from inlier_trainer.progress import bars
    from inlier_trainer.sources import counters_of

    if type_:
        store.named(type_, "--type")
    if source:
        counters_of(source)
    window_ms = milliseconds(window) if window else 0
    begins = ingesting.iso(start)
    if start and begins < 0:
        raise BadInput(f"--start {start}: give a time such as 2026-01-31T00:00:00")
    live = [s for s in sources if s.startswith(("mqtt://", "mqtts://"))]
    if live:
        if len(sources) > 1:
            raise BadInput("a broker is listened to by itself: ingest files by another command")
        _live(live[0], fleet, type_, devices, window_ms or 10_000, count, as_json)
        return
    paths = [Path(s) for s in sources]
    for path in paths:
        check_input(path, "recording, table or capture")
    given = ingesting.Given(
        int(time.time() * 1000), type_, device, firmware, source, window_ms, max(begins, 0)
    )
    place = store.opened(fleet, new=True)
    with bars(quiet=as_json) as progress, cluster(workers, scheduler) as on:
        done = ingesting.ingest(place, paths, given, on, progress)
    _check_read(done)
    _tell_ingested(fleet, done, as_json)


def _tell_ingested(fleet: str, done: "Ingested", as_json: bool) -> None:
    if as_json:
        told = {"fleet": fleet, "files": done.files, "again": done.again, "windows": done.counts}
        print(json.dumps({**told, "rejected": done.rejected}))
        return
    tell_rejected(done.rejected)
    say(
        f"{fleet}: {number_of(done.files, 'file')} ({done.again} read before); "
        f"windows: {_counted(done)}"
    )


def _counted(done: "Ingested") -> str:
    said = (
        f"{n:,} {key.replace('no_', 'without a usable ')}" for key, n in sorted(done.counts.items())
    )
    return ", ".join(said) or "none"


def _check_read(done: "Ingested") -> None:
    """Raises BadInput where nothing that was named could be read."""
    if not (done.files or done.again) and done.rejected:
        *others, last = done.rejected
        tell_rejected(others)
        raise BadInput(last)


def _live(
    url: str,
    fleet: str,
    type_: str,
    devices: Path | None,
    window_ms: int,
    count: int,
    as_json: bool,
) -> None:
    from inlier_host.fleet_live import Collector, listen
    from inlier_host.live.feed import broker
    from inlier_trainer.fleet import store

    types = _types(devices) if devices is not None else {}
    if not (type_ or types):
        raise BadInput("over MQTT nobody says a device's type: say --type, or --devices FILE")
    feed = broker(url)
    live = Collector(store.opened(fleet, new=True), window_ms, lambda name: types.get(name, type_))
    done = listen(feed, live, count, lambda problem: tell_rejected([problem]))
    _tell_ingested(fleet, done, as_json)


def _types(path: Path) -> dict[str, str]:
    """Raises BadInput."""
    import csv

    from inlier_export.inputs import TEXT_MAX, read_input
    from inlier_trainer.fleet.store import named

    text = read_input(path, TEXT_MAX, "list of devices").decode(errors="replace")
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not {"device", "type"} <= set(rows[0]):
        raise BadInput(f"{path}: line 1 must name the columns device and type")
    return {
        named(row["device"] or "", f"{path}: line {i}: device"): named(
            row["type"] or "", f"{path}: line {i}: type"
        )
        for i, row in enumerate(rows, 2)
    }
