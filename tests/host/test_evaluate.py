"""Attacks laid over benign windows: what an overlay holds, what a silence is,
that an attack is seen and nothing is not.
"""

import json

import numpy as np
import pytest

from inlier_export.errors import BadInput
from inlier_host import cli
from inlier_host.commands import evaluate as cli_captures
from inlier_trainer import autoencoder, evaluate, overlays
from inlier_trainer.pcap.count import Pcap
from inlier_trainer.train import Settings, train
from test_pcap import DEVICE, IP, PEER, SYN, SYNACK, framed, ip4, pcap, tcp, udp

AT = {name: i for i, name in enumerate(Pcap.counters)}


def test_overlays_hold_their_rates():
    for overlay, column, expected in (
        (overlays.scan(0.1, 10_000), "syn_out", [1, 1, 1, 1]),
        (overlays.scan(5, 10_000), "connects_failed", [50, 50, 50, 50]),
        (overlays.beacon(9, 10_000), "syn_out", [2, 1, 2, 1]),
        (overlays.beacon(1, 10_000), "syn_out", [1, 0, 0, 0]),
        (overlays.beacon(9, 10_000), "peers_new", [1, 0, 0, 0]),
        (overlays.flood(1000, 10_000), "udp_out", [10_000] * 4),
    ):
        assert overlay.windows[:4, AT[column]].tolist() == expected, (overlay.name, column)
        assert len(overlay.windows) == overlays.DURATION_S // 10
    stolen = overlays.theft(100, 10_000).windows[:, AT["bytes_out"]].sum()
    assert 1.0 <= stolen / (100_000 * overlays.DURATION_S) <= 1.06, (
        "payload, and a twentieth more of headers"
    )


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


@pytest.fixture(scope="module")
def trained():
    """A device that talks to one host in every other window, or so."""
    rng = np.random.default_rng(7)
    windows = np.zeros((3000, len(Pcap.counters)), np.int64)
    talks = rng.random(3000) < 0.5
    for name, value in (
        ("packets_out", 4),
        ("packets_in", 3),
        ("bytes_out", 400),
        ("bytes_in", 300),
        ("peers", 1),
    ):
        windows[:, AT[name]] = talks * (value + rng.integers(0, 1 + value // 4, 3000))
    return train(
        windows, Settings("pcap", Pcap.counters, 10_000, allow_constant=Pcap.counters), "made up"
    ), windows[2250:]


def test_a_scan_is_seen_at_every_start_and_nothing_at_none(trained):
    model, test = trained
    seen = evaluate._lay(model, test, overlays.scan(5, 10_000), 10_000)
    assert seen.detected and seen.starts == seen.detected_starts == 5 and seen.worst_delay_s <= 20
    assert seen.unseen <= 1 / 180, "the first of 180 windows at most"
    none = evaluate._lay(
        model,
        test,
        overlays.Overlay("nothing", np.zeros((180, len(Pcap.counters)), np.int64)),
        10_000,
    )
    assert not none.detected and none.delay_s is None and none.unseen == 1


def test_a_capture_without_its_device_is_refused():
    with pytest.raises(BadInput, match="FILE@ADDRESS"):
        cli_captures._capture("hub.pcap")


def capture(path, windows, scan_at=None):
    """A device that asks one host something in four windows of five, and from
    scan_at on tries 20 others a window.
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
        if scan_at is not None and window >= scan_at:
            for i in range(20):
                host = bytes([10, 1, window % 256, i])
                packets.append(
                    (at + 8 + i / 20, framed(1, ip4(IP, host, 6, tcp(6000, 23, SYN)), True))
                )
    path.write_bytes(pcap(packets))
    return f"{path}@{DEVICE}"


def test_the_command_counts_false_alarms_and_lays_a_captured_scan_over(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        autoencoder, "STEPS", 200
    )  # it is the command that is looked at, not how good a detector gets
    benign = capture(tmp_path / "benign.pcap", 1200)
    infected = capture(tmp_path / "infected.pcap", 60, scan_at=40)
    monkeypatch.setattr(
        "sys.argv", ["inlier", "evaluate", benign, "--infected", infected, "--json"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    (told,) = json.loads(capsys.readouterr().out)["captures"]
    assert (
        told["name"] == "benign.pcap"
        and told["days"] == pytest.approx(300 * 10 / 86_400)
        and told["alarm_episodes"] == 0
    )
    by = {laid["name"]: laid for laid in told["overlays"]}
    real = by["real scan, infected.pcap"]
    assert real["detected"] and real["delay_s"] <= 20 and real["starts"] == 5
    assert by["scan 5/s"]["detected"] and len(by) == 10


def test_a_capture_that_never_scans_is_no_infected_one(tmp_path, monkeypatch, capsys):
    quiet = capture(tmp_path / "quiet.pcap", 60)
    monkeypatch.setattr("sys.argv", ["inlier", "evaluate", quiet, "--infected", quiet])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "never begins to scan there" in said and said.count("\n") == 1
