"""A rollout over ways that are scripted: what is offered to whom, what is kept
over an end, and which word of a device counts.
"""

import contextlib
import queue
from types import SimpleNamespace

import pytest

from inlier.sinks.offer import OFFER_MAX
from inlier_export.errors import BadInput, Interrupted
from inlier_host import fleet_rollout, fleet_rollout_mqtt, fleet_rollout_web
from inlier_host.commands.fleet_rollout import seconds
from inlier_trainer.fleet.rollout import Answer, Rollout, Rules
from inlier_trainer.fleet.store import Device, Store
from test_fleet_rollout import GOLDEN, signed

DEVICES = [Device("bell", f"b{i}") for i in range(3)]
RULES = Rules(alarms_per_day=1, soak_s=0, silence_s=600)


class Scripted:
    """Each step of take() is one of `steps`, with the rollout."""

    def __init__(self, *steps):
        self.steps, self.offered, self.withdrawn = list(steps), [], []

    def publish(self, type_, number, blob):
        return 1

    def offer(self, name, content):
        self.offered.append(name)

    def withdraw(self, name):
        self.withdrawn.append(name)

    def take(self, rollout, clock):
        self.steps.pop(0)(rollout)


def rolling(place, number=8):
    return Rollout(Store(str(place)), DEVICES, number, b"model", RULES)


def roll(rollout, place, way):
    fleet_rollout.roll(rollout, Store(str(place)), b"model", way, lambda now: None, lambda: 1000.0)


def runs(rollout):
    for name in rollout.state.devices:
        rollout.answered(name, Answer(8, "running"), 1000.0)


def stops(rollout):
    raise Interrupted("nothing was replaced")


def test_what_a_device_said_last_is_kept_though_the_command_is_ended_then(tmp_path):
    def runs_and_stops(rollout):
        runs(rollout)
        stops(rollout)

    with pytest.raises(Interrupted):
        roll(rolling(tmp_path), tmp_path, Scripted(lambda rollout: None, runs_and_stops))
    again = rolling(tmp_path)
    first = again.order[0]
    assert again.state.devices[first].installed, "it is not asked again"


def test_who_was_offered_it_is_offered_it_again_by_the_next_command(tmp_path):
    """A broker that was started again has kept nothing."""
    way = Scripted(stops)
    with pytest.raises(Interrupted):
        roll(rolling(tmp_path), tmp_path, way)
    again = Scripted(stops)
    with pytest.raises(Interrupted):
        roll(rolling(tmp_path), tmp_path, again)
    assert way.offered and again.offered == way.offered


def test_a_halt_withdraws_the_offer_from_those_alone_that_have_not_taken_it(tmp_path):
    rollout = rolling(tmp_path)

    def next_refuses(rollout):
        for name, device in rollout.state.devices.items():
            if not device.installed:
                rollout.answered(name, Answer(4, "refused", "why", 8), 1000.0)

    roll(rollout, tmp_path, way := Scripted(runs, *[next_refuses] * 9))
    assert rollout.state.halted
    has = {name for name, device in rollout.state.devices.items() if device.installed}
    assert has and set(way.withdrawn) == set(rollout.state.devices) - has


class Client:
    def __init__(self):
        self.published = []

    def publish(self, topic, content, qos, retain):
        self.published.append((topic, content, qos, retain))
        return SimpleNamespace(wait_for_publish=lambda limit_s: None)


def test_all_that_is_published_stays_at_the_broker_with_a_receipt():
    """For who is away: an empty one takes it back."""
    client = Client()
    broker = fleet_rollout_mqtt.Broker(client, "inlier", queue.Queue())
    assert broker.publish("bell", 8, b"ab") == 1
    broker.offer("b1", b"{}")
    broker.withdraw("b1")
    assert [(qos, retain) for _, _, qos, retain in client.published] == [(1, True)] * 3
    assert client.published[1:] == [
        ("inlier/b1/offer", b"{}", 1, True),
        ("inlier/b1/offer", b"", 1, True),
    ]


def heard_of(kind, payload, retain):
    """Which of Rollout's methods a message calls."""
    said, called = queue.Queue(), []
    said.put(("b1", kind, SimpleNamespace(payload=payload, retain=retain)))
    said.put(BadInput("the end"))
    rollout = SimpleNamespace(
        **{
            name: lambda *args, name=name: called.append(name)
            for name in ("heard", "alarmed", "answered")
        }
    )
    broker = fleet_rollout_mqtt.Broker(Client(), "inlier", said)
    with contextlib.suppress(BadInput):
        broker.take(rollout, lambda: 1.0)
    return called


