"""A new model reaches devices from a folder that a web server serves, which
knows nothing of it: a real one on loopback, devices under CPython and Unix
MicroPython.
"""

import asyncio
import contextlib
import functools
import http.server
import json
import os
import threading
from pathlib import Path

import pytest

from broker import HANGS_S, eventually
from inlier_export import calibration
from inlier_export.errors import BadInput
from inlier_host import fleet_rollout_web
from inlier_trainer.fleet.rollout import Answer, Rollout, Rules
from inlier_trainer.fleet.store import Device, Store
from test_fleet_rollout import KEY, Board, in_background, signed

RULES = Rules(alarms_per_day=1, soak_s=0, silence_s=HANGS_S)


class Logging(http.server.SimpleHTTPRequestHandler):
    """As it comes with Python; its log goes to a file, as a server's does."""

    log = None

    def log_message(self, line, *arguments):
        with self.log.open("a") as file:
            file.write(f"{self.address_string()} - - [27/Nov/2026] {line % arguments}\n")


class Server:
    def __init__(self, folder):
        self.folder, self.log = folder / "www", folder / "access.log"
        self.folder.mkdir(parents=True)
        self.log.touch()
        handler = type("Handler", (Logging,), {"log": self.log})
        serving = functools.partial(handler, directory=self.folder)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serving)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def way(self):
        return fleet_rollout_web.served(self.folder, self.log)


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "server")
    yield running
    running.close()


def rolled(tmp_path, blob, devices=("bell-1",), number=8):
    place = Store(str(tmp_path / "fleet"))
    return place, Rollout(place, [Device("bell", d) for d in devices], number, blob, RULES)


def board(runtime, tmp_path, server, **options):
    return Board(
        runtime, tmp_path / "board", server.port, "rollout_http", path="/", poll_s=0.2, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["cpython", "unix"])
def test_a_device_that_was_away_takes_the_model_and_its_limits(runtime, tmp_path, server):
    blob = signed(8)
    place, rollout = rolled(tmp_path, blob)
    place.write("calibrations/bell/bell-1.limits", calibration.pack(blob, [77] * 5, KEY))
    thread, told, failed = in_background(rollout, place, blob, server.way())
    eventually(lambda: failed or (server.folder / "offers/bell-1.json").exists())
    device = board(runtime, tmp_path, server)
    assert device.boot() == {"running": -1, "limits": None}
    assert device.installed() == {"installed": 8}
    assert device.boot() == {"running": 8, "limits": [77] * 5}, "the calibration came along"
    thread.join(HANGS_S)
    device.off()
    assert not failed and rollout.state.done and told[-1]["running"] == 1


@pytest.mark.slow
def test_what_another_key_signed_is_refused_halts_it_and_is_withdrawn(tmp_path, server):
    """A device that was away must not take what others refused; one that has
    looked at it lets it go on.
    """
    blob = signed(8, b"another key" * 3)
    place, rollout = rolled(tmp_path, blob)
    device = board("unix", tmp_path, server)
    device.boot()
    thread, _, failed = in_background(rollout, place, blob, server.way())
    thread.join(HANGS_S)
    assert not failed and "model was not signed with this key" in rollout.state.halted
    assert not list((tmp_path / "board/models").iterdir()), "nothing was written"
    assert not list((server.folder / "offers").iterdir())
    again = Rollout(place, [Device("bell", "bell-1")], 8, blob, RULES)
    thread, told, failed = in_background(again, place, blob, server.way())
    thread.join(HANGS_S)
    assert not failed and not told, "who starts it again without a look changes nothing"
    assert not list((server.folder / "offers").iterdir())
    device.off()
    rollout = Rollout(place, [Device("bell", "bell-1")], 9, right := signed(9), RULES)
    device.boot()
    thread, _, failed = in_background(rollout, place, right, server.way())
    assert device.installed() == {"installed": 9}
    thread.join(HANGS_S)
    assert not failed and rollout.state.done


