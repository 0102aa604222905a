"""The whole line on an emulated Pico W, with its maker's firmware: the doorbell
joins Wi-Fi, its windows are recorded over USB and trained on, the model is
deployed, and a scan for telnet raises the alarm over MQTT.

    INLIER_PICO_W_UF2=… python tests/host/pico_w_line.py

The commands are those that a user types. Nothing leaves loopback.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually
from inlier_boards.build import micropython, umqtt
from inlier_boards.build.firmware import runtime_files
from inlier_boards.catalogue import EXAMPLES, read_board
from inlier_boards.deployment import payload
from inlier_boards.deployment.deploy import STAMP
from inlier_boards.emulators import rp2040
from inlier_boards.serial_line.connection import Connection
from inlier_host import cli
from inlier_host.demo.servers import surroundings
from names import everywhere

DEVICE = Path(__file__).parent / "device_of_rp2040"
# The doorbell lives twice as fast as a real one: a window of half a second of
# the guest's time stands for one of a second. A guest's clock never runs ahead
# of this machine's, so that more windows of more seconds take as many.
WINDOW_MS = 500
RECORDED = 500
INFECTED_AFTER = 60
WATCHED = 100
TAKES = (
    f"{(RECORDED + WATCHED) * WINDOW_MS // 60_000} minutes of the board's time, which pass no "
    "faster here, and some six minutes of a processor: a quarter of an hour where nothing else runs"
)
JOIN_S = 1800
HOST, GATEWAY = "127.0.0.1", "10.0.0.1"  # the same for the guest


@dataclass
class Line:
    """What came of it. windows: those that the watched board told of, as
    `inlier monitor --json` prints them; messages: (topic, payload, retained)
    that a subscriber received; denied: what its network was; virtual_s: of the
    guest, took_s: here.
    """

    recording: Path
    model: Path
    deployed: dict[str, object]
    events: list[dict[str, object]]
    messages: list[tuple[str, str, bool]]
    denied: str
    virtual_s: float
    took_s: dict[str, float]


def line(folder: Path, say: Callable[[str], None]) -> Line:
    """Raises BadInput without an image; needs mosquitto."""
    board = read_board("pico_w")
    image = rp2040.checked(board, say=say)
    recording, model = folder / "windows.csv", folder / "model.inlier"
    took: dict[str, float] = {}

    def inlier(stage: str, *arguments: object) -> str:
        say(f"{stage}: inlier {' '.join(map(str, arguments))}")
        began = time.monotonic()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(io.StringIO()) as told,
        ):
            patch.setattr(sys, "argv", ["inlier", *map(str, arguments)])
            patch.setattr(Connection, "answer_s", HANGS_S)  # a real board is faster
            try:
                cli.main()
            except SystemExit as end:
                assert not end.code, f"{stage} ended with {end.code}"
        took[stage] = time.monotonic() - began
        return told.getvalue()

    with (
        Broker(folder) as broker,
        Subscriber(broker) as subscriber,
        surroundings(7, "cloud.test") as (config, _),
        everywhere(GATEWAY) as dns,
    ):
        settings = {
            "doorbell": {
                **config,
                "second_ms": WINDOW_MS,
                "chimes": config["chimes"][1:],  # one is on, one is off
                "status": ["0.0.0.0", 8080],
            },
            "window_ms": WINDOW_MS,
            "infected_after": INFECTED_AFTER,
            "mqtt": {
                "device_id": "doorbell",
                "host": HOST,
                "port": broker.port,
                "user": USER,
                "password": PASSWORD,
                "keepalive_s": 3600,  # of the guest, whose minute is several here
            },
        }
        # 10.a.b.c of the guest is 127.a.b.c here
        files = {"settings.json": json.dumps(settings).replace('"127.', '"10.').encode()}
        files |= {"main.py": (DEVICE / "doorbell_line.py").read_bytes()}
        files |= {"doorbell.py": (EXAMPLES / "doorbell.py").read_bytes()}
        files |= {"lib/umqtt/simple.py": (umqtt.folder() / "umqtt/simple.py").read_bytes()}
        runtime = payload.compiled(
            micropython.mpy_cross(say),
            board.mpy_arch,
            runtime_files(board.kernels, secure=True, sinks=True, recorder=True),
        )
        files |= {f"lib/{path}": content for path, content in runtime.items()}
        # as deployed before: to copy it all takes minutes
        files[f"lib/inlier/{STAMP}"] = payload.digest(runtime).encode()
        say(f"booting {image.path.name}")
        with rp2040.plugged(board, image, files, dns) as there:
            try:
                port = ("--port", there.port)
                say("joining Wi-Fi")  # whose chip is sent its own firmware: 20 s of a processor
                eventually(lambda: "joined as" in there.said.read_text("utf-8", "replace"), JOIN_S)
                inlier("record", "record", *port, "--count", RECORDED, "-o", recording)
                asked = ("--false-alarms", "6/hour")  # what some minutes can answer for
                inlier("train", "train", recording, *asked, "--allow-constant", "all", "-o", model)
                deployed = json.loads(inlier("deploy", "deploy", model, *port, "--json"))
                watch = ("--serial", there.port, "--count", WATCHED, "--json")
                told = inlier("watch", "monitor", *watch)
                eventually(lambda: alarms(subscriber.messages))
                virtual_s = there.nanoseconds() / 1e9
            except BaseException:
                say("it last said: " + there.said.read_text(errors="replace")[-2000:])
                raise
            denied = there.denied.read_text()
        events = [json.loads(event) for event in told.splitlines()]
        return Line(
            recording, model, deployed, events, subscriber.messages, denied, virtual_s, took
        )


def alarms(messages: list[tuple[str, str, bool]]) -> list[dict[str, object]]:
    """Those that were raised."""
    told = [json.loads(payload) for topic, payload, _ in messages if topic.endswith("/alarm")]
    return [event for event in told if event["alarm"] == "ON"]


def main() -> None:
    print(f"takes {TAKES}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        done = line(Path(folder), lambda step: print(step, file=sys.stderr, flush=True))
    for event in done.events:
        if "alarm" in event:
            print(event)
    print(*alarms(done.messages), sep="\n")
    print({stage: round(seconds) for stage, seconds in done.took_s.items()}, "seconds")
    print(f"{done.virtual_s:.0f} seconds of the guest")


if __name__ == "__main__":
    main()
