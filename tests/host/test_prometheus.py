"""Metrics: of a device that a test makes up, and the dashboard over them in a
real Prometheus.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually, free_port
from inlier.model import HORIZONS_MAX
from inlier.sockets import Sockets
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from inlier_host.live import prometheus
from inlier_host.live.prometheus import Metrics
from tools_missing import needs_tool, tool

EXAMPLES = Path(__file__).parents[2] / "examples"
WINDOW = {
    "window": 7,
    "score": 140,
    "ae": 1,
    "svm": 9,
    "hot": 1,
    "horizons": [[2, 8, 140, 1], [8, 12, 100, 4]],
    "gone": 0,
    "source": "sockets",
    "deltas": list(range(len(Sockets.counters))),
}
ALARM = {"alarm": "ON", "window": 7, "grows": 0, "message": "m", "id": "a1"}


@pytest.fixture
def metrics():
    with Metrics("bell", "127.0.0.1:0") as served:
        yield served


def read(url):
    with urllib.request.urlopen(url, timeout=HANGS_S) as answer:
        return answer.read().decode()


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, {"device": "bell", **labels})


def test_a_window_is_what_is_served(metrics):
    metrics.take(WINDOW)
    said = read(metrics.url)
    assert 'inlier_score_ratio{device="bell"} 1.4' in said
    assert 'inlier_horizon_ratio{device="bell",horizon="2 of 8"} 0.5' in said
    counter = Sockets.counters[3]
    assert f'inlier_window_events{{counter="{counter}",device="bell"}} 3.0' in said
    assert 'inlier_windows_total{device="bell"} 1.0' in said


def test_an_alarm_that_a_broker_sends_again_counts_once(metrics):
    for event in (ALARM, ALARM, {**ALARM, "grows": 1, "id": "a2"}):
        metrics.take(event)
    assert value(metrics, "inlier_alarm") == 1 and value(metrics, "inlier_alarms_total") == 1
    assert value(metrics, "inlier_alarms_grown_total") == 1
    metrics.take({**ALARM, "alarm": "OFF", "id": "a3"})
    assert value(metrics, "inlier_alarm") == 0 and value(metrics, "inlier_alarms_total") == 1


def test_an_alarm_that_comes_again_behind_word_of_a_silence_counts_once(metrics):
    """An id is of its kind: a broker repeats what it kept of each topic."""
    quiet = {"quiet": "ON", "window": 7, "message": "gone quiet", "id": "q1"}
    for event in (ALARM, quiet, ALARM, quiet):
        metrics.take(event)
    assert value(metrics, "inlier_alarms_total") == 1
    assert value(metrics, "inlier_gone_quiet") == 1
    metrics.take({**WINDOW, "gone": 0})
    assert value(metrics, "inlier_gone_quiet") == 0, "the window says that it is back"


def test_the_port_is_free_when_the_view_has_ended():
    with Metrics("bell", "127.0.0.1:0") as metrics:
        port = metrics.url.rpartition(":")[2].partition("/")[0]
    with Metrics("bell", f"127.0.0.1:{port}") as metrics:
        assert "inlier_windows" in read(metrics.url)


def test_horizons_of_a_message_leave_when_others_come(metrics):
    """Anybody who publishes can make them up, a new one in each message."""
    for n in range(300):
        horizons = [[k, n + k, 5, 1] for k in range(1, HORIZONS_MAX + 1)]
        metrics.take({**WINDOW, "horizons": horizons})
    shown = metrics.registry.collect()
    kept = [m for m in shown if m.name == "inlier_horizon_ratio"][0].samples
    assert sorted(s.labels["horizon"] for s in kept) == sorted(
        f"{k} of {299 + k}" for k in range(1, HORIZONS_MAX + 1)
    )


def test_no_more_devices_than_memory_bears(metrics, monkeypatch):
    """Whoever may publish on a broker may invent them."""
    monkeypatch.setattr(prometheus, "DEVICES_MAX", 2)
    for device in ("bell", "lock", "made up"):
        metrics.take({**WINDOW, "device": device})
    assert value(metrics, "inlier_windows_total", device="lock") == 1
    assert value(metrics, "inlier_windows_total", device="made up") is None


@pytest.mark.parametrize("where", ["9101", ":x", ":65536", "\x1b[2J"])
def test_what_is_no_place_to_listen_is_said_before_anything_begins(where, inlier, tmp_path):
    code, _, err = inlier("monitor", "--serial", tmp_path / "none", "--prometheus", where)
    assert code == 2 and "give [HOST]:PORT, such as :9101" in err and "\x1b" not in err


def test_a_port_that_is_taken_is_said(metrics):
    port = metrics.url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(BadInput, match="is taken; give another"):
        Metrics("bell", f":{port}")


def test_all_devices_of_a_broker_need_prometheus(inlier):
    code, _, err = inlier("monitor", "--mqtt", "mqtt://broker/inlier/+")
    assert code == 2 and "give that, and neither --web nor --save" in err


@needs_tool("mosquitto")
def test_all_devices_of_a_broker_are_watched_at_once(tmp_path):
    with Broker(tmp_path) as broker, Subscriber(broker) as devices:
        url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier/+"
        command = [sys.executable, "-m", "inlier_host", "monitor", "--mqtt", url]
        watching = subprocess.Popen(
            leashed([*command, "--prometheus", ":0"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "INLIER_MQTT_PASSWORD": PASSWORD},
        )
        served = watching.stderr.readline().partition(": metrics")[0]
        eventually(lambda: broker.log().count("Sending SUBACK") >= 2)
        devices.publish("inlier/bell/state", json.dumps(WINDOW))
        devices.publish("inlier/lock/alarm", json.dumps(ALARM))
        devices.publish("inlier/chime/state", "[" * 100_000)
        line = watching.stdout.readline()
        assert line == "lock: window 7: ALARM: m\n"
        eventually(lambda: 'inlier_foreign_messages_total{device="chime"} 1.0' in read(served))
        said = read(served)
        assert 'inlier_windows_total{device="bell"} 1.0' in said
        assert 'inlier_alarm{device="lock"} 1.0' in said
        watching.kill()
        watching.communicate()


def expressions():
    dashboard = json.loads((EXAMPLES / "grafana/inlier.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$device", ".*")


@pytest.mark.slow
@needs_tool("prometheus")
def test_each_panel_of_the_dashboard_shows_something_in_a_real_prometheus(metrics, tmp_path):
    for event in (WINDOW, ALARM, {"quiet": "OFF", "window": 7, "message": "m"}):
        metrics.take(event)
    target = metrics.url.removeprefix("http://").removesuffix("/metrics")
    scrape = {"job_name": "inlier", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (tmp_path / "p.yml").write_text(json.dumps(config))  # which YAML includes
    own = f"127.0.0.1:{free_port()}"
    options = f"--web.listen-address={own}", f"--storage.tsdb.path={tmp_path / 'data'}"
    process = subprocess.Popen(
        leashed([tool("prometheus"), f"--config.file={tmp_path / 'p.yml'}", *options]),
        stderr=subprocess.DEVNULL,
    )

    def asked(expression):
        try:
            said = json.loads(read(f"http://{own}/api/v1/query?query={quote(expression)}"))
        except urllib.error.URLError:
            return None  # it is not up yet
        assert said["status"] == "success", said
        return said["data"]["result"]

    try:
        for expression in expressions():
            # a rate needs two scrapes, a second apart
            eventually(lambda expression=expression: asked(expression))
    finally:
        process.kill()
        process.wait()


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!input", lambda loader, node: ("input", loader.construct_scalar(node)))


def inputs(value):
    if isinstance(value, tuple):
        yield value[1]
    elif isinstance(value, dict):
        for part in value.values():
            yield from inputs(part)
    elif isinstance(value, list):
        for part in value:
            yield from inputs(part)


def test_the_blueprint_s_inputs_are_those_it_uses_and_each_trigger_has_words():
    """Home Assistant itself is in no package: its form is checked by its
    documentation (Blueprint schema).
    """
    text = (EXAMPLES / "home_assistant/inlier_alarm.yaml").read_text()
    blueprint = yaml.load(text, Loader)
    assert blueprint["blueprint"]["domain"] == "automation"
    assert set(inputs(blueprint)) == set(blueprint["blueprint"]["input"])
    ids = {trigger["id"] for trigger in blueprint["trigger"]}
    assert ids == {"raised", "grown", "cleared"}
    title = blueprint["action"][-1]["title"]
    assert all(f"'{id}':" in title for id in ids)
