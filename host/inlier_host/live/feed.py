"""Where live events come from: this machine, a broker, a serial port. Events
are what the sinks of inlier.sinks say.

{"window", "score", "ae", "svm", "hot", "horizons", "gone", "deltas",
"features"}: of each window (message.state)
{"alarm": "ON" or "OFF", "grows", "window", "began", "message", ...} and
{"quiet": "ON" or "OFF", "window", "message"}: message.Episode
{"online": bool} or {"problem": sentence}: of the connection
{"problem": sentence, "foreign": 1}: of what was no event
All have "device" where several are watched.
"""

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from inlier.model import HORIZONS_MAX
from inlier.sinks.lines import Lines
from inlier_boards.serial_line.lines import Damaged, opened
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host import this_machine as monitor

Event = dict[str, Any]
Emit = Callable[[Event], None]
Feed = Callable[[Emit], None]  # runs until interrupted

NUMBER_MAX = (1 << 31) - 1
MESSAGE_MAX = 1 << 16  # bytes; a state of many counters has 2,000
TEXT_MAX = 1000
NAME_MAX = 80
FEATURES_MAX = 16  # shown
WAITING_MAX = 1000  # events; more of them wait at the broker
AGAIN_S = 1
PASSWORD_VARIABLE = "INLIER_MQTT_PASSWORD"


def this_machine(model: Path, source: str, interface: str | None) -> Feed:
    """Raises BadInput at once for a bad model, source or interface."""
    watched = monitor.prepare(model, source, interface)

    def feed(emit: Emit) -> None:
        monitor.live(watched, -1, lambda window: None, Lines(emit))

    return feed


def recording(model: Path, path: Path, count: int) -> Feed:
    """A recording's windows, `count` of them (-1: all), at once; the view then
    stays until interrupted.
    """

    def feed(emit: Emit) -> None:
        windows = monitor.replay(model, path, lambda: Lines(emit))
        for window in islice(windows, None if count < 0 else count):
            if "interrupted" in window:
                emit({"problem": f"window {window['index']} was interrupted: it is not scored"})
        threading.Event().wait()

    return feed


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
        window["svm"] = _number(event["svm"], -NUMBER_MAX)
        if "source" in event:
            window["source"] = printable(str(event["source"]), NAME_MAX)
            window["window_ms"] = _number(event.get("window_ms", 0))
            window["deltas"] = [_number(delta) for delta in event["deltas"]]
        horizons = [
            [_number(k), _number(n), _number(limit, -NUMBER_MAX), _number(count)]
            for k, n, limit, count in event.get("horizons", ())
        ]
        window["horizons"] = horizons[:HORIZONS_MAX]
        window["gone"] = int(bool(event.get("gone", 0)))
        return {**window, "features": features[:FEATURES_MAX]}
    # what json, int and a loop make of other people's text
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        shown = printable(text.strip(), 40)
        return {"problem": f"the device said what is no event of inlier's: {shown}", "foreign": 1}


def _number(value: Any, least: int = 0) -> int:
    """Raises ValueError, TypeError, OverflowError for what is none in range."""
    number = int(value)
    if not least <= number <= NUMBER_MAX:
        raise ValueError
    return number


def broker(url: str) -> Feed:
    """What a device's inlier.sinks.mqtt publishes. url:
    mqtt://[user[:password]@]host[:port]/prefix/device_id, or mqtts://; with + for
    the device_id all of them, and each event says its "device".

    Raises BadInput: at once for a bad URL; when run, for a broker that cannot
    be reached or refuses.
    """
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    where = urlsplit(url)
    base = where.path.strip("/")
    many = base.endswith("/+")
    if (
        where.scheme not in ("mqtt", "mqtts")
        or not where.hostname
        or not base
        or set("+#") & set(base.removesuffix("/+"))
    ):
        raise BadInput(
            "--mqtt: give mqtt://[user@]host[:port]/inlier/DEVICE_ID of the device to watch"
        )
    try:
        port = where.port or (8883 if where.scheme == "mqtts" else 1883)
    except ValueError:
        raise BadInput("--mqtt: the port is no number from 1 to 65535") from None
    password = unquote(where.password) if where.password else os.environ.get(PASSWORD_VARIABLE)
    told = f"{where.hostname}:{port}"
    waiting: queue.Queue[Event | BadInput] = queue.Queue(WAITING_MAX)

    def on_connect(
        client: mqtt.Client, data: object, flags: object, code: Any, properties: object
    ) -> None:
        if code.is_failure:
            waiting.put(
                BadInput(
                    f"{told} refuses ({str(code).lower()}): check user, password "
                    f"({PASSWORD_VARIABLE}) and address"
                )
            )
        else:
            client.subscribe(f"{base}/#", 1)

    def on_message(client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
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

    def feed(emit: Emit) -> None:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if where.username:
            client.username_pw_set(unquote(where.username), password)
        if where.scheme == "mqtts":
            client.tls_set()
        client.reconnect_delay_set(1, 30)
        client.on_connect = on_connect
        client.on_message = on_message
        client.on_disconnect = lambda *_: waiting.put(
            {"problem": f"{told}: connection lost; trying again"}
        )
        try:
            client.connect(where.hostname or "", port)
        except OSError as error:
            raise BadInput(
                f"{told} cannot be reached ({error.strerror or error}); check address, port and "
                f"network"
            ) from None
        threading.Thread(target=listen, args=(client,), daemon=True).start()
        try:
            while True:
                event = waiting.get()
                if isinstance(event, BadInput):
                    raise event
                emit(event)
        finally:
            client.disconnect()

    def listen(client: mqtt.Client) -> None:
        """Whatever comes, this thread goes on: without it no alarm would come,
        and nothing would say so.
        """
        while True:
            try:
                client.loop_forever()
                return
            except Exception as error:
                waiting.put(
                    {
                        "problem": f"{told}: what came is no MQTT ({printable(repr(error), 80)}); "
                        f"trying again",
                        "foreign": 1,
                    }
                )
            time.sleep(AGAIN_S)
            with contextlib.suppress(OSError):  # loop_forever tries on
                client.reconnect()

    return feed
