"""Where live events come from: this machine, a broker, a serial port. Events
are what the sinks of inlier.sinks say.

{"window", "score", "ae", "svm", "hot", "horizons", "gone", "deltas",
"features"}: of each window (message.state)
{"alarm": "ON" or "OFF", "grows", "window", "began", "message", ...} and
{"quiet": "ON" or "OFF", "window", "message"}: message.Episode
{"online": bool} or {"problem": sentence}: of the connection
"""

import json
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from inlier.sinks.lines import Lines
from inlier_boards.serial_line.lines import Damaged, opened
from inlier_export.errors import BadInput
from inlier_host import this_machine as monitor

Event = dict[str, Any]
Emit = Callable[[Event], None]
Feed = Callable[[Emit], None]  # runs until interrupted

ANSWER_S = 10
PASSWORD_VARIABLE = "INLIER_MQTT_PASSWORD"


def this_machine(model: Path, source: str) -> Feed:
    def feed(emit: Emit) -> None:
        monitor.live(model, source, -1, lambda window: None, Lines(emit))

    return feed


def recording(model: Path, path: Path) -> Feed:
    """A recording's windows, at once; the view then stays until interrupted."""

    def feed(emit: Emit) -> None:
        for _ in monitor.replay(model, path, Lines(emit)):
            pass
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
                    line = port.readline().decode(errors="replace")
                    try:
                        kind, said = opened(line) or ("", "")
                    except Damaged:
                        emit({"problem": f"{path}: a damaged line was left out"})
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
    """An event from elsewhere; what is none becomes a problem."""
    try:
        event = json.loads(text)
        if not isinstance(event, dict):
            raise ValueError
        for kind in ("alarm", "quiet"):
            if kind in event:
                return {
                    kind: "ON" if event[kind] == "ON" else "OFF",
                    "window": int(event.get("window", -1)),
                    "grows": int(event.get("grows", 0)),
                    "message": str(event.get("message", "")),
                    "id": str(event.get("id", "")),
                }
        features = [[str(name), int(share)] for name, share in event.get("features", ())]
        window: Event = {key: int(event[key]) for key in ("window", "score", "ae", "svm", "hot")}
        if "source" in event:
            window.update(source=str(event["source"]), deltas=[int(d) for d in event["deltas"]])
        horizons = [[int(k), int(n), int(p), int(c)] for k, n, p, c in event.get("horizons", ())]
        gone = int(event.get("gone", 0))
        return {**window, "horizons": horizons, "gone": gone, "features": features}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"problem": f"the device said what is no event of inlier's: {text.strip()[:40]}"}


def broker(url: str) -> Feed:
    """What a device's inlier.sinks.mqtt publishes. url:
    mqtt://[user[:password]@]host[:port]/prefix/device_id, or mqtts://.

    Raises BadInput: at once for a bad URL; when run, for a broker that cannot
    be reached or refuses.
    """
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    where = urlsplit(url)
    base = where.path.strip("/")
    if (
        where.scheme not in ("mqtt", "mqtts")
        or not where.hostname
        or not base
        or set("+#") & set(base)
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
    waiting: queue.Queue[Event | BadInput] = queue.Queue()

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
        kind = message.topic[len(base) + 1 :]
        if kind == "availability":
            waiting.put({"online": message.payload == b"online"})
        elif kind in ("state", "alarm", "quiet"):
            waiting.put(parsed(message.payload.decode(errors="replace")))

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
        client.loop_start()
        try:
            while True:
                event = waiting.get()
                if isinstance(event, BadInput):
                    raise event
                emit(event)
        finally:
            client.loop_stop()

    return feed
