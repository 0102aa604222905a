"""The MQTT sink with a real mosquitto on loopback, under CPython and Unix
MicroPython: passwords, TLS, a broker that is killed, absent, silent or no
broker at all.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from broker import (
    HANGS_S,
    PASSWORD,
    USER,
    Broker,
    Subscriber,
    certificates,
    eventually,
    umqtt_or_skip,
)
from home_assistant import check_discovery
from inlier_boards.build import umqtt
from inlier_boards.build.micropython import find_or_build
from inlier_boards.leash import leashed
from tools_missing import needs_tool

ROOT = Path(__file__).parents[2]
RUNTIMES = ("cpython", "unix")
ON_CPYTHON = """
import runpy, sys
from inlier_boards.build import umqtt
umqtt.importable()
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name='__main__')
"""

pytestmark = [needs_tool("mosquitto"), pytest.mark.micropython]


@pytest.fixture(scope="module", autouse=True)
def client_library():
    umqtt_or_skip()


class Device:
    """mqtt_device.py in a process of its own; `until(key)` waits for a line
    that has it.
    """

    def __init__(
        self,
        runtime,
        port,
        hot,
        windows,
        ca=None,
        window_ms=10,
        linger=True,
        connect_first=False,
        in_step=False,
        pauses=None,
        answer_s=HANGS_S,
        silent=(),
        **arguments,
    ):
        device = {
            "device_id": "bell-1",
            "host": "127.0.0.1",
            "port": port,
            "user": USER,
            "password": PASSWORD,
            "retry_s": 0.2,
        }
        device.update(arguments)
        model = str(ROOT / "tests/golden/model.inlier")
        settings = {
            "device": device,
            "ca": ca and str(ca),
            "hot": hot,
            "silent": silent,
            "windows": windows,
            "window_ms": window_ms,
        }
        settings.update(model=model, linger=linger, connect_first=connect_first)
        settings.update(in_step=in_step, pauses=pauses or {}, answer_s=answer_s)
        script = str(ROOT / "tests/host/mqtt_device.py")
        interpreter = (
            [sys.executable, "-u", "-c", ON_CPYTHON, script]
            if runtime == "cpython"
            else [find_or_build(), script]
        )
        path = os.pathsep.join([str(ROOT / "firmware"), str(umqtt.folder()), ".frozen"])
        self.lines = []
        self._settings = tempfile.NamedTemporaryFile("w", suffix=".json")  # noqa: SIM115 (closed in __exit__)
        self._settings.write(json.dumps(settings))
        self._settings.flush()
        self._process = subprocess.Popen(
            leashed([*interpreter, self._settings.name]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": path},
        )

    def __iter__(self):
        for line in self._process.stdout:
            assert line.startswith("{"), line + self._process.stdout.read()
            self.lines.append(json.loads(line))
            yield self.lines[-1]

    def until(self, condition):
        for line in self:
            if condition(line):
                return line
        raise AssertionError(f"it ended before: {self.lines[-5:]}")

    def paused(self, window):
        self.until(lambda line: line.get("paused") == window)

    def goes_on(self, window):
        Path(f"{self._settings.name}.{window}").touch()

    @contextlib.contextmanager
    def held(self):
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def problem(self):
        return self.until(lambda line: "problem" in line)["problem"]

    def end(self):
        for _ in self:
            pass
        assert self._process.wait() == 0
        return self.lines[-1]

    def problems(self):
        return [line["problem"] for line in self.lines if "problem" in line]

    def said(self):
        return [line["alarm"] for line in self.lines if "alarm" in line]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        for gate in Path(self._settings.name).parent.glob(Path(self._settings.name).name + ".*"):
            gate.unlink()
        self._settings.close()


def alarms(subscriber):
    """(ON or OFF, id) of the alarms received, without the state that each boot
    begins with.
    """
    messages = [
        json.loads(text) for topic, text, _ in subscriber.messages if topic == "inlier/bell-1/alarm"
    ]
    return [(m["alarm"], m["id"]) for m in messages if not m["id"].endswith("-0")]


def refused_at(window):
    """Of a device that tries once, and pauses until its test has seen why that
    failed.
    """
    return {"linger": False, "retry_s": 3600, "pauses": {window: False}}


def last_will(subscriber):
    return ("inlier/bell-1/availability", "offline") in [m[:2] for m in subscriber.messages]


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_discovery_state_alarm_clear_and_last_will_come_in_this_order(tmp_path, runtime):
    with Broker(tmp_path) as broker, Subscriber(broker) as subscriber:
        with Device(runtime, broker.port, [8, 9], 25, connect_first=True, in_step=True) as device:
            assert device.end() == {"waiting": 0, "lost": 0, "dropped": 0}
        eventually(lambda: last_will(subscriber))
        topics = [topic for topic, _, _ in subscriber.messages]
        assert topics[:2] == [
            "homeassistant/device/inlier_bell-1/config",
            "inlier/bell-1/availability",
        ]
        assert set(topics[2:4]) == {"inlier/bell-1/alarm", "inlier/bell-1/quiet"}, "both off"
        check_discovery(*subscriber.messages[0][:2])
        assert subscriber.messages[1][1] == "online" and subscriber.messages[-1][1] == "offline"
        assert [state for state, _ in alarms(subscriber)] == ["ON", "OFF"]
        states = [
            json.loads(text) for topic, text, _ in subscriber.messages if topic.endswith("/state")
        ]
        assert (
            len(states) == 26
            and states[8]["score"] > 100 > states[7]["score"]
            and len(states[0]["deltas"]) == 14
        )
        assert not device.problems()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_gone_quiet_has_a_topic_and_an_entity_of_its_own(tmp_path, runtime):
    with Broker(tmp_path) as broker, Subscriber(broker) as subscriber:
        with Device(
            runtime, broker.port, [], 25, connect_first=True, silent=list(range(5, 12))
        ) as device:
            assert device.end() == {"waiting": 0, "lost": 0, "dropped": 0}
            assert [line["quiet"] for line in device.lines if "quiet" in line] == ["ON", "OFF"]
        eventually(lambda: last_will(subscriber))
    entities = check_discovery(*subscriber.messages[0][:2])["components"]
    assert entities["quiet"]["state_topic"] == "inlier/bell-1/quiet"
    assert entities["alarm"]["state_topic"] == "inlier/bell-1/alarm"
    said = [json.loads(m[1]) for m in subscriber.messages if m[0] == "inlier/bell-1/quiet"]
    assert [event["quiet"] for event in said] == ["OFF", "ON", "OFF"]
    assert said[1]["message"].startswith("gone quiet: ") and said[2]["message"].startswith("back")
    assert not alarms(subscriber), "never an infection"
    states = [json.loads(m[1]) for m in subscriber.messages if m[0].endswith("/state")]
    assert [state["window"] for state in states if state["gone"]] == list(range(5, 12))


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_whoever_subscribes_later_sees_what_is_retained(tmp_path, runtime):
    with (
        Broker(tmp_path) as broker,
        Device(runtime, broker.port, [3], 100, pauses={30: True}) as device,
    ):
        device.paused(30)
        with Subscriber(broker) as late:
            eventually(
                lambda: len({topic for topic, _, retained in late.messages if retained}) == 5
            )
            kept = {
                topic.split("/")[-1]: text for topic, text, retained in late.messages if retained
            }
        assert (
            json.loads(kept["alarm"])["alarm"] == "OFF"
            and json.loads(kept["quiet"])["quiet"] == "OFF"
            and kept["availability"] == "online"
            and "cmps" in kept["config"]
        )


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_home_assistant_s_birth_has_it_announced_again(tmp_path, runtime):
    with (
        Broker(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        Device(runtime, broker.port, [3, 4, 5], 100, pauses={20: True}) as device,
    ):
        device.paused(20)

        def count(end):
            return sum(topic.endswith(end) for topic, _, _ in subscriber.messages)

        eventually(lambda: count("/config") == 1)
        subscriber.publish("homeassistant/status", "offline")
        subscriber.publish("homeassistant/status", "online")
        eventually(lambda: count("/config") == 2)
        eventually(lambda: count("/availability") == 2)


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "persistent"), [("unix", True), ("cpython", False)])
def test_a_broker_killed_and_restarted_loses_and_doubles_no_alarm(tmp_path, runtime, persistent):
    hot = [*range(20, 22), *range(60, 62), *range(80, 82), *range(100, 102), *range(160, 162)]
    with Broker(tmp_path, persistent=persistent) as broker, Subscriber(broker) as subscriber:
        with Device(runtime, broker.port, hot, 180, pauses={40: True, 120: False}) as device:
            device.paused(40)
            eventually(lambda: len(alarms(subscriber)) == 2)
            broker.kill()
            device.goes_on(40)
            device.paused(120)  # three more raised and cleared meanwhile
            before = subscriber.subscriptions
            with device.held():  # a broker that forgot its subscriber would drop what comes first
                broker.start()
                eventually(lambda: subscriber.subscriptions > before)
            device.goes_on(120)
            end = device.end()
            assert end["waiting"] == end["lost"] == 0
            eventually(lambda: len(set(alarms(subscriber))) == 10)
        sent = re.findall(
            r"Received PUBLISH from bell-1 \(d., q1, .*'inlier/bell-1/alarm'", broker.log()
        )
        assert len(sent) == 10, "each once"
        # A broker that is killed may itself repeat to its subscribers what they
        # had not acknowledged: hence the ids.
        assert (
            [state for state, _ in dict.fromkeys(alarms(subscriber))]
            == device.said()
            == ["ON", "OFF"] * 5
        )
        assert any("connection lost" in p or "cannot be reached" in p for p in device.problems())


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_alarm_whose_acknowledgement_was_lost_comes_again_under_its_id(tmp_path, runtime):
    """MQTT's QoS 1 cannot do better; the id tells a repetition from a second
    alarm.
    """
    with Broker(tmp_path) as broker, Subscriber(broker) as subscriber, Thief(broker.port) as thief:
        with Device(runtime, thief.port, [5], 40) as device:
            assert device.end()["waiting"] == 0
        eventually(lambda: len(alarms(subscriber)) == 3)
        assert thief.stolen
        (on, first), (again, second), (off, third) = alarms(subscriber)
        assert (on, again, off) == ("ON", "ON", "OFF") and first == second != third


class Thief:
    """A TCP relay to the broker that keeps the first PUBACK and breaks the
    connection there.
    """

    def __init__(self, port):
        self.stolen = False
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                device, _ = self._server.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._to))
            for a, b, back in ((device, broker, False), (broker, device, True)):
                threading.Thread(target=self._relay, args=(a, b, back), daemon=True).start()

    def _relay(self, source, to, back):
        try:
            while data := source.recv(4096):
                if back and not self.stolen and b"\x40\x02" in data:
                    self.stolen = True
                    break
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._server.close()


@pytest.mark.slow
@needs_tool("openssl")
def test_tls_and_a_certificate_of_nobody_s(tmp_path):
    (tmp_path / "other").mkdir()
    with Broker(tmp_path, tls=True) as broker, Subscriber(broker) as subscriber:
        with Device("cpython", broker.port, [8, 9], 25, ca=broker.ca) as device:
            assert device.end()["waiting"] == 0 and not device.problems()
        eventually(lambda: last_will(subscriber))  # after whatever was sent
        assert [state for state, _ in alarms(subscriber)] == ["ON", "OFF"]
        certificates(tmp_path / "other")
        with Device(
            *("cpython", broker.port, [8], 40),
            ca=tmp_path / "other/ca.crt",
            linger=False,
            pauses={20: False},
        ) as device:
            assert "CERTIFICATE_VERIFY_FAILED" in device.problem().upper()
            device.goes_on(20)
            assert device.end()["waiting"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_refused_credentials_are_one_sentence_and_scoring_goes_on(tmp_path, runtime):
    with (
        Broker(tmp_path) as broker,
        Device(runtime, broker.port, [3], 60, password="guess", **refused_at(50)) as device,
    ):
        device.problem()
        device.goes_on(50)
        end = device.end()
        assert device.said() == ["ON", "OFF"] and end["lost"] == 0 and end["waiting"] == 32
        (sentence,) = device.problems()
        assert sentence.startswith(
            f"mqtt: 127.0.0.1:{broker.port} refuses user and password; check both"
        )


def test_a_broker_unreachable_at_boot_gets_the_alarms_when_it_is_there(tmp_path, runtime="unix"):
    broker = Broker(tmp_path)
    with Device(runtime, broker.port, [10, 20, 30], 60, queue=8, pauses={50: False}) as device:
        device.problem()
        device.paused(50)
        with contextlib.ExitStack() as stack:
            with device.held():  # else it sends what waits before anybody has subscribed
                stack.enter_context(broker)
                subscriber = stack.enter_context(Subscriber(broker))
            device.goes_on(50)
            end = device.end()
            eventually(lambda: len(alarms(subscriber)) == 6)
        (sentence,) = device.problems()
        assert (
            f"127.0.0.1:{broker.port} cannot be reached" in sentence
            and "check address, port and network" in sentence
        )
        assert device.said() == ["ON", "OFF"] * 3
        assert end["lost"] == 0 and end["dropped"] > 40, "scores go first"


GARBAGE = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x20\x02\x00",
    b"\xff" * 64,
    b"\x20\xff\xff\xff\xff\xff",
    b"",
)


@pytest.mark.slow
@pytest.mark.parametrize("answer", GARBAGE)
def test_garbage_for_an_answer_is_one_sentence_and_scoring_goes_on(answer, runtime="unix"):
    with Answering(answer) as port, Device(runtime, port, [3], 60, **refused_at(50)) as device:
        device.problem()
        device.goes_on(50)
        device.end()
        assert device.said() == ["ON", "OFF"] and len(device.problems()) == 1
        assert any(
            s in device.problems()[0]
            for s in ("does not answer like an MQTT broker", "cannot be reached")
        )


class Answering:
    """A server that gives one answer to whatever comes, then closes; None: it
    never answers, and never closes.
    """

    def __init__(self, answer):
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self._kept = []

    def _serve(self):
        while True:
            try:
                s, _ = self._server.accept()
                if self._answer is None:
                    self._kept.append(s)
                    continue
                s.recv(1024)
                s.sendall(self._answer)
                s.close()
            except OSError:
                return

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self._server.getsockname()[1]

    def __exit__(self, *error):
        self._server.close()


def test_the_monitor_never_waits_for_a_broker_that_is_silent(runtime="unix"):
    with Answering(None) as port, Device(runtime, port, [3], 60, linger=False) as device:
        device.end()  # the sink waits for an answer until all is over
        assert device.said() == ["ON", "OFF"] and not device.problems()
        told = [line["window"] for line in device.lines if list(line) == ["window"]]
        assert told == list(range(61))


def test_an_oversized_message_is_ignored_and_told(tmp_path, runtime="unix"):
    with Broker(tmp_path) as broker, Subscriber(broker) as subscriber:
        subscriber.publish("homeassistant/status", "x" * 100_000, retain=True)
        with Device(runtime, broker.port, [30], 60) as device:
            assert device.end()["waiting"] == 0
            assert device.problems() == [
                "mqtt: a message of more than 2048 bytes was ignored; find who sends it"
            ]
        eventually(lambda: [state for state, _ in alarms(subscriber)] == ["ON", "OFF"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"device_id": "a/b"}, "use letters, digits, '-' and '_' only"),
        ({"device_id": "tür"}, "use letters, digits, '-' and '_' only"),
        ({"device_id": ""}, "must fit in 128 bytes"),
        ({"device_id": "x" * 200}, "must fit in 128 bytes"),
        ({"device_id": "x", "prefix": "a/#"}, "has no +, # or leading $"),
    ],
)
def test_what_cannot_be_a_topic_is_refused(arguments, expected):
    umqtt.importable()
    from inlier.sinks.mqtt import Mqtt

    with pytest.raises(ValueError, match=expected.replace("+", "[+]").replace("$", "[$]")):
        Mqtt(host="127.0.0.1", **arguments)


def test_a_payload_beyond_its_bound_is_cut_and_told():
    umqtt.importable()
    from inlier.sinks.mqtt import PAYLOAD_MAX, Mqtt

    said = []
    sink = Mqtt("bell-1", "127.0.0.1", say=said.append)
    sink.tell({"alarm": "ON", "window": 3, "message": "words " * 500, "features": [["peers", 90]]})
    _, payload, _, _ = sink.outbox.first()
    assert (
        len(payload) <= PAYLOAD_MAX
        and json.loads(payload)["alarm"] == "ON"
        and "message" not in json.loads(payload)
    )
    assert said == ["mqtt: alarm: 3092 bytes are cut to 2048, without words and deltas"]


def test_another_sink_s_report_goes_over_the_same_connection(tmp_path):
    umqtt.importable()
    from inlier.sinks.mqtt import Mqtt

    topic = "$aws/things/bell-1/defender/metrics/json"

    async def publish(port):
        sink = Mqtt("bell-1", "127.0.0.1", port, USER, PASSWORD)
        sink.publish(topic, '{"header": {}}')
        running = asyncio.create_task(sink.run())
        while len(sink.outbox):
            await asyncio.sleep(0.01)
        running.cancel()

    with Broker(tmp_path) as broker, Subscriber(broker, "$aws/#") as subscriber:
        eventually(lambda: "Sending SUBACK" in broker.log())
        asyncio.run(asyncio.wait_for(publish(broker.port), HANGS_S))
        eventually(lambda: [m[:2] for m in subscriber.messages] == [(topic, '{"header": {}}')])
