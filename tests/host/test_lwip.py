"""firmware/lwip counts what `record --pcap` does, through lwIP's interfaces,
under the address and undefined-behaviour sanitizers.
"""

import os
import random
import struct
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from frames import windows
from inlier.packet_counters import Packets
from inlier_boards.build.micropython import search_path
from inlier_export import reference
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector, with_thresholds
from inlier_trainer.pcap.count import count
from lwip_play import HERE, Recorded, compiled, playing
from micropython_lwip import built
from test_pcap import (
    DATA,
    DEVICE,
    IP,
    MAC,
    PEER,
    REAL,
    ROUTER,
    ethernet,
    ip4,
    ip6,
    needs_captures,
    pcap,
    talk,
    tcp,
    udp,
)
from tools_missing import LWIP, needs_tool

pytestmark = needs_tool(LWIP)
NIGHTLY = "INLIER_NIGHTLY" in os.environ
TOLD = "-DLWIP_NETIF_EXT_STATUS_CALLBACK=1"  # as rp2 and ESP-IDF have it; Debian does not
HERE6, THERE6 = bytes.fromhex("fe80" + 26 * "0" + "05"), bytes.fromhex("20010db8" + 22 * "0" + "09")
VLAN = struct.pack(">HH", 0x8100, 7)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("lwip"), "play")


def both(program, path, device, pieces):
    """The windows that lwIP's hooks count, and the trainer's."""
    with playing(program, device, pieces) as listener:
        counted = windows(path, device, 10_000, listener)
    return counted, count(path, device, 10_000).windows


def agree(counted, expected):
    assert counted.shape == expected.shape
    different = [
        (int(window), Packets.counters[i], int(counted[window, i]), int(expected[window, i]))
        for window, i in np.argwhere(counted != expected)
    ]
    assert not different, different[:5]


def everything():
    """A little of each kind, some cut off at each length."""
    six = ip6(HERE6, THERE6, 17, udp(5000, 53))
    options = struct.pack(">BB6x", 17, 0) + udp(5000, 53)
    chained = struct.pack(">BB6xBBHI", 44, 0, 6, 0, 0, 7) + tcp(9, 80, 2)
    later = struct.pack(">BBHI", 6, 0, 8, 7) + tcp(9, 81, 2)
    four = struct.pack(">BB6x", 60, 0) * 3 + struct.pack(">BB6x", 17, 0) + udp(5000, 99)
    five = struct.pack(">BB6x", 60, 0) + four
    frames = [
        ethernet(ip4(IP, PEER, 6, tcp(1, 80, 2)), tags=struct.pack(">HH", 0x88A8, 5) + VLAN),
        ethernet(ip4(IP, PEER, 17, udp(9, 53, bytes(40)), fragment=0x2000)),
        ethernet(ip4(IP, PEER, 17, udp(9, 53), fragment=13)),
        ethernet(ip4(IP, PEER, 17, udp(9, 54), fragment=0x1000)),
        ethernet(six, 0x86DD),
        ethernet(ip6(HERE6, THERE6, 0, options), 0x86DD),
        ethernet(ip6(HERE6, THERE6, 0, chained), 0x86DD),
        ethernet(ip6(HERE6, THERE6, 44, later), 0x86DD),
        ethernet(ip6(HERE6, THERE6, 60, four), 0x86DD),
        ethernet(ip6(HERE6, THERE6, 60, five), 0x86DD),
        ethernet(ip6(HERE6, b"\xff\x02" + bytes(14), 58, bytes(8)), 0x86DD),
        ethernet(ip6(HERE6, bytes(16), 58, bytes(8)), 0x86DD),
        ethernet(ip4(IP, bytes(4), 17, udp(68, 67))),
        ethernet(ip4(IP, b"\xff" * 4, 17, udp(68, 67)), target=b"\xff" * 6),
        ethernet(ip4(IP, b"\xff" * 4, 17, udp(68, 67))),
        ethernet(ip4(IP, bytes([224, 0, 0, 251]), 17, udp(5353, 5353))),
        ethernet(ip4(PEER, IP, 6, tcp(80, 1, 18)), source=ROUTER, target=MAC),
        ethernet(ip4(PEER, IP, 6, tcp(80, 9, 20)), source=ROUTER, target=MAC),
        ethernet(ip4(PEER, IP, 6, tcp(9, 22, 2)), source=ROUTER, target=MAC),
        ethernet(ip4(IP, IP, 6, tcp(9, 22, 2)), target=MAC),
        ethernet(ip4(PEER, IP, 1, bytes(8)), source=ROUTER, target=MAC),
        ethernet(ip4(PEER, PEER, 6, tcp(1, 2, 2)), source=ROUTER, target=PEER + IP[:2]),
        ethernet(bytes(28), 0x0806, target=b"\xff" * 6),
        ethernet(bytes(28), 0x0806, source=ROUTER, target=b"\xff" * 6),
        ethernet(bytes(28), 0x88CC, source=ROUTER, target=b"\x01" + bytes(5)),
        ethernet(bytes([0x4F]) + ip4(IP, PEER, 6, bytes(40) + tcp(1, 23, 2))[1:]),
    ]  # fmt: skip
    whole = [*talk(), *((30 + i, frame) for i, frame in enumerate(frames))]
    # Failed at the very end of a window, so in the next; and begun again then.
    syn = ethernet(ip4(IP, PEER, 6, tcp(7, 7, 2)))
    whole += [(67, syn), (77, syn), (80, syn)]
    cut = [(90 + n / 100, frame[:n]) for frame in frames for n in range(len(frame))]
    return [*whole, *sorted(cut, key=lambda one: one[0])]


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_windows_of_every_kind_of_frame_are_those_of_the_capture(program, tmp_path, pieces):
    path = tmp_path / "capture"
    path.write_bytes(pcap(everything()))
    counted, expected = both(program, path, DEVICE, pieces)
    agree(counted, expected)
    assert expected.any(axis=0).all(), "each counter has counted"


