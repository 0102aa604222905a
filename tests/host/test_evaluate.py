"""Attacks laid over benign windows: what an overlay holds, what a silence is,
that an attack is seen and nothing is not.
"""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.counters import DELTA_MAX
from inlier.packet_counters import Packets
from inlier.sockets import Sockets
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector, Schema
from inlier_host.commands import evaluate as cli_evaluate
from inlier_trainer import autoencoder, evaluate, overlays
from inlier_trainer.budget import Choice
from test_cli import refused
from test_pcap import DEVICE, IP, PEER, SYN, SYNACK, framed, ip4, pcap, tcp, udp

AT = {name: i for i, name in enumerate(Packets.counters)}
HOST = bytes([10, 9, 9, 9])


def first(overlay, windows=2):
    """What is not 0 in the first windows, by counter."""
    rows = overlay.windows[:windows]
    return {name: rows[:, AT[name]].tolist() for name in AT if rows[:, AT[name]].any()}


def test_attacks_are_those_that_the_page_of_results_tells_of():
    page = (Path(__file__).parents[2] / "docs/results.md").read_text()
    scans, beacons, retries, floods, thefts = (
        " / ".join(f"{rate:g}" for rate in rates)
        for rates in (
            overlays.SCANS, overlays.BEACONS, overlays.RETRIES, overlays.FLOODS, overlays.THEFTS
        )
    )  # fmt: skip
    head = f"| scan {scans} a s | beacon {beacons} a min | retries {retries} a min | flood {floods}"
    assert f"{head}/s | theft {thefts} KB/s |" in page


def test_overlays_are_exact():
    """SYN 74 bytes, acknowledgement 66, full segment 1514, datagram 142: sums
    by hand.
    """
    assert first(overlays.scan(5, 10_000)) == {
        **dict.fromkeys(("packets_out", "syn_out", "peers", "peers_new"), [50, 50]),
        "connects_failed": [50, 50],
        "bytes_out": [3700, 3700],
        "ports": [2, 2],
    }
    assert first(overlays.beacon(9, 10_000)) == {  # one and a half a window
        "syn_out": [2, 1],
        "synack_in": [2, 1],
        "packets_out": [10, 5],
        "packets_in": [8, 4],
        "bytes_out": [876, 438],  # 74 + 66 + 3 * 66 + 100 each
        "bytes_in": [744, 372],  # 74 + 66 + 2 * 66 + 100
        "peers": [1, 1],
        "ports": [1, 1],
        "peers_new": [1, 0],
    }
    assert first(overlays.retries(12, 10_000)) == {
        "syn_out": [6, 6],
        "packets_out": [6, 6],
        "bytes_out": [444, 444],
        "connects_failed": [2, 2],
        "peers": [1, 1],
        "ports": [1, 1],
        "peers_new": [1, 0],
    }
    assert first(overlays.flood(1000, 10_000)) == {
        "udp_out": [10_000, 10_000],
        "packets_out": [10_000, 10_000],
        "bytes_out": [1_420_000, 1_420_000],
        "peers": [1, 1],
        "ports": [1, 1],
        "peers_new": [1, 0],
    }
    assert first(overlays.theft(1.448, 10_000)) == {  # a segment a second
        "packets_out": [10, 10],
        "bytes_out": [15_140, 15_140],
        "packets_in": [5, 5],
        "bytes_in": [330, 330],
        "peers": [1, 1],
        **dict.fromkeys(("peers_new", "syn_out", "synack_in", "ports"), [1, 0]),
    }