ALARM = b'{"alarm": "ON", "window": 1, "grows": %d, "message": "m", "id": "a"}'


@pytest.mark.parametrize(
    ("kind", "payload", "retain", "expected"),
    [
        ("state", b"{}", False, ["heard"]),
        ("state", b"{}", True, []),  # of before: it says nothing of now
        ("availability", b"online", False, ["heard"]),
        ("availability", b"online", True, []),
        ("availability", b"offline", False, []),
        ("alarm", ALARM % 0, False, ["alarmed"]),
        ("alarm", ALARM % 0, True, []),  # of the model before, perhaps
        ("alarm", ALARM % 1, False, []),  # one that was counted when it was raised
        ("alarm", ALARM.replace(b"ON", b"OFF") % 0, False, []),
        ("model", b'{"number": 8, "result": "running"}', True, ["answered"]),
    ],
)
def test_what_a_broker_has_kept_is_no_sign_of_life_and_no_new_alarm(
    kind, payload, retain, expected
):
    assert heard_of(kind, payload, retain) == expected


def test_a_log_that_was_cut_or_put_away_is_followed_and_the_old_one_closed(tmp_path):
    log, folder = tmp_path / "access.log", tmp_path / "www"
    folder.mkdir()
    line = '::1 - - "GET /offers/b%d.json?number=8&result=running HTTP/1.1" 200 9\n'
    log.write_text(line % 0 + line % 0)
    told = []
    rollout = SimpleNamespace(
        counted=lambda *args: None, answered=lambda name, *args: told.append(name)
    )
    with fleet_rollout_web.served(folder, log) as way:
        first = way._file
        log.write_text(line % 1)  # cut, as logrotate's copytruncate does
        way.take(rollout, lambda: 1.0)
        way.take(rollout, lambda: 1.0)
        assert told == ["b1"] and first.closed
        log.rename(tmp_path / "access.log.1")
        log.write_text(line % 2)
        way.take(rollout, lambda: 1.0)
        way.take(rollout, lambda: 1.0)
        last = way._file
    assert told == ["b1", "b2"] and last.closed


def test_an_offer_that_no_device_takes_is_not_written(tmp_path):
    (tmp_path / "log").touch()
    with fleet_rollout_web.served(tmp_path, tmp_path / "log") as way:
        way.offer("b1", b"x" * OFFER_MAX)
        with pytest.raises(BadInput, match=f"devices take {OFFER_MAX}"):
            way.offer("b2", b"x" * (OFFER_MAX + 1))
    assert [path.name for path in tmp_path.glob("offers/*")] == ["b1.json"]


def test_times_are_in_the_unit_that_is_said():
    told = {text: seconds(text, "--soak") for text in ("30s", "10m", "12h", "2d")}
    assert told == {"30s": 30, "10m": 600, "12h": 43_200, "2d": 172_800}


@pytest.fixture
def command(inlier, tmp_path, monkeypatch):
    """The command over a store of two devices; what would roll is given."""

    def run(model, ended):
        store = Store(str(tmp_path / "fleet"))
        store.write("models/bell.inlier", model)
        store.write_json(
            "calibration.json", {"budget_per_day": 6, "by_type": {"a": {"devices": 2}}}
        )
        for name in ("b1", "b2"):
            (tmp_path / f"fleet/windows/type=bell/device={name}/date=2026-01-01").mkdir(
                parents=True, exist_ok=True
            )
        (tmp_path / "www").mkdir(exist_ok=True)
        (tmp_path / "log").touch()
        rolled = []

        def roll(rollout, *others):
            rolled.append(rollout)
            rollout.state.done, rollout.state.halted = not ended, ended

        monkeypatch.setattr(fleet_rollout, "roll", roll)
        options = ("--folder", tmp_path / "www", "--log", tmp_path / "log")
        said = inlier("fleet", "rollout", tmp_path / "fleet", "--type", "bell", *options)
        return *said, rolled

    return run


def test_a_device_has_its_share_of_the_fleet_s_budget_and_a_halt_is_exit_code_1(command):
    code, out, _, (rollout,) = command(signed(8), "")
    assert code == 0 and "number 8 was offered to all of 2 devices" in out
    assert rollout._rules.alarms_per_day == 3
    code, out, _, _ = command(signed(9), "2 refused it")
    assert code == 1 and "halted: 2 refused it; look into it" in out


def test_what_nobody_signed_is_not_offered(command):
    code, _, error, rolled = command(GOLDEN.read_bytes(), "")
    assert code == 2 and "it is not signed, and no device takes it" in error and not rolled
