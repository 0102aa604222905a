"""The demonstration's doorbell on Unix MicroPython, infected: its alarm through
mosquitto, as Home Assistant would see it.

recorded/ holds a recording of that doorbell's 800 benign windows, made by
`inlier demo`, and the model trained on it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually, umqtt_or_skip
from home_assistant import check_discovery
from inlier.sockets import Sockets
from inlier_boards.build.micropython import find_or_build
from inlier_boards.leash import leashed
from inlier_host.demo import stages
from inlier_host.demo.servers import surroundings
from inlier_host.report import page, subject
from inlier_trainer.recordings import read
from tools_missing import needs_tool

HERE = Path(__file__).parent
MODEL = HERE / "recorded/doorbell.inlier"
SCAN_FROM = 61  # doorbell_mqtt.py infects it at the end of window 60

pytestmark = [needs_tool("mosquitto"), pytest.mark.micropython, pytest.mark.slow]


@pytest.fixture(scope="module")
def infected(tmp_path_factory):
    """(what the doorbell printed, a line a window; what a subscriber received;
    what `inlier monitor` said and saved).
    """
    folder = tmp_path_factory.mktemp("broker")
    saved = folder / "monitored.csv"
    with (
        Broker(folder) as broker,
        Subscriber(broker) as subscriber,
        surroundings(7) as (config, targets),
    ):
        settings = {
            "doorbell": config,
            "targets": targets,
            "model": str(MODEL),
            "path": [str(umqtt_or_skip())],
            "mqtt": {
                "device_id": "doorbell",
                "host": "127.0.0.1",
                "port": broker.port,
                "user": USER,
                "password": PASSWORD,
                "queue": 1000,  # a broker that is slow today loses no window
            },
        }
        url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier/doorbell"
        command = [
            sys.executable,
            "-m",
            "inlier_host",
            "monitor",
            "--mqtt",
            url,
            "--save",
            str(saved),
        ]
        environment = {**os.environ, "INLIER_MQTT_PASSWORD": PASSWORD}
        watching = subprocess.Popen(
            leashed(command), stdout=subprocess.PIPE, text=True, env=environment
        )
        eventually(lambda: broker.log().count("Sending SUBACK") == 2)
        windows = list(stages.device(find_or_build(), str(HERE / "doorbell_mqtt.py"), settings))
        eventually(
            lambda: (
                ("inlier/doorbell/availability", "offline") in [m[:2] for m in subscriber.messages]
            )
        )
        eventually(lambda: len(saved.read_text().splitlines()) == 2 + len(windows))
        watching.terminate()
        said, _ = watching.communicate(timeout=HANGS_S)
    return windows, subscriber.messages, said, saved


def alarm_of(messages):
    return next(
        json.loads(m[1])
        for m in messages
        if m[0].endswith("/alarm") and json.loads(m[1])["alarm"] == "ON"
    )


def test_a_subscriber_sees_discovery_state_alarm_clear_and_last_will_in_this_order(infected):
    windows, messages, _, _ = infected
    assert not [w for w in windows if "problem" in w]
    kinds = []
    for topic, payload, _ in messages:
        kind = topic.split("/")[-1]
        if kind == "alarm":
            kind = json.loads(payload)["alarm"]
        kinds.append(payload if kind == "availability" else kind)
    assert kinds[:2] == ["config", "online"] and set(kinds[2:4]) == {"OFF", "quiet"}, (
        "announced, alive, and no alarm yet"
    )
    on = kinds.index("ON")
    off = kinds.index("OFF", on)
    assert set(kinds[4:on]) == set(kinds[on + 1 : off]) == {"state"}, "scores before and between"
    assert kinds.count("ON") == 1 and kinds.count("OFF") == 2 and kinds[-1] == "offline"
    check_discovery(*messages[0][:2])
    alarm = alarm_of(messages)
    # Ten connects every 100 ms look for telnet.
    assert any(name.startswith(("connects", "peers", "ports")) for name, _ in alarm["features"])
    assert (
        "in this window, at most" in alarm["message"] and "inlier train --add" in alarm["message"]
    )
    assert 60 <= alarm["began"] <= alarm["window"] <= 80


def test_the_sink_s_own_traffic_is_not_counted(infected):
    sends = list(Sockets.counters).index("sends")
    benign = [w["deltas"][sends] for w in infected[0][10:60]]
    assert 0 in benign, "MQTT sends in every window, the doorbell does not"


def test_monitor_tells_and_saves_it(infected):
    windows, messages, said, saved = infected
    alarm, clear = said.splitlines()
    assert alarm.split(": ", 2)[1:] == ["ALARM", alarm_of(messages)["message"]]
    assert "alarm cleared: Calm again after" in clear
    assert read(saved, Sockets.counters).windows.tolist() == [w["deltas"] for w in windows]


@needs_tool("chromium")
def test_the_report_of_this_run_says_what_went_over_mqtt(infected, tmp_path):
    from browser import chromium

    windows, messages, _, saved = infected
    attack = [subject.Attack("scan", SCAN_FROM, len(windows))]
    shown = subject.of_model(MODEL, saved, None, attack, lambda stage, done, total: None)
    path = tmp_path / "report.html"
    path.write_text(page.page(shown, lambda stage, done, total: None))
    with chromium() as open_page:
        opened, complaints = open_page(path.as_uri())
        opened.wait_for_function(
            "Object.keys(charts).every(key => document.querySelector(`#${key} svg`))"
        )
        (told,) = opened.locator(".alarms li").all_text_contents()
        assert alarm_of(messages)["message"] in told and not complaints
