"""The demonstration's doorbell on Unix MicroPython, infected: its alarm through mosquitto, as Home Assistant would see it.

recorded/ holds a recording of that doorbell's 800 benign windows, made by `inlier demo`, and the model trained on it.
"""

import json
from pathlib import Path

from broker import PASSWORD, USER, Broker, Subscriber, eventually
from home_assistant import check_discovery
from tools_missing import needs_tool

from boards import umqtt
from boards.micropython import find_or_build
from trainer.demo import stages
from trainer.demo.servers import surroundings

HERE = Path(__file__).parent


@needs_tool("mosquitto")
def test_a_subscriber_sees_discovery_state_alarm_clear_and_last_will_in_this_order(tmp_path):
    with Broker(tmp_path) as broker, Subscriber(broker) as subscriber, surroundings(7) as (config, targets):
        settings = {
            "doorbell": config,
            "targets": targets,
            "model": str(HERE / "recorded/doorbell.inlier"),
            "path": [str(umqtt.folder())],
            "mqtt": {"device_id": "doorbell", "host": "127.0.0.1", "port": broker.port, "user": USER, "password": PASSWORD},
        }
        windows = list(stages.device(find_or_build(), str(HERE / "doorbell_mqtt.py"), settings))
        assert not [w for w in windows if "problem" in w]
        eventually(lambda: ("inlier/doorbell/availability", "offline") in [m[:2] for m in subscriber.messages])
    kinds = []
    for topic, payload, _ in subscriber.messages:
        kind = topic.split("/")[-1]
        if kind == "alarm":
            kind = json.loads(payload)["alarm"]
        kinds.append(payload if kind == "availability" else kind)
    assert kinds[:3] == ["config", "online", "OFF"], "announced, alive, and no alarm yet"
    on = kinds.index("ON")
    off = kinds.index("OFF", on)
    assert set(kinds[3:on]) == set(kinds[on + 1 : off]) == {"state"}, "scores before and between"
    assert kinds.count("ON") == 1 and kinds.count("OFF") == 2 and kinds[-1] == "offline"
    check_discovery(*subscriber.messages[0][:2])
    alarm = json.loads(subscriber.messages[on][1])
    print(alarm["message"])
    # Counted by sockets, among them not one of MQTT's own: 10 hosts every 100 ms look for telnet.
    assert any(name.startswith(("connects", "peers", "ports")) for name, _ in alarm["features"])
    assert "in this window, usually 0" in alarm["message"] and "inlier train --add" in alarm["message"]
    assert 60 <= alarm["began"] <= alarm["window"] <= 80