def test_an_interface_that_is_added_is_hooked_before_its_first_packet(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(pcap(talk()))
    agree(*both(compiled(tmp_path, "play", TOLD), path, DEVICE, 0))


def counted(listener):
    return dict(zip(Packets.counters, listener.read(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("flag", [TOLD, "-DFOUND"])
def test_a_driver_may_set_its_functions_anew(tmp_path, flag):
    with playing(compiled(tmp_path, "play", flag), DEVICE, 0) as listener:
        for function in (b"I", b"O", b"I"):
            listener.anew(function)
            listener.frame(ethernet(bytes(28), 0x0806), True)
            listener.frame(ethernet(bytes(28), 0x0806, ROUTER, MAC), False)
        totals = counted(listener)
    assert (totals["packets_out"], totals["packets_in"]) == (3, 3)


def test_what_an_access_point_sends_back_was_counted_when_it_was_sent(program):
    with playing(program, DEVICE, 0) as listener:
        echo = ethernet(bytes(28), 0x0806, target=b"\xff" * 6)
        listener.frame(echo, True)
        listener.frame(echo, False)
        totals = counted(listener)
    assert (totals["packets_out"], totals["packets_in"], totals["arp"]) == (1, 0, 1)


@needs_captures
@pytest.mark.parametrize("pieces", [0, 7])
@pytest.mark.parametrize("name", REAL)
def test_real_captures_have_no_difference(program, name, pieces):
    if name != "infected-pi-scan" and not NIGHTLY:
        pytest.skip("four seconds each: run `make nightly`")
    agree(*both(program, DATA / f"{name}.pcap.gz", REAL[name], pieces))


def mutated(n, seed):
    """(seconds, frame): frames of everything(), bent."""
    rng = random.Random(seed)
    seeds = [frame for _, frame in everything() if len(frame) >= 14]
    now = 0.0
    for _ in range(n):
        frame = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            kind = rng.choice((0, 1, 6, 17, 44, 60, 255, rng.getrandbits(8)))
            frame[rng.randrange(len(frame))] = kind
        if rng.random() < 0.2:
            frame[12:12] = VLAN * rng.randrange(1, 4)
        if rng.random() < 0.1:
            del frame[rng.randrange(12, len(frame) + 1) :]
        if rng.random() < 0.05:
            frame += bytes(rng.randrange(1500))
        now += rng.choice((0, 0.0001, 0.003, 0.3, 3.0)) * rng.random()
        yield now, bytes(frame)


def test_bent_frames_have_no_difference_and_no_sanitizer_speaks(program, tmp_path):
    """In make test some thousands; a million a night."""
    path, each = tmp_path / "capture", 50_000 if NIGHTLY else 2_000
    for seed in range(20 if NIGHTLY else 2):
        path.write_bytes(pcap(mutated(each, seed)))
        agree(*both(program, path, DEVICE, seed))


def test_what_the_stack_sends_is_counted_but_not_over_loopback_or_without_ethernet(tmp_path):
    names = ",".join(f'"{name}"' for name in Packets.counters)
    program = compiled(tmp_path, "stack", f"-DNAMES={names}")
    quiet = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # a packet that waits for an address
    done = subprocess.run([program], capture_output=True, text=True, check=False, env=quiet)
    sent = "bytes_out=46 packets_out=1 udp_out=1 dns=1"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "added:",
        "to itself:",
        f"to all: {sent}",
        "asks who has the address: bytes_out=42 packets_out=1 arp=1",
        "added again:",
        f"to all: {sent}",
        "added another:",
        f"to all: {sent}",
        "added one without Ethernet:",
        "over that one:",
    ]


@pytest.mark.slow  # MicroPython is built for it, once for each change of the module
def test_the_ordinary_monitor_scores_what_passes_lwip(tmp_path):
    """MicroPython with the module: the capture's windows, and the reference's
    scores of them.
    """
    capture = tmp_path / "capture"
    capture.write_bytes(pcap([*everything(), *((100 + t, frame) for t, frame in mutated(4000, 9))]))
    with (tmp_path / "played").open("wb") as file:
        windows(capture, DEVICE, 10_000, Recorded(file, DEVICE))
    expected = count(capture, DEVICE, 10_000).windows
    detector = replace(random_detector(3, counters=Packets.counters), source=Packets.name)
    detector = with_thresholds(detector, reference.run(detector, expected))
    (tmp_path / "model").write_bytes(pack(detector))
    trace = reference.run(detector, expected)
    assert len(expected) > 50 and len(set(trace.event.tolist())) > 2
    done = subprocess.run(
        [built(), HERE / "device/scores.py", tmp_path / "model", tmp_path / "played"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MICROPYPATH": search_path()},
    )
    assert done.returncode == 0, done.stderr + done.stdout[-500:]
    got = np.array([line.split() for line in done.stdout.splitlines()], np.int64)
    agree(got[:, :-4], expected)
    scores = np.stack([trace.ae, trace.svm, trace.hot, trace.event], axis=1)
    assert (got[:, -4:] == scores).all()