@pytest.mark.slow
def test_a_rollout_that_was_cut_goes_on_where_it_was(tmp_path, server):
    """The command was away when the device answered: it says so at each look."""
    blob = signed(8)
    place, rollout = rolled(tmp_path, blob)
    with server.way() as way:
        way.publish("bell", 8, blob)
        offer = {"number": 8, "type": "bell", "bytes": len(blob), "chunks": 1}
        way.offer(*rollout.to_offer(1), json.dumps(offer).encode())
    rollout.save()
    device = board("cpython", tmp_path, server)
    device.boot()
    assert device.installed() == {"installed": 8}
    device.boot()
    again = Rollout(place, [Device("bell", "bell-1")], 8, blob, RULES)
    thread, _, failed = in_background(again, place, blob, server.way())
    thread.join(HANGS_S)
    device.off()
    assert not failed and again.state.done


LINE = '127.0.0.1 - - [1/Jan/2026] "GET %s HTTP/1.0" 200 -\n'


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "/inlier/offers/b1.json?number=8&result=running&boot=ab&alarms=2",
            ("b1", Answer(8, "running"), "ab", 2),
        ),
        (
            "/offers/b1.json?number=4&result=refused&why=no%20key&offered=8",
            ("b1", Answer(4, "refused", "no key", 8), "", 0),
        ),
        ("/offers/b1.json", None),
        ("/offers/b1.json?number=8", None),
        ("/offers/b1.json?number=x&result=running", None),
        ("/offers/b1.json?number=8&result=running&alarms=-3", None),
        ("/offers/b1.json?number=8&result=running&alarms=1e9", None),
        ("/offers/../b1.json?number=8&result=running", None),
        ("/offers/b1.json?" + "&".join(["number=8"] * 50), None),
        ("/offers/" + "b" * 70 + ".json?number=8&result=running", None),
        ("/offers/b1.json?number=" + "9" * 900 + "&result=running", None),
    ],
)
def test_what_a_line_of_the_log_says(target, expected):
    found = fleet_rollout_web.told((LINE % target).encode())
    if "9" * 900 in target:  # it is a number, of no model
        assert found is not None and found[1].number > 1 << 64
    else:
        assert found == expected


def test_garbage_in_the_log_is_passed_over_and_a_rotated_one_is_followed(tmp_path):
    log, folder = tmp_path / "access.log", tmp_path / "www"
    folder.mkdir()
    said = LINE % "/offers/bell-1.json?number=8&result=running&boot=a&alarms=%d"
    log.write_text(said % 5)  # from before: not read
    _, rollout = rolled(tmp_path, signed(8))
    rollout.to_offer(1)
    device = rollout.state.devices["bell-1"]
    with fleet_rollout_web.served(folder, log) as way:
        with log.open("ab") as file:
            file.write(b"\xff\x00" * 5000 + b"\n" + b"x" * 3_000_000)
            file.write(b"\n" + (LINE % "/offers/else.json?number=8&result=running").encode())
            file.write((said % 0).encode()[:40])  # half of a line
        while way._file.tell() != log.stat().st_size:
            way.take(rollout, lambda: 10.0)
        assert not device.installed
        with log.open("ab") as file:
            file.write((said % 0).encode()[40:])
        way.take(rollout, lambda: 11.0)
        assert device.installed == 11.0 and device.alarms == 0
        os.rename(log, tmp_path / "access.log.1")
        way.take(rollout, lambda: 12.0)
        log.write_text(said % 3)
        way.take(rollout, lambda: 13.0)
        way.take(rollout, lambda: 14.0)
        assert device.heard == 13.0 or device.heard == 14.0
        assert device.alarms == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "say --broker for MQTT, or --folder and --log for HTTP"),
        (("--folder", "WWW"), "say --broker for MQTT, or --folder and --log for HTTP"),
        (("--folder", "WWW", "--log", "LOG", "--broker", "mqtt://h/i"), "give one of both ways"),
        (("--folder", "NOWHERE", "--log", "LOG"), "it is no folder: name the one that is served"),
        (("--folder", "WWW", "--log", "NOWHERE"), "nowhere: No such file or directory"),
    ],
)
def test_bad_options_are_one_sentence(inlier, tmp_path, arguments, expected):
    store = Store(str(tmp_path / "fleet"))
    store.write("models/bell.inlier", signed(8))
    (tmp_path / "fleet/windows/type=bell/device=bell-1/date=2026-01-01").mkdir(parents=True)
    (tmp_path / "www").mkdir()
    (tmp_path / "log").touch()
    places = {"WWW": tmp_path / "www", "LOG": tmp_path / "log", "NOWHERE": tmp_path / "nowhere"}
    code, out, error = inlier(
        "fleet", "rollout", tmp_path / "fleet", "--type", "bell",
        *(places.get(a, a) for a in arguments),
    )  # fmt: skip
    assert code == 2 and not out and expected in error.splitlines()[-1]
    assert not list((tmp_path / "www").iterdir())


