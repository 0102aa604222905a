"""Where live events come from: this machine, a broker, a serial port. Events
are what the sinks of inlier.sinks say.

{"window", "score", "ae", "svm", "hot", "horizons", "gone", "held", "deltas",
"features"}: of each window (message.state)
{"alarm": "ON" or "OFF", "grows", "window", "began", "message", ...} and
{"quiet": "ON" or "OFF", "window", "message"}: message.Episode
{"online": bool} or {"problem": sentence}: of the connection
{"problem": sentence, "foreign": 1}: of what was no event
All have "device" where several are watched, and "time" (seconds since 1970, or
None) of a recording.
"""

import json
import os
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from inlier.model import HORIZONS_MAX
from inlier.sinks.lines import Lines
from inlier_boards.serial_line.lines import INT_MAX, Damaged, opened
from inlier_export.errors import BadInput
from inlier_export.model_file import read_model
from inlier_export.printable import printable
from inlier_host import this_machine as monitor
from inlier_host.live import mqtt_client
from inlier_trainer.about import CLOCK
from inlier_trainer.recordings import read_for

Event = dict[str, Any]
Emit = Callable[[Event], None]
Feed = Callable[[Emit], None]  # runs until interrupted, or Emit raises

MESSAGE_MAX = 1 << 16  # bytes; a state of many counters has 2,000
TEXT_MAX = 1000
NAME_MAX = 80
FEATURES_SHOWN = 16
WAITING_MAX = 1000  # events; more of them wait at the broker


class Enough(Exception):
    """Raised by an Emit: so many windows as were asked for."""


def this_machine(model: Path, source: str | None, interface: str | None) -> Feed:
    """Raises BadInput at once for a bad model, source or interface."""
    watched = monitor.prepare(model, source, interface)

    def feed(emit: Emit) -> None:
        monitor.live(watched, -1, lambda window: None, Lines(emit))

    return feed


def recording(model: Path, path: Path, count: int) -> tuple[str, Feed]:
    """The device that was recorded (the file's name where it does not say), and
    its windows, `count` of them (-1: all), at once; the view then stays until
    interrupted. Raises BadInput at once.
    """
    own = read_model(model)
    recorded = read_for(path, own)
    # of one that was interrupted nobody knows for how long
    clock = recorded.about.clock if len(recorded.stretches) == 1 else ""
    began = datetime.strptime(clock, CLOCK).replace(tzinfo=UTC).timestamp() if clock else None

    def feed(emit: Emit) -> None:
        def timed(event: Event) -> None:
            past_s = (event["window"] + 1) * own.window_ms / 1000
            emit({**event, "time": None if began is None else began + past_s})

        windows = monitor.replayed(own, recorded, lambda: Lines(timed))
        for window in islice(windows, None if count < 0 else count):
            if "interrupted" in window:
                emit({"problem": f"window {window['index']} was interrupted: it is not scored"})
        threading.Event().wait()

    return recorded.about.device or path.stem, feed


def serial_port(path: str) -> Feed:
    """Lines that a device's inlier.sinks.lines prints. Raises BadInput, when
    run, where there is no such port.
    """
    import serial

    def feed(emit: Emit) -> None:
        try:
            with serial.Serial(path, 115_200) as port:
                emit({"online": True})
                while True:
                    line = port.readline(MESSAGE_MAX).decode(errors="replace")
                    try:
                        kind, said = opened(line) or ("", "")
                    except Damaged:
                        emit({"problem": f"{path}: a damaged line was left out", "foreign": 1})
                    else:
                        if kind == "e":
                            emit(parsed(said))
        except serial.SerialException as error:
            why = os.strerror(error.errno) if error.errno else "it is gone"
            raise BadInput(
                f"{path}: {why}; check the cable, and that no other program has the port"
            ) from None

    return feed


