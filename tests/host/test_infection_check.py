"""An infection inside a recording called benign is said before it is learned; a
device's own habits are not accused.
"""

from pathlib import Path

import numpy as np
import pytest

from device_of_tests import benign
from inlier.packet_counters import Packets
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_trainer import infection_check, overlays, recordings, train
from inlier_trainer.pcap.count import count
from test_cli import refused
from test_pcap import DATA, REAL, needs_captures

AT = {name: i for i, name in enumerate(Sockets.counters)}


def put(rows, first, count, **columns):
    for name, value in columns.items():
        rows[first : first + count, AT[name]] += value
    return rows


def scan(rows, first, count, per_window):
    """New hosts, one in ten of which answers."""
    failed = -(-per_window * 9 // 10)
    new = {
        "peers": per_window,
        "peers_new": per_window,
        "connects": per_window,
        "ports": min(2, per_window),
    }
    return put(rows, first, count, connects_failed=failed, **new)


def said(rows, counters=Sockets.counters):
    return [anomaly.said() for anomaly in infection_check.anomalies(rows, counters)]


@pytest.mark.parametrize(
    ("first", "count", "per_window"), [(0, 2000, 30), (700, 20, 30), (1500, 60, 2), (1990, 10, 10)]
)
def test_a_scan_is_found_wherever_it_is(first, count, per_window):
    found = said(scan(benign(2000), first, count, per_window))
    assert found and "look like a scan" in found[0]
    begin, end = (int(word) for word in found[0].split()[1:4:2])
    assert begin <= first + 64 and end >= first + count - 64, "where it is said to be"


def test_a_flood_in_one_half_is_found():
    found = said(put(benign(2000), 1400, 30, datagrams_out=1000, bytes_out=10**5))
    assert len(found) == 1
    assert "unlike the other half" in found[0] and "'datagrams_out'" in found[0]


def test_short_scans_by_turns_that_reach_all_their_hosts_are_found():
    rows = benign(4000)
    for first in range(300, 4000, 1000):
        put(rows, first, 10, connects=40, peers=40, ports=40, peers_new=40)
    assert "several counters at once (connects, peers" in said(rows)[0]


@pytest.mark.parametrize(
    ("fresh", "begun", "failed", "accused"),
    [
        (16, 32, 16, True),  # the least that is a scan
        (16, 33, 16, False),  # fewer than half of the connections fail: a crawler, a hub
        (15, 32, 16, False),  # fewer new hosts than a reboot of a large hub makes
        (16, 30, 15, False),  # too few fail
    ],
)
def test_a_scan_has_sixteen_new_hosts_sixteen_failures_and_half_of_its_connections_fail(
    fresh, begun, failed, accused
):
    rows = np.zeros((400, len(Sockets.counters)), np.int64)
    put(rows, 200, 1, peers_new=fresh, connects=begun, connects_failed=failed)
    assert any("look like a scan" in sentence for sentence in said(rows)) == accused


def test_a_slow_scan_gathers_its_sixteen_hosts_in_sixty_four_windows():
    for last, accused in ((200 + 63, True), (200 + 64, False)):
        rows = np.zeros((400, len(Sockets.counters)), np.int64)
        put(rows, 200, 1, peers_new=15, connects=15, connects_failed=15)
        put(rows, last, 1, peers_new=1, connects=1, connects_failed=1)
        scans = [sentence for sentence in said(rows) if "look like a scan" in sentence]
        assert len(scans) == accused, last
        assert all("within 64 windows up to 16 hosts" in sentence for sentence in scans)


def one_a_window(n=400):
    """Of each counter but failures and new hosts 8 in a span, so that the most
    that is not accused is 16 times 8 and 64 more.
    """
    rows = np.ones((n, len(Sockets.counters)), np.int64)
    return put(rows, 0, n, peers_new=-1, connects_failed=-1, connects_refused=-1)


LEAST = 16 * 8 + 64 + 1 - 8  # so many more in a window are the least that is accused


@pytest.mark.parametrize("window", [0, 3, 50, 160, 195, 203, 300, 399])
def test_what_is_unlike_the_other_half_begins_with_the_first_span_that_holds_it(window):
    rows = put(one_a_window(), window, 1, connects=LEAST)
    first, last = max(0, window - 7), min(399, window + 7)
    assert said(rows) == [
        f"windows {first + 1} to {last + 1} are unlike the other half of the recording (up to "
        f"{LEAST + 8} 'connects' within 8 windows, there at most 8)"
    ]
    assert said(put(one_a_window(), window, 1, connects=LEAST - 1)) == []


def test_what_comes_in_both_halves_is_no_difference_between_them():
    assert said(put(put(one_a_window(), 20, 1, connects=LEAST), 160, 1, connects=LEAST))
    assert not said(put(put(one_a_window(), 20, 1, connects=LEAST), 230, 1, connects=LEAST))


@pytest.mark.parametrize(
    ("windows", "last"),
    [((300,), 307), ((300, 315), 322), ((300, 316), 307), ((300, 316, 332), 307)],
)
def test_a_stretch_ends_where_a_span_holds_nothing(windows, last):
    rows = np.zeros((400, len(Sockets.counters)), np.int64)
    for window in windows:
        put(rows, window, 1, datagrams_out=65)
    (sentence,) = said(rows)
    assert sentence.startswith(f"windows 294 to {last + 1} are unlike the other half")


def test_three_counters_at_once_far_beyond_what_is_usual_are_found_and_two_are_not():
    at = 200  # where both halves hold it
    names = "connects", "peers", "ports"
    sentence = (
        f"windows {at - 6} to {at + 8} go far beyond what is usual in the recording in "
        f"several counters at once ({', '.join(names)})"
    )
    for moved, more, found in ((3, LEAST, True), (2, LEAST, False), (3, LEAST - 1, False)):
        rows = put(one_a_window(), at, 1, **dict.fromkeys(names[:moved], more))
        assert said(rows) == [sentence] * found, (moved, more)


def test_hosts_that_are_new_after_boot_count_for_nothing_and_no_other_counter_settles():
    settled = infection_check.SETTLED
    rows = np.zeros((400, len(Sockets.counters)), np.int64)
    assert said(put(rows.copy(), settled - 1, 1, peers_new=65)) == []
    (sentence,) = said(put(rows.copy(), settled, 1, peers_new=65))
    assert sentence.startswith(f"windows {settled - 6} to {settled + 8} are unlike")
    assert said(put(rows.copy(), 300, 1, peers_new=65)), "one more than 64"
    assert said(put(rows.copy(), 5, 1, datagrams_out=65))


def test_connections_that_fail_in_one_half_alone_are_found_whatever_they_are_called():
    for name in ("connects_refused", "connects_failed"):
        rows = put(benign(2000), 1400, 30, **{name: 60})  # nothing else moves
        (sentence,) = said(rows)
        assert "unlike the other half" in sentence and f"'{name}'" in sentence
    linux = np.zeros((1000, len(Procfs.counters)), np.int64)
    linux[600:640, Procfs.counters.index("tcp_attempt_fails")] = 60
    assert "'tcp_attempt_fails'" in said(linux, Procfs.counters)[0]


def test_a_hub_that_meets_its_own_many_hosts_after_boot_is_not_accused():
    settled = infection_check.SETTLED
    hub = put(benign(2000), settled - 8, 8, peers_new=40)
    assert said(hub) == [], "a host that it always talks to is new but once"
    late = put(benign(2000), settled, 8, peers_new=40)
    assert "'peers_new'" in said(late)[0], "later on they are others"


def test_infected_counters_of_linux_are_found_in_one_half():
    rows = np.random.default_rng(1).poisson(3, (1000, len(Procfs.counters)))
    rows[600:640, Procfs.counters.index("tcp_active_opens")] = 300
    assert "'tcp_active_opens'" in said(rows, Procfs.counters)[0]


def varied():
    """Nights, rings, an update, a time without its servers, reboots, live
    pictures now and then, a time without power.
    """
    rows = benign(6000, seed=3)
    rows[:, :] = np.where((np.arange(6000) % 600 < 200)[:, None], rows // 3, rows)  # nights
    for first in range(
        0, 6000, 450
    ):  # someone rings: pictures to the usual host, a notice to another
        put(rows, first, 4, bytes_out=10**6, sends=800, connects=3, peers=2, ports=2)
    put(rows, 2500, 30, bytes_in=4 * 10**6, receives=3000, connects=1)  # an update, once
    # its three servers are away: retries in each window
    put(rows, 3100, 200, connects=3, connects_failed=3, lookups=3)
    for first in (1200, 3300, 5000):  # a reboot: every host is new
        put(rows, first, 2, peers_new=4, lookups=4, connects=4, peers=4)
    for first in (1000, 3800, 5500):
        put(rows, first, 40, datagrams_out=900, datagrams_in=9, bytes_out=9 * 10**5)
    rows[4200:4300] = 0  # unplugged
    return rows


def demonstrated():
    """What the demonstration's doorbell recorded."""
    return recordings.read(Path(__file__).parent / "recorded/windows.csv", Sockets.counters).windows


@pytest.mark.parametrize("rows", [benign(2000), benign(20_000, seed=5), varied(), demonstrated()])
def test_a_device_s_own_habits_are_not_accused(rows):
    assert said(rows) == []


@pytest.mark.parametrize(
    "attack", [overlays.scan(1, 10_000), overlays.scan(5, 10_000), overlays.flood(1000, 10_000)]
)
def test_attacks_laid_over_a_device_s_packets_are_found(attack):
    rng = np.random.default_rng(2)
    rows = np.zeros((5000, len(Packets.counters)), np.int64)
    means = {
        "packets_out": 2,
        "udp_out": 0.5,
        "udp_in": 0.5,
        "syn_out": 0.05,
        "peers": 0.5,
        "ports": 0.3,
    }
    for name, mean in means.items():
        rows[:, Packets.counters.index(name)] = rng.poisson(mean, len(rows))
    assert said(rows, Packets.counters) == []
    rows[3000 : 3000 + len(attack.windows)] += attack.windows
    assert said(rows, Packets.counters)


@needs_captures
@pytest.mark.parametrize(("name", "device"), REAL.items())
def test_real_weeks_are_not_accused_and_a_real_infection_is(name, device):
    found = said(count(DATA / f"{name}.pcap.gz", device, 10_000).windows, Packets.counters)
    assert bool(found) == name.startswith("infected"), found


def test_training_refuses_it_in_one_sentence_until_it_is_accepted(tmp_path, monkeypatch, inlier):
    recording, out = tmp_path / "w.csv", tmp_path / "m.inlier"
    recordings.write(
        recording, recordings.Recording(Sockets.counters, scan(benign(1200), 700, 20, 30))
    )
    arguments = ["train", recording, "--window", "1s", "-o", out]
    result = inlier(*arguments)
    refused(result, "look like a scan")
    assert (
        result[2].rstrip().endswith("or say --accept-anomalies if it always does that")
        and not out.exists()
    )

    other = tmp_path / "clean.csv"
    recordings.write(other, recordings.Recording(Sockets.counters, benign(1200, seed=2)))
    refused(inlier("train", other, *arguments[1:]), "w.csv (recording 2): windows 69")

    class Learning(Exception):
        pass

    def learns(*arguments):
        raise Learning

    monkeypatch.setattr(train, "Trainer", learns)
    with pytest.raises(Learning):
        inlier(*arguments, "--accept-anomalies")
