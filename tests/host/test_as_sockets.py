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
from inlier_trainer import overlays, overlays_sockets
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


@pytest.mark.slow
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


def padded(at, frame):
    """As Ethernet fills up what is short."""
    return at, frame.ljust(60, b"\xee")


def with_options(at, flags, seq, data):
    head = segment(5000, 443, flags, seq, b"")
    head = head[:12] + b"\x80" + head[13:] + bytes(12)
    return at, ethernet(ip4(IP, PEER, 6, head + data))


def fragment(at, protocol, offset):
    return at, ethernet(ip4(IP, PEER, protocol, udp(6000, 9, b"abcdefghijkl"), offset))


MOVED_2 = {"bytes_out": 2, "sends": 1}


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        # a SYN takes a number, and may bring bytes with it (RFC 7413)
        ((out(0, S, 100, b"abc"), out(1, PA, 103, b"cd")), {**OPENED, "bytes_out": 4, "sends": 1}),
        # another connection has numbers of its own
        (
            (*OPEN, out(1, PA, 101, b"abc"), out(2, S, 50), into(2.1, SA, 7), out(3, PA, 51, b"de"),
             into(4, PA, 8, b"f")),
            {**OPENED, "connects": 2, "bytes_out": 5, "sends": 2, "bytes_in": 1, "receives": 1},
        ),
        # to another port, or host, from the same one
        (
            (out(0, PA, 1, b"a"), out(1, PA, 90, b"b", port=444), out(2, PA, 2, b"c"),
             out(3, PA, 91, b"d", port=444)),
            {"bytes_out": 4, "sends": 4},
        ),
        # what comes behind a hole counts, what fills it does not
        (
            (*OPEN, out(1, PA, 101, b"12"), out(2, PA, 106, b"67"), out(3, PA, 103, b"345")),
            {**OPENED, "bytes_out": 4, "sends": 2},
        ),
        # a reset's number and bytes move nothing, be they ahead or behind
        ((*OPEN, into(1, R, 5000, b"xx"), into(2, PA, 901, b"a")), {
            **OPENED, "bytes_in": 1, "receives": 1,
        }),
        ((*OPEN, into(1, R, 10, b"xx"), into(2, PA, 901, b"a")), {
            **OPENED, "bytes_in": 1, "receives": 1,
        }),
        # one that began before the capture: from its first segment on
        ((out(0, PA, 77, b"ab"), out(1, PA, 77, b"ab"), out(2, A, 79)), MOVED_2),
        ((out(0, A, 76), out(1, PA, 76, b"ab"), into(2, PA, 5, b"c")), {
            **MOVED_2, "bytes_in": 1, "receives": 1,
        }),
        # what a frame is filled up with, and a header's options, are no bytes
        ((padded(*out(0, PA, 77, b"ab")),), MOVED_2),
        ((with_options(0, PA, 77, b"ab"),), MOVED_2),
        # two at once
        (
            (out(0, PA, 1, b"a"), out(1, PA, 90, b"b", local=5001), out(2, PA, 2, b"c"),
             out(3, PA, 91, b"d", local=5001)),
            {"bytes_out": 4, "sends": 4},
        ),
        # its own reset ends no waiting, and refuses nothing
        ((out(0, S, 1), out(1, R, 2), sent(9, 443)), {
            **OPENED, "connects_failed": 1, "datagrams_out": 1, "bytes_out": 1,
        }),
        # a SYN is one whatever else it says, but for an ACK
        ((out(0, S | 0xE9, 1),), OPENED),
        # the end of what a peer sends is no reset, and no call's end
        ((out(0, S, 1), into(0.1, F, 0), sent(2, 443)), {
            **OPENED, "datagrams_out": 1, "bytes_out": 1,
        }),
        ((*OPEN, out(1, F, 101, b"ab")), {**OPENED, "bytes_out": 2}),
        # a refused one that is tried with the same number is the same
        ((out(0, S, 1), into(0.1, R, 0), out(1, S, 1), into(1.1, R, 0)), {
            **OPENED, "connects_refused": 1,
        }),
        ((out(0, S, 1), into(0.1, R, 0), out(1, S, 2), into(1.1, R, 0)), {
            **OPENED, "connects": 2, "connects_refused": 2,
        }),
        # an answer without a question, and a question without an answer
        ((into(0, SA, 1), out(1, A, 2)), {}),
        ((into(0, S, 1), into(1, A, 2)), {}),
        ((into(0, S, 1), into(0.1, SA, 7), into(1, A, 2)), {}),  # nor by itself
        ((out(0, S, 1), out(0.1, SA, 1), sent(9, 443)), {
            **OPENED, "connects_failed": 1, "datagrams_out": 1, "bytes_out": 1,
        }),
        ((out(0, SA, 1), into(1, A, 2)), {}),
        ((into(0, S, 1), out(0.1, SA, 7), out(1, A, 8)), {}),
        ((into(0, S, 1), out(0.1, R, 7), into(1, A, 2)), {}),
        # taken up once, whatever comes again; and the next one from that port
        (
            (into(0, S, 1), out(0.1, SA, 7), into(1, S, 1), out(1.1, SA, 7), into(2, A, 2),
             into(3, A, 2)),
            {"accepts": 1, "peers": 1, "peers_new": 1},
        ),
        (
            (into(0, S, 1), out(0.1, SA, 7), into(1, A, 2), into(2, S, 99), out(2.1, SA, 8),
             into(3, A, 100)),
            {"accepts": 2, "peers": 1, "peers_new": 1},
        ),
        ((into(0, S, 1), out(0.1, SA, 7), into(1, S, 99), into(2, A, 100)), {}),
        ((into(0, S, 1), out(0.1, SA, 7), into(1, A, 2), out(2, S, 70)), {
            "accepts": 1, **OPENED,
        }),
        # a later fragment says no ports, and nothing of a connection
        ((fragment(0, 17, 5), fragment(1, 6, 5)), {}),
        # a datagram that says that it is shorter than its head
        ((sent(0, 9, b""), (1, ethernet(ip4(IP, PEER, 17, struct.pack(">HHHH", 6000, 9, 3, 0))))), {
            "datagrams_out": 2, **CONTACT,
        }),
        # a look-up of another socket, one after ten seconds, and IPv6's alone
        ((sent(0, 53, question(1, 1)), sent(1, 53, question(1, 1), local=6001)), {"lookups": 2}),
        ((sent(0, 53, question(1, 1)), sent(9.999, 53, question(1, 1))), {"lookups": 1}),
        ((sent(0, 53, question(1, 1)), sent(10, 53, question(1, 1))), {"lookups": 2}),
        ((sent(0, 9), sent(20, 53, question(1, 1)), sent(25, 53, question(1, 1))), {
            "lookups": 1, "datagrams_out": 1, "bytes_out": 1, **CONTACT,
        }),
        (tuple(sent(at, 53, question(1, 1)) for at in (0, 6, 11)), {"lookups": 2}),
        ((sent(0, 53, question(1, 28)), sent(1, 53, question(2, 27))), {"lookups": 1}),
        (  # it is its number that says that it is the same
            (sent(0, 53, question(1, 1)), sent(1, 53, b"\0\1\0\0" + question(1, 1)[4:])),
            {"lookups": 1},
        ),
        ((heard(0, 53, question(1, 1)),), {}),
    ],
)  # fmt: skip
def test_what_a_segment_or_a_datagram_adds(tmp_path, packets, expected):
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap(packets))
    whole = count(path, DEVICE, 10_000, source="sockets")
    seen = dict(zip(Sockets.counters, whole.windows.sum(axis=0).tolist(), strict=True))
    assert {name: n for name, n in seen.items() if n} == expected
    assert whole.seen.sum() == len(packets)