def parsed(text: str) -> Event:
    """An event from elsewhere, its texts printable and its numbers in range;
    whatever is none becomes a problem: it may come from anybody.
    """
    try:
        if len(text) > MESSAGE_MAX:
            raise ValueError
        event = json.loads(text)
        if not isinstance(event, dict):
            raise ValueError
        for kind in ("alarm", "quiet"):
            if kind in event:
                return {
                    kind: "ON" if event[kind] == "ON" else "OFF",
                    "window": _number(event.get("window", -1), -1),
                    "grows": int(bool(event.get("grows", 0))),
                    "message": printable(str(event.get("message", "")), TEXT_MAX),
                    "id": printable(str(event.get("id", "")), TEXT_MAX),
                }
        features = [
            [printable(str(name), NAME_MAX), _number(share)]
            for name, share in event.get("features", ())
        ]
        window: Event = {key: _number(event[key]) for key in ("window", "score", "ae", "hot")}
        window["svm"] = _number(event["svm"], -INT_MAX)
        if "source" in event:
            window["source"] = printable(str(event["source"]), NAME_MAX)
            window["window_ms"] = _number(event.get("window_ms", 0))
            window["deltas"] = [_number(delta) for delta in event["deltas"]]
        horizons = [
            [_number(k), _number(n), _number(limit, -INT_MAX), _number(count)]
            for k, n, limit, count in event.get("horizons", ())
        ]
        window["horizons"] = horizons[:HORIZONS_MAX]
        for flag in ("gone", "held"):
            window[flag] = int(bool(event.get(flag, 0)))
        return {**window, "features": features[:FEATURES_SHOWN]}
    # what json, int and a loop make of other people's text
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        shown = printable(text.strip(), 40)
        return {"problem": f"the device said what is no event of inlier's: {shown}", "foreign": 1}


def _number(value: Any, least: int = 0) -> int:
    """Raises ValueError, TypeError, OverflowError for what is none in range."""
    number = int(value)
    if not least <= number <= INT_MAX:
        raise ValueError
    return number


def broker(url: str) -> Feed:
    """What a device's inlier.sinks.mqtt publishes.

    url: mqtt://[user[:password]@]host[:port]/prefix/device_id, or mqtts://;
        with + for the device_id all of them, and each event says its
        "device".

    Raises BadInput: at once for a bad URL; when run, for a broker that cannot
    be reached or refuses.
    """
    where = mqtt_client.address(
        url, "--mqtt: give mqtt://[user@]host[:port]/inlier/DEVICE_ID of the device to watch"
    )
    base = where.base
    many = base.endswith("/+")
    waiting: queue.Queue[Event | BadInput] = queue.Queue(WAITING_MAX)

    def on_connect(client: Any, data: object, flags: object, code: Any, properties: object) -> None:
        if code.is_failure:
            waiting.put(mqtt_client.refused(where, code))
        else:
            client.subscribe(f"{base}/#", 1)

    def on_message(client: Any, data: object, message: Any) -> None:
        device, _, kind = message.topic.rpartition("/")
        if not many and device != base:
            return
        if kind == "availability":
            event: Event = {"online": message.payload == b"online"}
        elif kind in ("state", "alarm", "quiet"):
            event = parsed(message.payload[: MESSAGE_MAX + 1].decode(errors="replace"))
        else:
            return
        if many:
            event["device"] = printable(device.rpartition("/")[2], NAME_MAX)
        waiting.put(event)

    def on_problem(told: str) -> None:
        waiting.put({"problem": told, "foreign": 1})

    def feed(emit: Emit) -> None:
        client = mqtt_client.client(where)
        client.on_connect = on_connect
        client.on_message = on_message
        client.on_disconnect = lambda *_: waiting.put(
            {"problem": f"{where.told}: connection lost; trying again"}
        )
        mqtt_client.connect(client, where)
        arguments = client, where, on_problem
        threading.Thread(target=mqtt_client.listen, args=arguments, daemon=True).start()
        try:
            while True:
                event = waiting.get()
                if isinstance(event, BadInput):
                    raise event
                emit(event)
        finally:
            client.disconnect()

    return feed
