"""A new model reaches a fleet in waves, and stops where it does harm: the rules
by themselves, and a real broker with devices under CPython and MicroPython.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually, umqtt_or_skip
from inlier_boards.build import umqtt
from inlier_boards.build.micropython import find_or_build
from inlier_boards.leash import leashed
from inlier_export import calibration
from inlier_export.errors import BadInput
from inlier_export.model_file import pack, unpack
from inlier_host import fleet_rollout, fleet_rollout_mqtt
from inlier_trainer.fleet.rollout import Answer, Rollout, Rules
from inlier_trainer.fleet.store import Device, Store
from test_mqtt import ON_CPYTHON

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/model.inlier"
KEY = bytes(range(32))
HOUR = 3600
DEVICES = [Device("bell", f"b{i:03d}") for i in range(200)]
RULES = Rules(alarms_per_day=0.01, soak_s=24 * HOUR, silence_s=2 * HOUR)


def signed(number, key=KEY):
    detector = unpack(GOLDEN.read_bytes())
    detector.number = number
    return pack(detector, key)


def rolling(place, number=5, model=b"model"):
    return Rollout(Store(str(place)), DEVICES, number, model, RULES)


def installs(rollout, names, now):
    for name in names:
        rollout.answered(name, Answer(rollout.state.number, "running"), now)


def refuses(rollout, name, now, why="why", offered=-1):
    rollout.answered(name, Answer(4, "refused", why, offered), now)


def lives_on(rollout, now):
    """All that have it are heard of."""
    for name, device in rollout.state.devices.items():
        if device.installed:
            rollout.heard(name, now)


def test_waves_of_one_ten_and_a_hundred_per_cent_each_after_a_calm_soak(tmp_path):
    rollout, now, offered = rolling(tmp_path), 0.0, []
    while not rollout.state.done:
        offered.append(len(new := rollout.to_offer(now)))
        installs(rollout, new, now + 60)
        lives_on(rollout, now + 24 * HOUR)
        assert not rollout.step(now + 24 * HOUR), "it is watched for a day from the last one on"
        now += 25 * HOUR
        lives_on(rollout, now)
        assert rollout.step(now) and not rollout.state.halted
    assert offered == [2, 18, 180]


def test_one_refusal_in_a_small_wave_halts_it(tmp_path):
    rollout = rolling(tmp_path)
    first, second = rollout.to_offer(0)
    installs(rollout, [first], 60)
    refuses(rollout, second, 60, "model scores its self-test windows otherwise here")
    assert rollout.step(61)
    assert "1 of 2 devices refused it" in rollout.state.halted
    assert "self-test windows" in rollout.state.halted and not rollout.to_offer(62)


def test_silence_after_an_install_halts_it_and_a_device_that_is_away_does_not(tmp_path):
    rollout = rolling(tmp_path)
    first, _ = rollout.to_offer(1)
    installs(rollout, [first], 60)  # the other one is away
    rollout.heard(first, 23 * HOUR)
    assert rollout.step(24 * HOUR + 61) and rollout.state.wave == 1
    assert not rollout.state.halted
    rollout.heard(first, 25 * HOUR)
    rollout.step(28 * HOUR)
    assert "1 of 1 devices that installed it are silent" in rollout.state.halted


def test_alarms_beyond_the_budget_halt_it_and_those_within_do_not(tmp_path):
    rollout = rolling(tmp_path)
    first, second = rollout.to_offer(0)
    installs(rollout, [first, second], 60)
    rollout.alarmed(first, "boot-1", HOUR)
    for _ in range(5):  # a broker says what it keeps again and again
        rollout.alarmed(first, "boot-1", HOUR)
    assert not rollout.step(HOUR), "one alarm may be the budget's"
    rollout.alarmed(second, "boot-1", HOUR)
    rollout.step(HOUR + 1)
    assert "2 alarms of 2 devices" in rollout.state.halted


def test_it_goes_on_where_it_was_and_after_a_halt_only_when_told(tmp_path):
    rollout = rolling(tmp_path)
    first, second = rollout.to_offer(0)
    installs(rollout, [first], 60)
    rollout.save()
    again = rolling(tmp_path)
    assert again.to_offer(100) == [] and again.summary() == rollout.summary()
    refuses(again, second, 120)
    again.step(120)
    again.save()
    halted = rolling(tmp_path)
    assert not halted.step(10 * HOUR) and "refused" in halted.state.halted
    halted.resume(10 * HOUR)
    installs(halted, [second], 10 * HOUR)
    lives_on(halted, 35 * HOUR)
    assert halted.step(35 * HOUR) and halted.state.wave == 1
    halted.save()
    with pytest.raises(BadInput, match="number 5 was another model"):
        rolling(tmp_path, 5, b"another")
    with pytest.raises(BadInput, match="number 5 was rolled out, this one has 4"):
        rolling(tmp_path, 4)
    assert rolling(tmp_path, 6).state.wave == 0, "a newer one begins anew"


def test_a_refusal_of_a_former_offer_or_one_that_was_looked_at_halts_nothing_again(tmp_path):
    """What a device said last stays with the broker until its next boot."""
    rollout = rolling(tmp_path)
    first, second = rollout.to_offer(0)
    refuses(rollout, first, 60, offered=3)
    assert not rollout.step(61)
    refuses(rollout, first, 62, offered=5)
    assert rollout.step(62) and "refused" in rollout.state.halted
    rollout.resume(100)
    refuses(rollout, first, 101, offered=5)
    assert not rollout.step(102), "the same that somebody has looked at"
    rollout.answered(first, Answer(4, "running"), 200)  # it boots, and tries again
    refuses(rollout, first, 260, offered=5)
    assert rollout.step(261) and "refused" in rollout.state.halted


def test_alarms_since_boot_count_each_once_and_none_from_before_the_model(tmp_path):
    rollout = rolling(tmp_path)
    first, second = rollout.to_offer(0)
    rollout.counted(first, "a", 7, 30)  # by the model before
    installs(rollout, [first, second], 60)
    rollout.counted(first, "a", 7, 61)
    for _ in range(3):
        rollout.counted(first, "b", 2, 62)
    rollout.counted(second, "c", 1, 63)
    assert [rollout.state.devices[n].alarms for n in (first, second)] == [2, 1]


@pytest.mark.parametrize(
    "payload",
    [b"", b"[1]", b'{"number": "x"}', b"[" * 2000, b"\xff", b'{"number": 1e400, "result": 1}'],
)
def test_what_is_no_answer_is_none(payload):
    assert fleet_rollout_mqtt.answer(payload) is None
    assert fleet_rollout_mqtt.answer(b'{"number": 5, "result": "running"}' + b" " * 3000) is None


class Board:
    """rollout_device.py in a process of its own, with a folder as its flash.
    device: arguments of the Rollout of its way.
    """

    def __init__(self, runtime, folder, port, way="rollout", name="bell-1", **device):
        self._folder, self._runtime = folder, runtime
        (folder / "models").mkdir(parents=True)
        device |= {"device_id": name, "host": "127.0.0.1", "port": port}
        if way == "rollout":
            device |= {"user": USER, "password": PASSWORD, "retry_s": 0.2}
        settings = {
            "device": device, "key": KEY.hex(), "folder": str(folder / "models"),
            "limits": str(folder / "limits"), "model": str(GOLDEN), "way": way,
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))

    def boot(self):
        script = [Path(__file__).parent / "rollout_device.py", self._folder / "settings.json"]
        if self._runtime == "cpython":
            command = [sys.executable, "-u", "-c", ON_CPYTHON, *script]
        else:
            command = [find_or_build(), *script]
        path = os.pathsep.join([str(ROOT / "firmware"), str(umqtt.folder()), ".frozen"])
        self.process = subprocess.Popen(
            leashed(command), stdout=subprocess.PIPE, text=True,
            env={**os.environ, "MICROPYPATH": path},
        )  # fmt: skip
        return json.loads(self.process.stdout.readline())

    def installed(self):
        """Waits for what it says last."""
        said = json.loads(self.process.stdout.readline())
        self.process.wait(HANGS_S)
        return said

    def off(self):
        self.process.kill()
        self.process.wait()


def in_background(rollout, place, blob, way):
    """way: opened here, as connected(url)."""
    told, failed = [], []

    def run():
        try:
            with way as opened:
                fleet_rollout.roll(rollout, place, blob, opened, told.append)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, told, failed


@pytest.fixture
def broker(tmp_path, monkeypatch):
    umqtt_or_skip()
    monkeypatch.setenv("INLIER_MQTT_PASSWORD", PASSWORD)
    (tmp_path / "broker").mkdir()
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.mark.slow
@pytest.mark.tool("mosquitto")
@pytest.mark.parametrize("runtime", ["cpython", "unix"])
def test_a_device_that_was_away_takes_the_model_and_its_limits(runtime, tmp_path, broker):
    place, blob = Store(str(tmp_path / "fleet")), signed(8)
    place.write("calibrations/bell/bell-1.limits", calibration.pack(blob, [77] * 5, KEY))
    rollout = Rollout(place, [Device("bell", "bell-1")], 8, blob, Rules(1, 0, HANGS_S))
    url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier"
    with Subscriber(broker, "inlier/+/offer") as watching:
        thread, told, failed = in_background(
            rollout, place, blob, fleet_rollout_mqtt.connected(url)
        )
        offered = "inlier/bell-1/offer"
        eventually(lambda: failed or any(m[0] == offered for m in watching.messages))
        board = Board(runtime, tmp_path / "board", broker.port)
        assert board.boot() == {"running": -1, "limits": None}
        assert board.installed() == {"installed": 8}
        assert board.boot() == {"running": 8, "limits": [77] * 5}, "the calibration came along"
        thread.join(HANGS_S)
        board.off()
    assert not failed and rollout.state.done and told[-1]["running"] == 1


@pytest.mark.tool("mosquitto")
def test_what_another_key_signed_is_refused_by_the_device_and_halts_the_rollout(tmp_path, broker):
    place, blob = Store(str(tmp_path / "fleet")), signed(8, b"another key" * 3)
    rollout = Rollout(place, [Device("bell", "bell-1")], 8, blob, Rules(1, 0, HANGS_S))
    board = Board("cpython", tmp_path / "board", broker.port)
    board.boot()
    url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier"
    thread, _, failed = in_background(rollout, place, blob, fleet_rollout_mqtt.connected(url))
    thread.join(HANGS_S)
    board.off()
    assert not failed and "model was not signed with this key" in rollout.state.halted
    assert not list((tmp_path / "board/models").iterdir()), "nothing was written"


class Taking:
    """In the place of two slots."""

    def __init__(self):
        self.tried = []

    def number(self, *_):
        return 4

    def update(self, folder, blob, *_):
        self.tried.append(blob)
        from inlier.model import ModelError

        raise ModelError("no")


def offer(**changed):
    told = {"number": 5, "type": "bell", "bytes": 3, "chunks": 2} | changed
    return json.dumps(told).encode()


def test_what_is_no_offer_is_not_fetched_and_what_was_refused_not_again():
    umqtt_or_skip()
    umqtt.importable()
    from inlier.sinks.rollout import Rollout as Taker

    slots = Taking()
    source = type("Source", (), {"name": "sockets", "counters": ("a",)})
    device = Taker("bell-1", "127.0.0.1", slots=slots, folder="models", source=source)
    topic = b"inlier/bell-1/offer"
    for bad in (
        b"", b"[]", b"[" * 2000, b"\xff", offer(number=4), offer(bytes=1 << 30), offer(bytes=0),
        offer(chunks=0), offer(chunks=4), offer(type="+"), offer(limits="xy"), offer(bytes=9000),
        offer(bytes=9000, chunks=65), offer().replace(b"5", b"1e999"), offer(number=None),
    ):  # fmt: skip
        device._on_message(topic, bad)
        assert device._offer is None, bad
    device._on_message(topic, offer())
    for name, chunk in ((b"0", b"ab"), (b"7", b"x"), (b"x", b"x"), (b"1", b"xyz"), (b"1", b"c")):
        device._on_message(b"inlier/models/bell/5/" + name, chunk)
    assert not device._missing and bytes(device._content) == b"abc"
    device._install()
    assert slots.tried == [b"abc"] and device.outbox.first()[0] == "inlier/bell-1/model"
    device._on_message(topic, offer())
    assert device._offer is None, "until the next boot"
