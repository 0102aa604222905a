"""The command that brings a new model to a type's devices, some at a time."""

import json
import time
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.options import Json, say

from .fleet_options import Fleet


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
    broker: Annotated[str, typer.Option(help="mqtt://[user@]host[:port]/inlier, or mqtts://.")],
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

    Over MQTT, into the two slots of devices that run inlier.sinks.rollout.
    Halts on refusals, silence, and alarms beyond the budget (exit code 1);
    started again it goes on where it was.

    Example: inlier fleet rollout FLEET --type bell --broker mqtt://host/inlier
    """
    from inlier.secure import authentic
    from inlier_host.fleet_rollout import roll
    from inlier_trainer.fleet import calibrate as calibrating
    from inlier_trainer.fleet import store
    from inlier_trainer.fleet.rollout import Rollout, Rules

    times = seconds(soak, "--soak"), seconds(silence, "--silence")
    place = store.opened(fleet)
    store.named(type_, "--type")
    models = calibrating.models(place)
    if type_ not in models:
        raise BadInput(f"--type {type_}: no model of it; there are {', '.join(models)}")
    model = models[type_]
    if not authentic.is_signed(model.blob):
        raise BadInput(
            f"models/{type_}.inlier: it is not signed, and no device takes it: train with --key"
        )
    told = place.read_json("calibration.json") or {}
    count = sum(of["devices"] for of in told.get("by_type", {}).values()) or 1
    rules = Rules(told.get("budget_per_day", 5) / count, *times)
    rolling = Rollout(place, place.devices(type_), model.detector.number, model.blob, rules)
    if resume:
        rolling.resume(time.time())

    def each(now: dict[str, object]) -> None:
        if as_json:
            print(json.dumps(now), flush=True)
        else:
            say(
                f"{now['type']} number {now['number']}, wave {now['wave']} of {now['devices']}: "
                f"{now['offered']} offered, {now['running']} run it, {now['refused']} refused, "
                f"{now['away']} away, {now['alarms']} alarms"
            )

    roll(rolling, place, model.blob, broker, each)
    if as_json:
        print(json.dumps(rolling.summary()))
    if rolling.state.halted:
        if not as_json:
            say(f"halted: {rolling.state.halted}; look into it, then start again with --resume")
        raise typer.Exit(1)
    if not as_json:
        say(f"done: all {len(rolling.order)} devices were offered number {rolling.state.number}")