class Refusing:
    """In the place of two slots."""

    def number(self, *_):
        return 4

    def update(self, folder, blob, *_):
        raise AssertionError("nothing was offered")


def offer(**changed):
    told = {"number": 5, "type": "bell", "bytes": 3, "chunks": 1} | changed
    return b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(told).encode()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "no HTTP"),
        (b"\xff" * 100_000, "an answer of more than 1024 bytes"),
        (b"HTTP/1.0 200 OK\r\n" + b"x: y\r\n" * 2000, "an answer of more than 1024 bytes"),
        (b"HTTP/1.0 404 Not Found\r\n\r\nnot here", None),
        (b"HTTP/1.0\r\n\r\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 900, None),
        (offer(number=4), None),
        (offer(type="../../x"), None),
        (offer(type="bell?"), None),
        (offer(bytes=1 << 30), None),
        (offer(number=None), None),
        (offer(), "model 5 is not there, or not of 3 bytes"),  # the same again, as a model
    ],
)
def test_a_hostile_server_takes_no_device_down_and_installs_nothing(answer, problem):
    from inlier.sinks.rollout_http import Rollout as Taker

    said = []

    async def main():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        source = type("Source", (), {"name": "sockets", "counters": ("a",)})
        taker = Taker(
            "bell-1", "127.0.0.1", Refusing(), "models", source, say=said.append, poll_s=0,
            port=server.sockets[0].getsockname()[1],
        )  # fmt: skip
        polls = []
        whole = taker._poll

        async def poll():
            polls.append(1)
            if len(polls) == 3:
                raise asyncio.CancelledError
            await whole()

        taker._poll = poll
        with contextlib.suppress(asyncio.CancelledError):
            await taker.run()
        server.close()
        return taker

    taker = asyncio.run(main())
    assert taker.problem == problem
    assert len(said) == (1 if problem else 0), "each problem is said once"
    assert not problem or problem in said[0]


def test_a_device_s_alarms_are_counted_once_each():
    from inlier.sinks.rollout_http import Rollout as Taker

    taker = Taker("bell-1", "127.0.0.1", Refusing(), "models", None)
    for event in (1, 2, 2, 1):  # raised, grown twice, raised
        taker.on_alarm(type("Pipeline", (), {"event": event}), [])
    assert taker.alarms == 2
    with pytest.raises(ValueError, match="device_id"):
        Taker("bell/1", "127.0.0.1", Refusing(), "models", None)


def test_a_log_that_has_no_end_is_refused(tmp_path):
    way = fleet_rollout_web.served(tmp_path, Path("/dev/zero"))
    with pytest.raises(BadInput, match="/dev/zero: it is a device or a socket: name a log"), way:
        pass
