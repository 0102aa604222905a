"""The command that brings a new model to a type's devices, some at a time."""

import json
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.options import Json, say
from inlier_trainer.figures import number_of

from .fleet_options import Fleet

if TYPE_CHECKING:
    from inlier_export.model_file import ModelFile
    from inlier_host.fleet_rollout import Way
    from inlier_trainer.fleet.store import Store


def seconds(text: str, option: str) -> float:
    """'30s', '10m', '12h' or '1d'."""
    for unit, factor in (("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)):
        number = text.removesuffix(unit)
        if number != text and number.isdecimal():
            return int(number) * factor
    raise BadInput(f"{option} {text}: give a time such as 30s, 10m, 12h or 1d")


def rollout(
    fleet: Fleet,
    type_: Annotated[str, typer.Option("--type", help="Whose model.")],
    broker: Annotated[
        str | None, typer.Option(help="Over MQTT: mqtt://[user@]host[:port]/inlier, or mqtts://.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Over HTTP: where offers lie, which a web server serves.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="That server's access log, where devices answer.")
    ] = None,
    soak: Annotated[str, typer.Option(help="A wave is watched so long before the next.")] = "1d",
    silence: Annotated[
        str, typer.Option(help="A device so long unheard of after it had the model is silent.")
    ] = "1h",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a halt, once somebody has looked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a signed model to 1 %, 10 %, then all devices of a type.

    Into the two slots of devices, over MQTT where they run
    inlier.sinks.rollout, from a folder of files over HTTP where they run
    inlier.sinks.rollout_http. Halts on refusals, silence, and alarms beyond the
    budget (exit code 1); started again it goes on where it was.

    Example: inlier fleet rollout FLEET --type bell --broker mqtt://host/inlier
    """
    from inlier_host.fleet_rollout import roll
    from inlier_trainer.fleet import store
    from inlier_trainer.fleet.engine import Summary
    from inlier_trainer.fleet.rollout import Rollout, Rules

    times = seconds(soak, "--soak"), seconds(silence, "--silence")
    way = _way(broker, folder, log)
    place = store.opened(fleet)
    model = _signed_model(place, type_)
    told = place.read_json(store.CALIBRATION) or {}
    count = sum(of["devices"] for of in told.get("by_type", {}).values()) or 1
    rules = Rules(told.get("budget_per_day", 5) / count, *times)
    rolling = Rollout(place, place.devices(type_), model.detector.number, model.blob, rules)
    if resume:
        rolling.resume(time.time())

    def each(now: Summary) -> None:
        if as_json:
            print(json.dumps(now), flush=True)
        else:
            say(
                f"{now['type']} number {now['number']}, wave {now['wave']} of {now['devices']}: "
                f"{now['offered']} offered, {now['running']} run it, {now['refused']} refused, "
                f"{now['away']} away, {number_of(now['alarms'], 'alarm')}"
            )

    with way as opened:
        roll(rolling, place, model.blob, opened, each)
    if as_json:
        print(json.dumps(rolling.summary()))
    if rolling.state.halted:
        if not as_json:
            say(f"halted: {rolling.state.halted}; look into it, then start again with --resume")
        raise typer.Exit(1)
    if not as_json:
        offered = number_of(len(rolling.order), "device")
        say(f"done: number {rolling.state.number} was offered to all of {offered}")


def _way(
    broker: str | None, folder: Path | None, log: Path | None
) -> "AbstractContextManager[Way]":
    """How offers reach devices. Raises BadInput."""
    from inlier_host.fleet_rollout_mqtt import connected
    from inlier_host.fleet_rollout_web import served

    if broker is not None:
        if folder is not None or log is not None:
            raise BadInput(
                "--broker is MQTT's, --folder and --log are HTTP's: give one of both ways"
            )
        return connected(broker)
    if folder is None or log is None:
        raise BadInput("say --broker for MQTT, or --folder and --log for HTTP")
    return served(folder, log)


def _signed_model(place: "Store", type_: str) -> "ModelFile":
    """Raises BadInput where there is none."""
    from inlier.secure import authentic
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import store

    store.named(type_, "--type")
    models = calibrating.models(place)
    if type_ not in models:
        raise BadInput(f"--type {type_}: no model of it; there are {', '.join(models)}")
    model = models[type_]
    if not authentic.is_signed(model.blob):
        raise BadInput(
            f"{store.model_of(type_)}: it is not signed, and no device takes it: train with --key"
        )
    return model