def test_of_a_packet_that_was_cut_the_bytes_are_those_of_the_link(tmp_path):
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap([out(0, PA, 77, b"ab" * 50), sent(1, 9, b"abc")], cut=54))
    seen = dict(zip(Sockets.counters, count(path, DEVICE, 10_000, source="sockets").windows[0]))
    assert (seen["bytes_out"], seen["sends"], seen["datagrams_out"]) == (103, 1, 1)


@pytest.mark.parametrize("port", [53, 67, 68, 546, 547, 5353])
def test_what_a_stack_does_by_itself_is_nothing_that_an_application_did(tmp_path, port):
    path = tmp_path / "made.pcap"

    def seen(*packets):
        path.write_bytes(pcap([out(0, A, 1), *packets]))
        columns = count(path, DEVICE, 10_000, source="sockets").windows[0].tolist()
        return {name: n for name, n in zip(Sockets.counters, columns, strict=True) if n}

    cut = b""  # no question
    asked = {"lookups": 1} if port == 53 else {}
    assert seen(sent(1, port, cut), heard(2, port, cut)) == asked
    assert seen(sent(1, 9, cut, local=port), heard(2, 9, cut, local=port)) == {}
    for other in {port - 1, port + 1} - set(as_sockets.OWN_PORTS):
        both = {"datagrams_out": 1, "datagrams_in": 1, **CONTACT}
        assert seen(sent(1, other, cut), heard(2, other, cut)) == both
        assert seen(sent(1, 9, cut, local=other), heard(2, 9, cut, local=other)) == both


