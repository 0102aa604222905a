"""The command that watches: this machine, a recording, or a device over MQTT or
a serial port.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier import recorder
from inlier_export.errors import BadInput, Interrupted
from inlier_export.inputs import check_input
from inlier_export.printable import printable
from inlier_host.options import Interface, goes_without, needs, say, together
from inlier_trainer.figures import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inlier_host import this_machine as running
    from inlier_host.live.feed import Emit, Event, Feed
    from inlier_host.live.prometheus import Metrics
    from inlier_host.live.state import Live

PORT = 8765


def monitor(
    context: typer.Context,
    model: Annotated[
        Path | None, typer.Argument(help="The model file; none for a device, which has its own.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Source that counts on this machine; by default the model's.")
    ] = None,
    interface: Interface = None,
    replay: Annotated[
        Path | None, typer.Option(help="Score this recording instead of live traffic.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            help="Watch a device: mqtt://[user@]host[:port]/inlier/DEVICE_ID, or mqtts://; "
            "with --prometheus also /inlier/+, all of them."
        ),
    ] = None,
    serial: Annotated[
        str | None, typer.Option(help="Watch a device on this serial port, such as /dev/ttyACM0.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Also write the windows watched to this CSV.")
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="As a page on localhost that updates by itself.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page; 0: any that is free.")
    ] = PORT,
    prometheus: Annotated[
        str | None,
        typer.Option(
            help="Also serve metrics at [HOST]:PORT, such as :9101: to this machine alone without "
            "a host."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=-1, help="Windows until it ends; -1: until interrupted.")
    ] = -1,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object a window, or of a device an event."),
    ] = False,
) -> None:
    """Score this machine's traffic or a recording, or watch a device.

    Alarms are told in words.

    Example: inlier monitor model.inlier --web
    """
    watched = _only_one(model, mqtt, serial)
    if replay and (model is None or save):
        raise BadInput(
            "--replay scores a recording with a model, at once: it goes with neither a device "
            "nor --save"
        )
    several = bool(mqtt and mqtt.endswith("/+"))
    if several and (not prometheus or web or save):
        raise BadInput(
            "--mqtt …/+ watches all devices for --prometheus: give that, and neither --web nor "
            "--save; or name one device"
        )
    device = mqtt.rpartition("/")[2] if mqtt else recorder.device() if model else ""
    view = View(save, device, web, port, count, as_json, prometheus, several)
    checks = _checks(context, view)
    if replay or model is None:
        what = "--replay" if replay else watched
        checks.append(lambda: goes_without(context, what, "source", "interface"))
    inputs = [(model, "model"), (replay, "recording")]
    together(*checks, *(partial(check_input, path, what) for path, what in inputs if path))
    if model and as_json and not (web or save or prometheus):
        _windows(model, source, interface, replay, count)
        return
    if model and replay and not (web or prometheus):
        _replay(model, replay, count)
        return
    from inlier_host.live import feed

    if model and replay:
        name, recorded = feed.recording(model, replay, count)
        _watch(recorded, name, replace(view, count=-1))
    elif mqtt:
        _watch(feed.broker(mqtt), mqtt.rpartition("/")[2], view)
    elif serial:
        _watch(feed.serial_port(serial), serial, view)
    elif model:
        counting = feed.this_machine(model, source, interface)
        _watch(counting, f"{model.stem} on this machine", view)


@dataclass(frozen=True)
class View:
    """How what is watched is shown, and what is made of it.

    device: whose windows are saved, where it is known.
    """

    save: Path | None
    device: str
    web: bool
    port: int
    count: int
    as_json: bool
    prometheus: str | None
    several: bool  # devices


def _only_one(model: Path | None, mqtt: str | None, serial: str | None) -> str:
    """What is to be watched, as one writes it. Raises BadInput."""
    given = [
        name
        for name, is_given in (("MODEL", model), ("--mqtt", mqtt), ("--serial", serial))
        if is_given
    ]
    if len(given) != 1:
        raise BadInput(
            f"{' and '.join(given) or 'nothing'} to watch: give a model file to score with here, "
            f"or --mqtt, or --serial, of a device"
        )
    return given[0]


def _checks(context: typer.Context, view: View) -> list[Callable[[], object]]:
    """What can be wrong with how it is to be shown."""
    from inlier_trainer.files import check_output
    from inlier_trainer.recordings import check_kind

    checks: list[Callable[[], object]] = []
    if not view.web:
        checks.append(lambda: needs(context, "--web", "port"))
    if save := view.save:
        checks += [lambda: check_output(save, new=True), lambda: check_kind(save, by_lines=True)]
    if prometheus := view.prometheus:
        checks.append(lambda: _check_prometheus(prometheus))
    return checks


def _windows(
    model: Path, source: str | None, interface: str | None, replay: Path | None, count: int
) -> None:
    from inlier_host import this_machine as running

    def each(window: running.Scored) -> None:
        print(json.dumps(window), flush=True)

    if replay is None:
        running.live(running.prepare(model, source, interface), count, each)
    else:
        for window in _first(count, running.replay(model, replay)):
            each(window)


def _first(count: int, windows: "Iterator[running.Scored]") -> "Iterator[running.Scored]":
    return islice(windows, None if count < 0 else count)


def _replay(model: Path, recording: Path, count: int) -> None:
    from inlier.sinks.lines import Lines
    from inlier_host import this_machine as running

    scored = alarms = 0
    for window in _first(count, running.replay(model, recording, lambda: Lines(_line))):
        if "interrupted" in window:
            say(f"window {window['index']} was interrupted: it is not scored")
            continue
        scored += 1
        alarms += window["event"] == 1
    say(f"{recording}: {number_of(scored, 'window')} scored, {number_of(alarms, 'alarm')}")


def _watch(feed: "Feed", name: str, view: View) -> None:
    from inlier_host.live.feed import Enough
    from inlier_host.live.save import Save
    from inlier_host.live.state import Live

    live = Live(name)
    left = view.count
    with ExitStack() as stack:
        kept = stack.enter_context(Save(view.save, view.device)) if view.save else None
        metrics = stack.enter_context(_metrics(name, view.prometheus)) if view.prometheus else None
        show = _shown(stack, live, view)

        def emit(event: "Event") -> None:
            nonlocal left
            live.take(event)
            if not event.get("foreign") or _is_told(live.foreign):
                show(event)
            if kept:
                kept.take(event)
            if metrics:
                metrics.take(event)
            if "ae" in event:  # a window
                left -= 1
                if left == 0:
                    raise Enough

        try:
            with suppress(Enough):
                feed(emit)
        except Interrupted:
            raise Interrupted(f"{name} is no longer watched") from None
        finally:
            if kept and kept.rows:
                saved = f"{printable(str(view.save))}: {number_of(kept.rows, 'window')}"
                told = f"inlier: {saved}, the first of them window {kept.first}"
                stack.callback(print, told, file=sys.stderr)


def _metrics(name: str, where: str) -> "Metrics":
    from inlier_host.live.prometheus import Metrics

    metrics = Metrics(name, where)
    print(f"{metrics.url}: metrics", file=sys.stderr)
    return metrics


def _check_prometheus(where: str) -> None:
    from inlier_host.live.prometheus import listening_on

    listening_on(where)


def _shown(stack: ExitStack, live: "Live", view: View) -> "Emit":
    """What to do with each event: until the stack is closed."""
    if view.web:
        from inlier_host.live.web import Web

        page = stack.enter_context(Web(live, view.port))
        print(
            json.dumps({"url": page.url})
            if view.as_json
            else f"{page.url}: open it in a browser; Ctrl-C ends it",
            flush=True,
        )
        return lambda event: page.update()
    if view.as_json:
        return lambda event: print(json.dumps(event), flush=True)
    if sys.stdout.isatty() and not view.several:
        from inlier_host.live.terminal import Terminal

        screen = stack.enter_context(Terminal(live))
        return lambda event: screen.update()
    is_told = False

    def line(event: "Event") -> None:
        nonlocal is_told
        if not is_told:  # else nothing is seen of a calm device
            watched = f"{printable(live.name)}: watched; each alarm is a line, and Ctrl-C ends it"
            print(f"inlier: {watched}", file=sys.stderr)
            is_told = True
        _line(event)

    return line


def _is_told(foreign: int) -> bool:
    """The 1st, 2nd, 4th, 8th, …: who sends them by the thousand must not bury
    an alarm under them.
    """
    return foreign & (foreign - 1) == 0


def _line(event: "Event") -> None:
    """A line for what matters."""
    device = f"{event['device']}: " if "device" in event else ""
    if "problem" in event:
        say(device + event["problem"])
    elif event.get("alarm") == "ON":
        word = "alarm" if event.get("grows") else "ALARM"
        say(f"{device}window {event['window']}: {word}: {event['message']}")
    elif "alarm" in event and event.get("message"):
        say(f"{device}window {event['window']}: alarm cleared: {event['message']}")
    elif "quiet" in event and event.get("message"):
        say(f"{device}window {event['window']}: {event['message']}")
