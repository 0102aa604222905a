"""The client that watches over MQTT: what it asks a broker for, and what it
takes for an address, a message and an end.
"""

import json

import pytest

from inlier_host.commands import monitor
from inlier_host.live import mqtt_client
from inlier_host.live.feed import FEATURES_SHOWN, parsed
from test_hostile_live import ALARM, Broker, events_of

GIVE = "--mqtt: give one"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://house/inlier/bell", ("house", 1883, False, "", None, "inlier/bell")),
        ("mqtts://house/inlier/+", ("house", 8883, True, "", None, "inlier/+")),
        ("mqtt://me:p%40ss@house:7/a/b/", ("house", 7, False, "me", "p@ss", "a/b")),
        ("mqtts://m%40e@house:8884/a", ("house", 8884, True, "m@e", None, "a")),
    ],
)
def test_an_address_is_what_its_url_says(url, expected, monkeypatch):
    monkeypatch.delenv(mqtt_client.PASSWORD_VARIABLE, raising=False)
    assert mqtt_client.address(url, GIVE) == mqtt_client.Address(*expected)


def test_a_password_that_no_url_names_is_the_environment_s(monkeypatch):
    monkeypatch.setenv(mqtt_client.PASSWORD_VARIABLE, "p%40ss")
    assert mqtt_client.address("mqtt://me@house/a", GIVE).password == "p%40ss", "as it stands"
    assert mqtt_client.address("mqtt://me:b@house/a", GIVE).password == "b"


def test_over_mqtts_the_broker_s_certificate_is_asked_for():
    import ssl

    plain, secure = (
        mqtt_client.client(mqtt_client.address(f"{scheme}://house/a", GIVE))
        for scheme in ("mqtt", "mqtts")
    )
    assert plain._ssl_context is None
    assert secure._ssl_context.verify_mode == ssl.CERT_REQUIRED


def test_alarms_are_asked_for_with_a_receipt_and_the_broker_is_left_in_order():
    """Of QoS 0 a broker forgets what it could not hand over."""
    with Broker(ALARM.encode()) as broker:
        events_of(broker, lambda event: "alarm" in event)
        assert b"inlier/bell/#\x01" in broker.asked
        assert broker.line.recv(2) == b"\xe0\x00", "DISCONNECT"


def test_what_is_published_below_a_device_s_topics_is_not_its_own():
    broker = Broker(ALARM.encode(), topic=b"inlier/bell/guest/alarm")
    broker._messages.append((b"inlier/bell/alarm", ALARM.replace("a-1", "a-2").encode()))
    with broker:
        events = events_of(broker, lambda event: "alarm" in event)
    assert [event["id"] for event in events if "alarm" in event] == ["a-2"]


def test_a_client_whose_broker_is_gone_goes_on():
    ended = [ValueError("no MQTT"), None]

    class Client:
        def loop_forever(self):
            if problem := ended.pop(0):
                raise problem

        def reconnect(self):
            raise ConnectionRefusedError

    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqtt_client, "AGAIN_S", 0)
        mqtt_client.listen(Client(), mqtt_client.address("mqtt://house/a", GIVE), told.append)
    assert not ended and len(told) == 1 and "house:1883: what came is no MQTT" in told[0]


def test_no_more_features_are_kept_than_are_shown():
    features = [[f"f{i}", 1] for i in range(FEATURES_SHOWN + 1)]
    window = {"window": 1, "score": 1, "ae": 1, "svm": 1, "hot": 0, "features": features}
    assert parsed(json.dumps(window))["features"] == features[:FEATURES_SHOWN]


def test_so_many_windows_are_watched_as_were_asked_for_and_an_alarm_is_told_in_capitals(capsys):
    """One that only grows is not."""
    window = {"window": 0, "score": 1, "ae": 1, "svm": 1}
    alarm = {"alarm": "ON", "window": 1, "grows": 0, "message": "m", "id": "a"}
    given = []

    def windows(emit):
        for event in (window, alarm, {**alarm, "grows": 1}, {**window, "window": 1}, window):
            given.append(event)
            emit(event)

    view = monitor.View(None, "bell", False, 0, 2, False, None, False)
    monitor._watch(windows, "bell", view)
    assert len(given) == 4
    assert capsys.readouterr().out == "window 1: ALARM: m\nwindow 1: alarm: m\n"