@pytest.mark.parametrize(
    ("packets", "at_s"),
    [
        ([out(0, S, 1)], 3),
        ([out(1.5, S, 1)], 4),
        ([out(0, S, 1), out(1, S, 1)], 4),  # a second later it would be sent after two
        ([out(0, S, 1), out(2, S, 1)], 6),
        ([out(0, S, 1), out(1, S, 1), out(3, S, 1)], 7),
        ([out(0, S, 1), out(2, S, 1), out(2.5, S, 1)], 5),
        ([out(0, S, 1), out(2, S, 2), into(2.1, SA, 9)], 2),  # another one takes its place
        ([out(0, S, 1), out(5, S, 2), into(5.1, SA, 9)], 3),
        ([out(0, S, 1), out(3, S, 2), into(3.1, SA, 9)], 3),
        ([out(0, S, 1), into(2, S, 2)], 2),
    ],
)
def test_a_connect_has_failed_when_no_answer_can_come_in_time(tmp_path, packets, at_s):
    path = tmp_path / "made.pcap"
    column = Sockets.counters.index("connects_failed")
    path.write_bytes(pcap([sent(0, 9), *packets, sent(11, 9)], nano=True))
    failed = count(path, DEVICE, 1000, source="sockets").windows[:, column].tolist()
    assert [at for at, n in enumerate(failed) for _ in range(n)] == [at_s]
    path.write_bytes(pcap([sent(0, 9), *packets, sent(at_s + 0.999, 9)], nano=True))
    assert sum(count(path, DEVICE, 1000, source="sockets").windows[:, column]) == 1


def test_at_the_end_of_a_capture_an_answer_may_still_come(tmp_path):
    path = tmp_path / "made.pcap"
    column = Sockets.counters.index("connects_failed")
    for end_s, failed in ((2.999999999, 0), (3, 1)):
        path.write_bytes(pcap([out(0, S, 1), sent(end_s, 9)], nano=True))
        assert count(path, DEVICE, 10_000, source="sockets").windows[:, column].tolist() == [failed]
    others = ethernet(b"", 0x88CC, source=ROUTER, target=ROUTER)
    for begin_s, failed in ((8, 0), (1, 1)):  # 8: in a window that is none of the device's
        path.write_bytes(pcap([sent(0, 9), out(begin_s, S, 1), (12, others)]))
        windows = count(path, DEVICE, 10_000, source="sockets").windows
        assert windows[:, column].tolist() == [failed], begin_s


def test_what_is_older_than_the_first_packet_belongs_to_the_first_window(tmp_path, monkeypatch):
    from inlier_trainer.pcap import reader

    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    path = tmp_path / "made.pcap"
    older = [out(60, S, 1), into(60.1, R, 0), into(70, S, 5), out(70.1, SA, 1), into(70.2, A, 6)]
    path.write_bytes(pcap([sent(100, 9), *older, sent(111, 9)]))
    windows = count(path, DEVICE, 10_000, source="sockets").windows
    seen = [dict(zip(Sockets.counters, row, strict=True)) for row in windows.tolist()]
    names = ("connects", "connects_refused", "accepts", "datagrams_out", "peers", "ports")
    assert [[row[name] for name in names] for row in seen] == [
        [1, 1, 1, 1, 1, 2],
        [0, 0, 0, 1, 1, 1],
    ]


def test_who_takes_up_a_connection_may_do_so_in_a_later_piece(tmp_path, monkeypatch):
    from inlier_trainer.pcap import reader

    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap([into(0, S, 1), out(1, SA, 7), into(2, A, 2), into(3, PA, 2, b"a")]))
    seen = dict(zip(Sockets.counters, count(path, DEVICE, 10_000, source="sockets").windows[0]))
    assert (seen["accepts"], seen["bytes_in"], seen["peers"]) == (1, 1, 1)


