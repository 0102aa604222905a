"""A device takes a model over HTTP, without a server and without waiting: what
it asks for and tells, which answers it believes, when it asks again.
"""

import asyncio
import json
from types import SimpleNamespace

import pytest

from inlier.model import ModelError
from inlier.sinks import rollout_http
from retrying import run_until_cancelled
from test_mqtt_session import Wire
from test_rollout_session import Slots, Source

OFFER = {"number": 5, "type": "bell", "bytes": 5, "chunks": 1}


def answer(body, status=b"200 OK"):
    return b"HTTP/1.0 " + status + b"\r\nServer: any\r\n\r\n" + body


class Served:
    """A device, and a server that gives these answers in turn."""

    def __init__(self, monkeypatch, *answers, **options):
        self.answers, self.asked, self.opened, self.closed = list(answers), [], [], 0
        self.slots, self.restarts = Slots(), []
        options = {"installed": lambda: self.restarts.append(1)} | options
        self.sink = rollout_http.Rollout(
            "bell-1", "10.0.0.1", self.slots, "models", Source, **options
        )
        monkeypatch.setattr(rollout_http, "open_stream", self.opens)
        monkeypatch.setattr(rollout_http, "close_stream", self.closes)

    async def opens(self, *where):
        self.opened.append(where)
        reader = asyncio.StreamReader()
        reader.feed_data(self.answers.pop(0))
        reader.feed_eof()
        return reader, Wire()

    async def closes(self, wire):
        self.closed += 1
        assert not wire.undrained
        (request,) = wire.packets
        words, host, *rest = request.decode().split("\r\n")
        method, target, version = words.split(" ")
        assert (method, version, host, rest) == ("GET", "HTTP/1.0", "Host: 10.0.0.1", ["", ""])
        self.asked.append(target)

    def polls(self):
        """One poll; what it asked for, its boot left out."""
        before = len(self.asked)
        asyncio.run(self.sink._poll())
        boot = f"&boot={self.sink._boot}&"
        return [target.replace(boot, "&") for target in self.asked[before:]]


def test_what_a_url_s_query_may_not_hold_is_quoted():
    """RFC 3986, 2.3, but for ~."""
    plain = "09AZaz-._"
    assert rollout_http.quoted(plain) == plain
    assert rollout_http.quoted("/:@[`{ \u00e9") == "%2F%3A%40%5B%60%7B%20%C3%A9"


@pytest.mark.parametrize("device_id", ["", "a/b", "a b"])
def test_a_device_s_name_is_a_file_s(device_id):
    with pytest.raises(ValueError, match="use letters, digits"):
        rollout_http.Rollout(device_id, "10.0.0.1", Slots(), "models", Source)


@pytest.mark.parametrize(
    ("options", "port", "path"),
    [
        ({}, 80, "/inlier/"),
        ({"ssl": "a context"}, 443, "/inlier/"),
        ({"ssl": "a context", "port": 7}, 7, "/inlier/"),
        ({"path": "/fleet/"}, 80, "/fleet/"),
        ({"path": "/"}, 80, "/"),
    ],
)
def test_it_asks_for_its_offer_and_tells_how_it_is(monkeypatch, options, port, path):
    device = Served(monkeypatch, answer(b"", b"404 Not Found"), **options)
    assert device.sink.number() == 4 and device.sink.problem is None
    for event in (1, 2, 1, 0, 1):  # raised, grown, raised again
        device.sink.on_alarm(SimpleNamespace(event=event), [])
    assert device.polls() == [path + "offers/bell-1.json?number=4&result=running&alarms=3"]
    assert device.opened == [("10.0.0.1", port, options.get("ssl"))] and device.closed == 1
    assert len(device.sink._boot) == 8 and device.sink._boot != Served(monkeypatch).sink._boot


def test_a_model_is_fetched_installed_told_and_then_restarted_for(monkeypatch):
    offer = answer(json.dumps(OFFER).encode())
    device = Served(monkeypatch, offer, answer(b"abcde"), offer, answer(b""))
    begin = "/inlier/offers/bell-1.json?number=4&result="
    assert device.polls() == [begin + "running&alarms=0", "/inlier/models/bell/5.inlier"]
    assert device.slots.taken == [("models", b"abcde", "sockets", ("a",))]
    assert device.sink._ended and device.restarts == []
    assert device.polls() == [begin + "installed&alarms=0"] and device.restarts == [1]
    assert device.polls() == [begin + "installed&alarms=0"] and device.restarts == [1], "once"
    assert device.closed == 4


def test_a_model_that_is_refused_is_told_with_the_reason_and_not_fetched_again(monkeypatch):
    offer = answer(json.dumps(OFFER).encode())
    device = Served(monkeypatch, offer, answer(b"abcde"), offer, offer)
    device.slots.fault = ModelError("it is " + "x" * 200)
    device.polls()
    told = "number=4&result=refused&alarms=0&offered=5&why=it%20is%20" + "x" * (120 - 6)
    for _ in range(2):
        assert device.polls() == ["/inlier/offers/bell-1.json?" + told]
    assert device.restarts == []


