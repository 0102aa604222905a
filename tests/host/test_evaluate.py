"""Attacks laid over benign windows: what an overlay holds, what a silence is, that an attack is seen and nothing is not."""

import numpy as np
import pytest

from trainer import cli_captures, evaluate, overlays
from trainer.errors import BadInput
from trainer.pcap.count import Pcap
from trainer.train import Settings, train

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
    assert 1.0 <= stolen / (100_000 * overlays.DURATION_S) <= 1.06, "payload, and a twentieth more of headers"


def test_a_silence_of_a_day_is_no_windows_and_a_shorter_one_is():
    seen = np.ones(20_000, np.int64)
    seen[100:8740] = 0  # a day of windows of 10 s
    seen[9000:17_639] = 0  # one window less
    kept = evaluate.awake(seen, 10_000)
    assert len(kept) == 20_000 - 8640 and 99 in kept and 100 not in kept and 8740 in kept and 10_000 in kept


@pytest.fixture(scope="module")
def trained():
    """A device that talks to one host in every other window, or so."""
    rng = np.random.default_rng(7)
    windows = np.zeros((3000, len(Pcap.counters)), np.int64)
    talks = rng.random(3000) < 0.5
    for name, value in (("packets_out", 4), ("packets_in", 3), ("bytes_out", 400), ("bytes_in", 300), ("peers", 1)):
        windows[:, AT[name]] = talks * (value + rng.integers(0, 1 + value // 4, 3000))
    return train(windows, Settings("pcap", Pcap.counters, 10_000, allow_constant=Pcap.counters), "made up"), windows[2250:]


def test_a_scan_is_seen_at_every_start_and_nothing_at_none(trained):
    model, test = trained
    seen = evaluate._lay(model, test, overlays.scan(5, 10_000), 10_000)
    assert seen.detected and seen.starts == seen.detected_starts == 5 and seen.worst_delay_s <= 20
    assert seen.unseen <= 1 / 180, "the first of 180 windows at most"
    none = evaluate._lay(model, test, overlays.Overlay("nothing", np.zeros((180, len(Pcap.counters)), np.int64)), 10_000)
    assert not none.detected and none.delay_s is None and none.unseen == 1


def test_a_capture_without_its_device_is_refused():
    with pytest.raises(BadInput, match="FILE@ADDRESS"):
        cli_captures._capture("hub.pcap")