def test_an_answer_to_a_connect_that_was_given_up_is_none(tmp_path, monkeypatch):
    from inlier_trainer.pcap import reader

    path = tmp_path / "made.pcap"
    column = Sockets.counters.index("connects_failed")
    before = [out(0, S, 1), sent(1, 9), sent(5, 9)]
    monkeypatch.setattr(reader, "CHUNK_BYTES", len(pcap(before)))  # it is looked at after each
    path.write_bytes(pcap([*before, into(6, SA, 9)]))
    assert count(path, DEVICE, 10_000, source="sockets").windows[:, column].tolist() == [1]


def test_of_more_connections_than_are_kept_those_are_given_up_that_were_idle(tmp_path, monkeypatch):
    from inlier_trainer.pcap import reader

    monkeypatch.setattr(as_sockets, "CONNECTIONS_MAX", 4)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)  # a packet each
    path = tmp_path / "made.pcap"
    syns = [out(i / 10, S, 1, local=5000 + i) for i in (0, 1, 2, 3)]
    names = ("connects", "connects_failed")

    def seen(*packets):
        path.write_bytes(pcap([*syns, *packets]))
        windows = count(path, DEVICE, 10_000, source="sockets").windows
        return tuple(int(windows[0, Sockets.counters.index(name)]) for name in names)

    answers = [into(1 + i / 10, SA, 9, local=5000 + i) for i in range(5)]
    assert seen(*answers[:4]) == (4, 0)
    fifth = out(0.5, S, 1, local=5004)
    kept = out(0.4, A, 2, local=5000), out(0.45, A, 2, local=5001)
    assert seen(*kept, fifth, answers[0], answers[1], answers[4]) == (5, 2), "5002 and 5003"
    first = len(pcap([*syns, *kept]))
    rest = first - len(pcap([fifth, sent(0.6, 9, b"")])) + len(pcap([]))
    monkeypatch.setattr(reader, "CHUNK_BYTES", first)  # two pieces; what comes last in one, counts
    packets = (*kept, fifth, sent(0.6, 9, bytes(rest)), answers[0], answers[1], answers[4])
    assert seen(*packets) == (5, 2)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    assert seen(fifth, answers[2], answers[3], answers[4]) == (5, 2), "5000 and 5001"
    assert seen(fifth, sent(2, 9)) == (5, 2), "the others may yet be answered"


def test_of_more_look_ups_than_are_kept_one_that_is_asked_again_is_another(tmp_path, monkeypatch):
    path = tmp_path / "made.pcap"
    column = Sockets.counters.index("lookups")
    for most, numbers, lookups in (
        (as_sockets.CONNECTIONS_MAX, (1, 2, 3, 1, 2, 3), 3),
        (2, (1, 2, 1, 2), 2),
        (2, (1, 2, 3, 1), 4),
        (2, (1, 2, 3, 3), 3),
    ):
        monkeypatch.setattr(as_sockets, "CONNECTIONS_MAX", most)
        asked = [sent(at, 53, question(number, 1)) for at, number in enumerate(numbers)]
        path.write_bytes(pcap(asked))
        assert count(path, DEVICE, 10_000, source="sockets").windows[0, column] == lookups


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
        number = 101 + 5 * (i - i % 3)  # each is sent three times
        packets += [out(0.2 + i / 9, PA, number, b"12345"), sent(0.2 + i / 9, i % 7 + 1)]
        to = ethernet(ip4(IP, bytes((10, 0, 1, i % 13)), 17, udp(6000, 7)))
        packets.append((0.2 + i / 9, to))
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


def test_a_made_up_scan_goes_to_addresses_that_are_nobody_s_each_once():
    """198.18.0.0/15 of RFC 2544, and telnet's two ports in turn."""
    for i, address in (
        (0, "198.18.0.0"),
        (255, "198.18.0.255"),
        (256, "198.18.1.0"),
        (65535, "198.18.255.255"),
        (65536, "198.19.0.0"),
        (131071, "198.19.255.255"),
        (131072, "198.18.0.0"),
    ):
        assert overlays_sockets._another(i) == (address, (23, 2323)[i & 1])


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