def test_who_wants_no_restart_goes_on(monkeypatch):
    offer = answer(json.dumps(OFFER).encode())
    device = Served(monkeypatch, offer, answer(b"abcde"), offer, installed=None)
    for _ in range(2):
        device.polls()
    assert not device.sink._ended and len(device.slots.taken) == 1


@pytest.mark.parametrize(
    "model", [answer(b"abcd"), answer(b"abcdef"), answer(b"", b"404 Not Found")]
)
def test_a_model_of_another_size_is_none(monkeypatch, model):
    device = Served(monkeypatch, answer(json.dumps(OFFER).encode()), model)
    with pytest.raises(ValueError, match="model 5 is not there, or not of 5 bytes"):
        device.polls()
    assert device.slots.taken == [] and device.closed == 2 and not device.sink._ended


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (answer(b"body"), b"body"),
        (answer(b""), b""),
        (answer(b"a\r\n\r\nb"), b"a\r\n\r\nb"),
        (answer(b"x", b"404 Not Found"), None),
        (answer(b"x", b"500 200"), None),
        (b"HTTP/1.1 200\r\n\r\nx", b"x"),
        (b"HTTP/1.0 200 OK\r\nno end", "no HTTP"),
        (b"HTTQ/1.0 200 OK\r\n\r\nx", "no HTTP"),
        (b"\r\n\r\nx", "no HTTP"),
        (b"", "no HTTP"),
        (b"HTTP/\r\n\r\n", None),
        (answer(bytes(2048 + 10 - len(answer(b"")))), bytes(2048 + 10 - len(answer(b"")))),
        (answer(bytes(2049 + 10 - len(answer(b"")))), "an answer of more than 10 bytes"),
    ],
)
def test_an_answer_is_its_body_none_or_no_http(monkeypatch, content, found):
    async def main():
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return await Served(monkeypatch).sink._answer(reader, 10)

    if isinstance(found, str):
        with pytest.raises(ValueError, match=found):
            asyncio.run(main())
    else:
        assert asyncio.run(main()) == found


def test_an_answer_may_come_in_parts(monkeypatch):
    async def main():
        reader, sink = asyncio.StreamReader(), Served(monkeypatch).sink
        answering = asyncio.create_task(sink._answer(reader, 100))
        for byte in answer(b"body"):
            reader.feed_data(bytes([byte]))
            await asyncio.sleep(0)
        assert not answering.done()
        reader.feed_eof()
        assert await answering == b"body"

    asyncio.run(main())


@pytest.mark.parametrize("silent", ["at the door", "once it is inside"])
def test_a_server_that_says_nothing_is_left(monkeypatch, silent):
    device = Served(monkeypatch)
    monkeypatch.setattr(rollout_http, "ANSWER_S", 0.01)

    async def opens(*_):
        if silent == "at the door":
            await asyncio.sleep(1000)
        return asyncio.StreamReader(), Wire()

    monkeypatch.setattr(rollout_http, "open_stream", opens)
    with pytest.raises(asyncio.TimeoutError):
        device.polls()
    assert device.closed == (silent != "at the door")


def test_it_asks_again_after_a_while_and_tells_what_became_of_an_offer_at_once(monkeypatch):
    sleeps, said = [], []
    device = Served(monkeypatch, say=said.append, poll_s=77)
    outcomes = [
        OSError("no route"), OSError("no route"), TimeoutError(), ValueError("no HTTP"),
        None, ValueError("no HTTP"), "ended", OSError("no route"), "told", None,
    ]  # fmt: skip
    polls = iter(outcomes)
    done = []

    async def poll():
        now = next(polls)
        done.append(now)
        if isinstance(now, Exception):
            raise now
        device.sink._ended = now == "ended"

    async def sleep(s):
        sleeps.append((s, len(done), device.sink.problem))
        if len(done) == len(outcomes):
            raise asyncio.CancelledError

    device.sink._poll = poll
    run_until_cancelled(monkeypatch, rollout_http, device.sink, sleep)
    assert [s for s, _, _ in sleeps] == [77] * 9
    assert [n for _, n, _ in sleeps] == [1, 2, 3, 4, 5, 6, 8, 9, 10], "not after the one that ended"
    problems = [problem for _, _, problem in sleeps]
    assert problems == ["no route"] * 2 + ["no answer", "no HTTP", None, "no HTTP", "no route"] + [
        None, None,
    ]  # fmt: skip
    sentences = ["no route", "no answer", "no HTTP", "no HTTP", "no route"]
    assert said == [f"rollout: 10.0.0.1:80: {why}; trying again" for why in sentences]


def test_who_wants_no_sentences_finds_the_problem(monkeypatch):
    device = Served(monkeypatch)

    async def poll():
        raise OSError("no route")

    async def sleep(s):
        raise asyncio.CancelledError

    device.sink._poll = poll
    run_until_cancelled(monkeypatch, rollout_http, device.sink, sleep)
    assert device.sink.problem == "no route"


def test_a_quarter_of_an_hour_passes_unless_told_otherwise(monkeypatch):
    assert Served(monkeypatch).sink._poll_s == 900