def test_overlays_hold_their_rates():
    for overlay, column, expected in (
        (overlays.scan(0.1, 10_000), "syn_out", [1, 1, 1, 1]),
        (overlays.beacon(1, 10_000), "syn_out", [1, 0, 0, 0, 0, 0, 1]),
        (overlays.retries(2, 10_000), "syn_out", [3, 0, 0, 3, 0, 0, 3]),
    ):
        found = overlay.windows[: len(expected), AT[column]].tolist()
        assert found == expected, (overlay.name, column)
    assert len(overlays.scan(1, 1_000).windows) == overlays.DURATION_S
    for overlay in overlays.synthetic(10_000):
        assert overlay.windows.shape == (overlays.DURATION_S // 10, len(Packets.counters))
        assert overlay.windows[0].any(), "it begins at once"
    stolen = overlays.theft(100, 10_000).windows[:, AT["bytes_out"]].sum()
    assert 1.0 <= stolen / (100_000 * overlays.DURATION_S) <= 1.06, (
        "payload, and a twentieth more of headers"
    )


def test_overlays_hold_every_packet_once():
    """Sums over 1,800 s in 180 windows, as the documents of each overlay say."""
    scan = {"bytes_out": 1800 * 74, "ports": 180 * 2}  # telnet's two ports in each window
    once = ("syn_out", "packets_out", "peers", "peers_new", "connects_failed")
    beacons = 9 * 30  # one or two a window; 5 packets out, 4 in each
    beacon = {
        "syn_out": beacons,
        "synack_in": beacons,
        "packets_out": 5 * beacons,
        "packets_in": 4 * beacons,
        # SYN, the acknowledgement of its answer, three more, 100 bytes of
        # payload
        "bytes_out": beacons * (74 + 66 + 3 * 66 + 100),
        "bytes_in": beacons * (74 + 66 + 2 * 66 + 100),
        "peers": 180,
        "ports": 180,
        "peers_new": 1,
    }
    tries = 9 * 30  # of three SYNs each, one or two a window
    retries = {
        "syn_out": 3 * tries,
        "packets_out": 3 * tries,
        "bytes_out": 3 * tries * 74,
        "connects_failed": tries,
        "peers": 180,
        "ports": 180,
        "peers_new": 1,
    }
    flood = {
        "udp_out": 1_800_000,
        "packets_out": 1_800_000,
        "bytes_out": 1_800_000 * 142,  # 100 bytes in UDP, IPv4 and Ethernet
        "peers": 180,
        "ports": 180,
        "peers_new": 1,
    }
    for overlay, expected in (
        (overlays.scan(1, 10_000), scan | dict.fromkeys(once, 1800)),
        (overlays.beacon(9, 10_000), beacon),
        (overlays.flood(1000, 10_000), flood),
        (overlays.retries(9, 10_000), retries),
    ):
        sums = dict(zip(Packets.counters, overlay.windows.sum(axis=0).tolist(), strict=True))
        assert {name: n for name, n in sums.items() if n} == expected, overlay.name

    windows = overlays.theft(100, 10_000).windows
    sums = dict(zip(Packets.counters, windows.sum(axis=0).tolist(), strict=True))
    segments = -(-1800 * 100_000 // 1448)
    assert sums["packets_out"] == segments and sums["bytes_out"] == segments * 1514
    assert sums["bytes_in"] == sums["packets_in"] * 66
    assert segments / 2 - 180 <= sums["packets_in"] <= segments / 2, "every second is answered"
    for name in ("peers_new", "syn_out", "synack_in", "ports"):
        assert sums[name] == windows[0, AT[name]] == 1, f"{name}: one connection, begun at once"


def test_a_silence_of_a_day_is_no_windows_and_a_shorter_one_is():
    seen = np.ones(20_000, np.int64)
    seen[100:8740] = 0  # a day of windows of 10 s
    seen[9000:17_639] = 0  # one window less
    kept = evaluate.awake(seen, 10_000)
    assert (
        len(kept) == 20_000 - 8640
        and 99 in kept
        and 100 not in kept
        and 8740 in kept
        and 10_000 in kept
    )


def alarming(limits=((1, 1, 10),), warmup=0, clear_after=3):
    """A detector of one look: connections that fail, 127 for each sixteenth of
    an octave.
    """
    counters = tuple(Packets.counters)
    n = len(counters)
    zero = np.zeros(n, np.int64)
    weights = np.zeros((n, 3), np.int64)
    weights[AT["connects_failed"], 0] = 127
    schema = Schema(counters, (0,), (), np.full(n, 8), zero)
    return Detector(
        source="packets",
        window_ms=10_000,
        schema=schema,
        offset=zero,
        high=zero,
        low=zero,
        far=np.full(n, 999),
        input_shift=zero,
        weights=weights,
        layers=[],
        horizons=limits,
        warmup=warmup,
        cooldown=0,
        clear_after=clear_after,
    )


NOTHING = np.zeros((2000, len(AT)), np.int64)


def failing(windows, first_at=0, length=180):
    rows = np.zeros((length, len(AT)), np.int64)
    rows[first_at : first_at + windows, AT["connects_failed"]] = 9
    return overlays.Overlay("failing", rows)


def spied(monkeypatch):
    """How many windows each run of the reference is handed."""
    ran = []

    def run(detector, windows):
        ran.append(len(windows))
        return reference.run(detector, windows)

    monkeypatch.setattr(evaluate, "reference", SimpleNamespace(run=run))
    return ran


class Made:
    """What a training gives."""

    detector = alarming()
    blob = b"model"
    choice = Choice(1.0, 0.5, 0.2, 0.9, 2, 3.0, True, 0.0)


def test_a_device_is_trained_on_its_first_three_quarters_and_tested_on_the_rest(monkeypatch):
    said = []

    def learned(recorded, settings, origin, progress):
        said.append(([len(part) for part in recorded], origin))
        progress("fit", 1, 2)
        return Made()

    monkeypatch.setattr(evaluate, "train", learned)
    ran = spied(monkeypatch)
    windows = NOTHING.copy()
    windows[[1490, 1600], AT["connects_failed"]] = 9  # one before the test part, one in it
    found = evaluate.evaluate(
        evaluate.Capture("c", windows, 7),
        evaluate.settings(10_000, "1/week", 1),
        [failing(5), failing(0)],
        lambda *stage: said.append(stage),
    )
    attacks = [("c: attacks", 1, 2), ("c: attacks", 2, 2)]
    assert said == [([1500], "c"), ("c: fit", 1, 2), *attacks]
    assert ran[0] == evaluate.LEAD_IN + 500, "what came before is run through, and not counted"
    days = 500 * 10 / 86_400
    assert {k: v for k, v in found.summary().items() if k != "overlays"} == {
        "name": "c",
        "days": days,
        "alarm_episodes": 1,
        "alarm_episodes_per_week": pytest.approx(7 / days),
        "novel_alarms": 2,
        "novel_days": 21.0,
        "novel_per_week": 0.5,
        "novel_interval": (0.2, 0.9),
        "rung": 1.0,
        "model_bytes": 5,
        "silent_windows_left_out": 7,
    }
    assert [laid["detected"] for laid in found.summary()["overlays"]] == [True, False]


def test_it_learns_whatever_the_capture_holds():
    """It measures, and its models go nowhere."""
    chosen = evaluate.settings(5_000, "1/day", 3, "svm", "sockets")
    assert chosen.accept_anomalies and set(chosen.allow_constant) == set(Sockets.counters)
    assert (chosen.source, chosen.counters) == ("sockets", Sockets.counters)
    assert (chosen.window_ms, chosen.false_alarms, chosen.seed) == (5_000, "1/day", 3)
    assert chosen.detectors == "svm"


def test_a_capture_s_windows_are_those_of_no_long_silence(monkeypatch):
    """Whatever the pieces in which they come."""
    seen = np.array([1, 1, 0, 0, 0, 2, 0, 1, 1, 1])
    rows = np.arange(10)[:, None] + np.zeros(len(AT), np.int64)
    rows[8] = 1 << 40
    third_of_a_day = evaluate.SILENCE_S * 1000 // 3
    asked = []
    for pieces in ((0, 4, 10), (0, 1, 5, 6, 9, 10)):

        class Counted:
            def __len__(self):
                return 10

            def parts(self, pieces=pieces):
                for begin, end in itertools.pairwise(pieces):
                    yield rows[begin:end], seen[begin:end]

        def counted(*arguments):
            asked.append(arguments)
            return Counted()

        monkeypatch.setattr(evaluate, "count", counted)
        found = evaluate.read(Path("a/c.pcap"), DEVICE, third_of_a_day, print)
        assert found.windows[:, 3].tolist() == [0, 1, 5, 6, 7, DELTA_MAX, 9]
        assert found.name == "c.pcap" and found.left_out == 3
    assert asked == [(Path("a/c.pcap"), DEVICE, third_of_a_day, print, "packets")] * 2


def test_a_delay_lasts_to_the_end_of_the_window_that_alarms():
    at_once = evaluate._lay(alarming(), NOTHING, failing(5))
    assert at_once.delay_s == at_once.worst_delay_s == 10 and at_once.unseen == 0
    third = evaluate._lay(alarming(((3, 8, 10),)), NOTHING, failing(50))
    assert third.delay_s == 30 and third.unseen == pytest.approx(2 / 180)
    assert third.detected and third.starts == third.detected_starts == 5
    late = evaluate._lay(alarming(), NOTHING, failing(5, first_at=17))
    assert late.delay_s == 180


def test_the_worst_delay_is_that_of_the_start_that_is_seen_last():
    """Two hot windows of eight raise it: where the device's own gives one, the
    attack's first is enough.
    """
    test = NOTHING.copy()
    for start in list(evaluate._starts(len(NOTHING), 180))[:4]:
        test[start - 1, AT["connects_failed"]] = 9
    laid = evaluate._lay(alarming(((2, 8, 10),)), test, failing(20))
    assert laid.detected and (laid.delay_s, laid.worst_delay_s) == (10, 20)


def test_what_raises_nothing_is_not_seen():
    none = evaluate._lay(alarming(), NOTHING, failing(0))
    assert not none.detected and none.delay_s is None and none.worst_delay_s is None
    assert none.unseen == 1 and none.detected_starts == 0


def test_an_alarm_that_was_on_before_is_not_credited():
    """A false one that goes on when the attack begins, and one that has
    cleared: only after that is a new one the attack's.
    """
    attack = failing(20)
    starts = list(evaluate._starts(len(NOTHING), 180))
    test = NOTHING.copy()
    test[starts[1] - 5 : starts[1] + 5, AT["connects_failed"]] = 9  # still on
    test[starts[3] - 20 : starts[3] - 10, AT["connects_failed"]] = 9  # off again
    laid = evaluate._lay(alarming(), test, attack)
    assert laid.detected_starts == 4 and not laid.detected and laid.delay_s == 10
    assert laid.unseen == pytest.approx(1 / 5)
    # one that clears, and is raised again by the attack, is not credited
    # either: who looks at it looks already
    test = NOTHING.copy()
    test[starts[1] - 1, AT["connects_failed"]] = 9
    twice = failing(9, first_at=60)
    twice.windows[100:109, AT["connects_failed"]] = 9
    again = evaluate._lay(alarming(), test, twice)
    assert again.detected_starts == 4


def test_an_attack_that_outlasts_the_test_part_is_laid_as_far_as_that_goes(monkeypatch):
    ran = spied(monkeypatch)
    laid = evaluate._lay(alarming(), NOTHING, failing(5, length=1900))
    assert laid.starts == 1 and laid.detected
    assert ran == [2000], "from the first window on, and the attack from a tenth"


def test_what_grows_is_not_what_is_raised():
    """An event 2 of an alarm that was on is no detection."""
    test = NOTHING.copy()
    test[:, AT["connects_failed"]] = 1
    laid = evaluate._lay(alarming(), test, failing(100))
    assert laid.detected_starts == 0


def test_starts_are_spread_over_the_test_part_past_its_warm_up():
    starts = list(evaluate._starts(2000, 180))
    assert starts == [200, 605, 1010, 1415, 1820]
    assert list(evaluate._starts(100, 180)) == [10], "a test part shorter than the attack"


def test_units_of_one_type_are_each_left_out_and_tested_whole(monkeypatch):
    told = []
    ran = spied(monkeypatch)

    def learned(recorded, settings, origin, progress):
        told.append((len(recorded), [int(unit[0, 0]) for unit in recorded], origin))
        return Made()

    monkeypatch.setattr(evaluate, "train", learned)
    captures = []
    for i in range(3):
        windows = NOTHING[:1000].copy()
        windows[0, 0] = i
        captures.append(evaluate.Capture(f"unit{i}", windows, i))
    captures[1].windows[500, AT["connects_failed"]] = 9
    chosen = evaluate.settings(10_000, "1/week", 1)
    results = list(evaluate.evaluate_units(captures, chosen, [failing(5)], lambda *_: None))
    assert told == [
        (2, [1, 2], "unit1, unit2"),
        (2, [0, 2], "unit0, unit2"),
        (2, [0, 1], "unit0, unit1"),
    ]
    assert [r.name for r in results] == ["unit0", "unit1", "unit2"]
    assert [r.alarm_episodes for r in results] == [0, 1, 0], "the whole of it is tested"
    assert results[0].days == pytest.approx(10_000 / 86_400)
    assert all(r.overlays[0].detected for r in results)
    assert results[2].silent_windows_left_out == 2
    assert ran[0] == 1000, "from boot on"


def test_units_are_two_at_least(inlier):
    refused(inlier("evaluate", "a.pcap@02:00:00:00:00:aa", "--units"), "give two captures")


@pytest.mark.parametrize(
    ("before", "during", "delay_s", "unseen"),
    [
        ({}, {0: 1}, 10, 0),  # to the end of the window in which it is raised
        ({}, {2: 1}, 30, 0.2),
        ({}, {2: 1, 5: -1, 7: 1}, 30, 0.2),  # the first of two
        ({}, {}, None, 1),
        ({5: 1, 9: -1}, {2: 1}, 30, 0.2),  # a false alarm that was over
        ({5: 1}, {2: -1, 4: 1}, None, 1),  # one that was still on, and is raised again
        ({5: 1}, {}, None, 1),
    ],
)
def test_an_alarm_is_credited_to_the_attack_that_raised_it_and_timed_to_its_window_s_end(
    monkeypatch, before, during, delay_s, unseen
):
    attack = overlays.Overlay("made up", np.ones((10, len(Packets.counters)), np.int64))

    def scored(detector, laid):
        assert laid.sum() == attack.windows.sum(), "laid over silence, once"
        event = np.zeros(len(laid), np.int64)
        start = len(laid) - len(attack.windows)
        for window, value in before.items():
            event[window] = value
        for window, value in during.items():
            event[start + window] = value
        return SimpleNamespace(event=event)

    monkeypatch.setattr(evaluate.reference, "run", scored)
    test = np.zeros((1000, len(Packets.counters)), np.int64)
    laid = evaluate._lay(SimpleNamespace(window_ms=10_000), test, attack)
    assert (laid.delay_s, laid.worst_delay_s, laid.unseen) == (delay_s, delay_s, unseen)
    assert laid.detected == (delay_s is not None) and laid.starts == 5


def test_a_capture_without_its_device_is_refused():
    with pytest.raises(BadInput, match="FILE@ADDRESS"):
        cli_evaluate._capture("hub.pcap")


def capture(path, windows, scan_at=None, tries=()):
    """A device that asks one host something in four windows of five, and from
    scan_at on tries 20 others a window; in `tries` one that never answers.
    """
    rng = np.random.default_rng(3)
    packets = []
    for window in range(windows):
        at = 10.0 * window
        for i in range(rng.integers(0, 5)):
            packets.append(
                (
                    at + i,
                    framed(
                        1,
                        ip4(IP, PEER, 17, udp(5000, 9000, b"?" * int(rng.integers(20, 60)))),
                        True,
                    ),
                )
            )
            packets.append(
                (at + i + 0.2, framed(1, ip4(PEER, IP, 17, udp(9000, 5000, b"!" * 40)), False))
            )
        if window % 60 == 30:
            packets.append(
                (at + 7, framed(1, ip4(IP, PEER, 6, tcp(4000 + window, 443, SYN)), True))
            )
            packets.append(
                (at + 7.1, framed(1, ip4(PEER, IP, 6, tcp(443, 4000 + window, SYNACK)), False))
            )
        if window in tries:
            packets.append((at + 1, framed(1, ip4(IP, HOST, 6, tcp(7000, 6667, SYN)), True)))
        if scan_at is not None and window >= scan_at:
            for i in range(20):
                host = bytes([10, 1, window % 256, i])
                packets.append(
                    (at + 8 + i / 20, framed(1, ip4(IP, host, 6, tcp(6000, 23, SYN)), True))
                )
    path.write_bytes(pcap(packets))
    return f"{path}@{DEVICE}"


def test_the_command_counts_false_alarms_and_lays_a_captured_scan_over(
    tmp_path, monkeypatch, inlier
):
    # it is the command that is looked at, not how good a detector gets
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    benign = capture(tmp_path / "benign.pcap", 1200)
    infected = capture(tmp_path / "infected.pcap", 60, scan_at=40)
    code, out, _ = inlier("evaluate", benign, "--infected", infected, "--json")
    assert not code
    (told,) = json.loads(out)["captures"]
    assert (
        told["name"] == "benign.pcap"
        and told["days"] == pytest.approx(300 * 10 / 86_400)
        and told["alarm_episodes"] == 0
    )
    by = {laid["name"]: laid for laid in told["overlays"]}
    real = by["real scan, infected.pcap"]
    assert real["detected"] and real["delay_s"] <= 20 and real["starts"] == 5
    assert by["scan 5/s"]["detected"] and by["retries 2/min"]["starts"] == 5 and len(by) == 11
    novel = told["novel_per_week"]
    assert told["novel_days"] > 0 and told["novel_interval"][0] < novel < told["novel_interval"][1]


def test_a_bot_that_retries_a_dead_server_is_taken_from_a_capture(tmp_path):
    """Before its scan, and where it never scans."""
    for scan_at, names, length in (
        (40, ["real scan", "real bot"], 30),
        (None, ["real bot"], 50),
    ):
        path = tmp_path / "bot.pcap"
        bot = capture(path, 60, scan_at=scan_at, tries=(10, 20, 30, 31))
        found = overlays.infected(*cli_evaluate._capture(bot), 10_000)
        assert [laid.name.split(",")[0] for laid in found] == names
        windows = found[-1].windows
        assert len(windows) == length and windows[0, AT["connects_failed"]] == 1
        assert windows[:, AT["connects_failed"]].nonzero()[0].tolist() == [0, 10, 20, 21]


@pytest.mark.parametrize(
    ("begun", "failed", "bot", "scan"),
    [
        ("205000", "001000", None, 2),
        ("306000", "001000", None, None),  # no more than twice as many as before
        ("004000", "001000", None, None),  # fewer than five
        ("500000", "100000", None, 0),
        ("05b000", "011000", None, 1),  # and is more than twice as fast later
        ("050000", "001000", None, 1),  # it is known a window later that it failed
        ("050000", "000100", None, None),
        ("111800", "111100", 0, 3),
        ("011180", "011110", 1, 4),
        ("011800", "011100", None, 3),  # two tries in vain are no bot
        ("111000", "111000", 0, None),
        ("110100", "111000", None, None),  # it begins nothing in the third
    ],
)
def test_an_infected_device_s_scan_and_its_tries_before_are_told_apart(
    monkeypatch, begun, failed, bot, scan
):
    windows = np.zeros((6, len(Packets.counters)), np.int64)
    windows[:, AT["syn_out"]] = [int(digit, 16) for digit in begun]
    windows[:, AT["connects_failed"]] = [int(digit) for digit in failed]
    counted = SimpleNamespace(windows=windows)
    monkeypatch.setattr(overlays, "count", lambda *path, source: counted)
    expected = {}
    if scan is not None:
        expected["real scan, c.pcap"] = windows[scan:].tolist()
    if bot is not None:
        expected["real bot, c.pcap"] = windows[bot:scan].tolist()
    if expected:
        found = overlays.infected(Path("c.pcap"), DEVICE, overlays.UNANSWERED_MS)
        assert {overlay.name: overlay.windows.tolist() for overlay in found} == expected
    else:
        with pytest.raises(BadInput, match="never begins to scan there, nor tries"):
            overlays.infected(Path("c.pcap"), DEVICE, overlays.UNANSWERED_MS)


def test_a_capture_that_never_scans_is_no_infected_one(tmp_path, inlier):
    quiet = capture(tmp_path / "quiet.pcap", 60, tries=(3, 4))
    refused(inlier("evaluate", quiet, "--infected", quiet), "never begins to scan there")
