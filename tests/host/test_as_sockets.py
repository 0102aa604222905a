"""The twin of the source `sockets`: what a capture says that an application
counted, against what it did count; and packet by packet.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from broker import HANGS_S
from inlier.sockets import Sockets
from inlier_boards.leash import leashed
from inlier_trainer import overlays
from inlier_trainer.pcap import as_sockets
from inlier_trainer.pcap.count import count
from inlier_trainer.recordings import read
from test_cli import refused
from test_pcap import DEVICE, IP, MAC, PEER, ROUTER, ethernet, ip4, pcap, talk, udp

HERE = Path(__file__).parent
NAMESPACE = ("unshare", "--net", "--mount")


def in_a_namespace(tmp_path, size):
    """What the application counted, and the capture."""
    if (
        not shutil.which("unshare")
        or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to make a network namespace: run it as root")
    path = tmp_path / "lo.pcap"
    done = subprocess.run(
        leashed([*NAMESPACE, sys.executable, HERE / "captured_in_a_namespace.py", path, size]),
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), path


def twin(path):
    windows = count(path, "127.0.0.1", 3_600_000, source="sockets").windows
    assert len(windows) == 1
    return dict(zip(Sockets.counters, windows[0].tolist(), strict=True))


def test_each_counter_is_what_the_application_counted_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(as_sockets, "PATIENCE_MS", 500)
    counted, path = in_a_namespace(tmp_path, "small")
    assert counted["connects_refused"] == 2 and counted["connects_failed"] == 1
    assert counted["accepts"] == 2 and counted["lookups"] == 3 and counted["datagrams_in"] == 3
    assert twin(path) == counted


def test_of_large_pieces_the_bytes_are_equal_and_the_calls_are_bounded(tmp_path):
    """A stack pushes a large piece in several, and a reader reads as it likes."""
    counted, path = in_a_namespace(tmp_path, "large")
    seen = twin(path)
    for calls in ("sends", "receives"):
        assert 1 <= seen.pop(calls) <= 300_000 // 1448 and counted.pop(calls)
    assert seen == counted


# Packet by packet --------------------------------------------------------

S, SA, A, PA, R, F = 2, 18, 16, 24, 20, 17


def out(at, flags, seq, data=b"", port=443, local=5000):
    return at, ethernet(ip4(IP, PEER, 6, segment(local, port, flags, seq, data)))


def into(at, flags, seq, data=b"", port=443, local=5000):
    body = ip4(PEER, IP, 6, segment(port, local, flags, seq, data))
    return at, ethernet(body, source=ROUTER, target=MAC)


def segment(source, target, flags, seq, data):
    return struct.pack(">HHIIBBHHH", source, target, seq, 1, 0x50, flags, 1, 0, 0) + data


def sent(at, port, data=b"x", local=6000):
    return at, ethernet(ip4(IP, PEER, 17, udp(local, port, data)))


def heard(at, port, data=b"x", local=6000):
    body = ip4(PEER, IP, 17, udp(port, local, data))
    return at, ethernet(body, source=ROUTER, target=MAC)


def question(number, kind):
    return struct.pack(">HHHHHH", number, 256, 1, 0, 0, 0) + b"\4bell\0" + bytes((0, kind, 0, 1))


OPEN = (out(0, S, 100), into(0.1, SA, 900), out(0.2, A, 101))
CONTACT = {"peers": 1, "ports": 1, "peers_new": 1}
OPENED = {"connects": 1, **CONTACT}
TOP = (1 << 32) - 5


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        # what is sent again counts once, also in part and across 2^32
        (
            (
                *OPEN,
                out(1, PA, 101, b"12345"),
                out(2, PA, 101, b"12345"),
                out(3, PA, 104, b"45678"),
            ),
            {**OPENED, "bytes_out": 8, "sends": 2},
        ),
        (
            (out(0, S, TOP - 1), out(1, PA, TOP, b"123456"), out(2, PA, 1, b"78")),
            {**OPENED, "bytes_out": 8, "sends": 2},
        ),
        # segments of one piece are one call; a keep-alive moves nothing
        (
            (*OPEN, into(1, A, 901, b"abc"), into(1, PA, 904, b"de"), into(2, A, 905, b"e")),
            {**OPENED, "bytes_in": 5, "receives": 1},
        ),
        # a SYN that is sent again is the same connect, and refused once
        ((out(0, S, 1), out(1, S, 1), into(1.1, R, 0)), {**OPENED, "connects_refused": 1}),
        # broken off later is no refusal
        ((*OPEN, into(1, R, 901)), OPENED),
        # another connection from the same port
        ((*OPEN, out(2, F, 101), out(5, S, 7000)), {**OPENED, "connects": 2}),
        # nobody answers, and a second one is asked again in vain
        (
            (out(0, S, 1), out(0, S, 1, local=5001), out(2, S, 1, local=5001), sent(8, 9)),
            {
                "connects": 2,
                "connects_failed": 2,
                "datagrams_out": 1,
                "bytes_out": 1,
                "peers": 1,
                "ports": 2,
                "peers_new": 1,
            },
        ),
        ((out(0, S, 1), sent(2.9, 443)), {**OPENED, "datagrams_out": 1, "bytes_out": 1}),
        # asked again after two seconds, it would be once more after four
        (
            (out(0, S, 1), out(2, S, 1), sent(5.5, 443)),
            {**OPENED, "datagrams_out": 1, "bytes_out": 1},
        ),
        # taken up by the peer, or a scan of an open and of a closed port
        (
            (into(0, S, 1), out(0, SA, 1), into(0.1, A, 2), into(0.2, PA, 2, b"hi")),
            {"accepts": 1, "bytes_in": 2, "receives": 1, "peers": 1, "peers_new": 1},
        ),
        ((into(0, S, 1), out(0, SA, 1), into(0.1, R, 2), into(1, S, 1, local=9)), {}),
        # datagrams: to a port that nothing was sent from nobody listens
        (
            (sent(0, 123, b"abc"), heard(1, 123, b"defg"), heard(1, 99, b"no", local=7)),
            {"datagrams_out": 1, "bytes_out": 3, "datagrams_in": 1, "bytes_in": 4, **CONTACT},
        ),
        ((sent(0, 67, local=68), sent(0, 5353, local=5353)), {}),
        # one look-up: asked twice, and for both kinds of address; then another
        (
            (
                sent(0, 53, question(1, 1)),
                sent(0, 53, question(2, 28)),
                sent(2, 53, question(1, 1)),
                sent(3, 53, question(3, 1)),
            ),
            {"lookups": 2},
        ),
    ],
)
def test_a_capture_s_packets_are_an_application_s_calls(tmp_path, packets, expected):
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap(packets))
    windows = count(path, DEVICE, 10_000, source="sockets").windows
    seen = dict(zip(Sockets.counters, windows.sum(axis=0).tolist(), strict=True))
    assert {name: n for name, n in seen.items() if n} == expected


def test_distinct_hosts_are_distinct_in_a_window_and_counted_by_the_device_s_own_code(tmp_path):
    path = tmp_path / "made.pcap"
    hosts = [bytes((10, 1, i >> 8, i & 255)) for i in range(300)]
    packets = [
        (at, ethernet(ip4(IP, host, 17, udp(6000, 7)))) for at in (0, 1, 12) for host in hosts
    ]
    path.write_bytes(pcap(packets))
    windows = count(path, DEVICE, 10_000, source="sockets").windows
    source, values = Sockets(), [0] * len(Sockets.counters)
    for window in range(2):
        for host in hosts:
            source.contact((".".join(map(str, host)), 7), True)
        before = list(values)
        source.read(values)
        for name in ("peers", "ports", "peers_new"):
            i = Sockets.counters.index(name)
            assert windows[window, i] == values[i] - before[i], (window, name)
    assert 0 < windows[0, Sockets.counters.index("peers")] < 300, "its bitmap is small"


def test_windows_are_the_same_in_pieces_of_any_size(tmp_path, monkeypatch):
    from inlier_trainer.pcap import reader

    path = tmp_path / "made.pcap"
    packets = [out(0, S, 100), into(0.1, SA, 900)]
    for i in range(200):
        packets += [out(0.2 + i / 9, PA, 101 + 5 * i, b"12345"), sent(0.2 + i / 9, i % 7 + 1)]
    path.write_bytes(pcap(sorted(packets)))
    whole = count(path, DEVICE, 1000, source="sockets").windows
    monkeypatch.setattr(reader, "CHUNK_BYTES", 500)
    assert (count(path, DEVICE, 1000, source="sockets").windows == whole).all() and whole.any()


def test_record_and_evaluate_take_the_source(inlier, tmp_path):
    path, recorded = tmp_path / "c.pcap", tmp_path / "w.csv"
    path.write_bytes(pcap(talk()))
    told = inlier("record", "--pcap", path, "--device", DEVICE, "--as", "sockets", "-o", recorded)
    assert told[0] == 0, told[2]
    assert read(recorded, Sockets.counters).about.source == "sockets"
    refused(
        inlier(
            "record", "--pcap", path, "--device", DEVICE, "--as", "procfs", "-o", tmp_path / "x"
        ),
        "--as procfs: choose one of packets, sockets",
    )
    refused(inlier("record", "--as", "sockets", "-o", tmp_path / "x"), "without --pcap")
    refused(inlier("evaluate", f"{path}@{DEVICE}", "--as", "procfs"), "--as procfs: choose one of")


def test_attacks_are_what_the_device_s_own_sockets_would_count():
    at = {name: i for i, name in enumerate(Sockets.counters)}
    made = {overlay.name: overlay.windows for overlay in overlays.synthetic(10_000, "sockets")}
    assert list(made) == [overlay.name for overlay in overlays.synthetic(10_000)]
    first = {
        name: {c: int(rows[0, i]) for c, i in at.items() if rows[0, i]}
        for name, rows in made.items()
    }
    one = {"peers": 1, "ports": 1, "peers_new": 1}
    assert first["scan 1/s"].pop("peers") in (9, 10)
    assert first["scan 1/s"] == {
        "connects": 10,
        "connects_failed": 10,
        "ports": 2,
        "peers_new": 10,
    }
    assert first["UDP flood 1000/s"] == {"datagrams_out": 10_000, "bytes_out": 1_000_000, **one}
    calls = {"connects": 2, "sends": 2, "receives": 2, "bytes_out": 200, "bytes_in": 200}
    assert first["beacon 9/min"] == {**calls, **one}
    assert first["retries 2/min"] == {"connects": 1, "connects_failed": 1, **one}
    assert made["theft 100 KB/s"][:, at["bytes_out"]].sum() == pytest.approx(180e6, 1e-4)
    sums = {
        name: {c: int(rows[:, at[c]].sum()) for c in ("connects", "sends")}
        for name, rows in made.items()
    }
    for name, connects, sends in (  # in half an hour, the first at once
        ("scan 0.1/s", 180, 0),
        ("beacon 9/min", 270, 270),
        ("beacon 1/min", 30, 30),
        ("retries 2/min", 60, 0),
        ("theft 1 KB/s", 1, -(-1_800_000 // 1448)),
        ("theft 100 KB/s", 1, -(-180_000_000 // 1448)),
    ):
        assert sums[name] == {"connects": connects, "sends": sends}, name
    assert made["retries 2/min"][::3, at["connects"]].all(), "each half a minute"
    assert made["theft 100 KB/s"][1:, at["peers"]].sum() == 0
    assert made["scan 5/s"][-1, at["peers_new"]] < 50, "a bitmap of hosts known fills up"
