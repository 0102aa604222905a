"""The source `packets` against the kernel: a machine listens at one end of a
cable, in a network namespace that the test makes, and counts what is played
into both ends as `record --pcap` counts it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cable
import inlier
from inlier.packet_counters import Packets
from inlier_boards.build.micropython import find_or_build, search_path
from inlier_trainer.pcap.count import count
from test_packets_linux import KINDS
from test_pcap import (
    DATA,
    DEVICE,
    IP,
    PEER,
    REAL,
    ethernet,
    ip4,
    needs_captures,
    pcap,
    talk,
    udp,
)

HERE = Path(__file__).parent
HANGS_S = 900
FIRMWARE = Path(inlier.__file__).parents[1]
CPYTHON = (sys.executable, "-u")


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def namespace():
    if cable.missing():
        pytest.skip(cable.missing())


def run(*command, **options):
    return subprocess.run(
        cable.in_namespace(*command),
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
        **options,
    )


def differences(path, address, listener):
    played = run(
        *(sys.executable, HERE / "cable.py", path, address, 10_000),
        *(*listener, HERE / "packets_listener.py"),
        env={**os.environ, "MICROPYPATH": search_path()},
    )
    assert played.returncode == 0, played.stderr
    counted = count(path, address, 10_000).windows
    told = np.array(json.loads(played.stdout))
    assert told.shape == counted.shape
    return [
        (int(row), Packets.counters[column], int(told[row, column]), int(counted[row, column]))
        for row, column in np.argwhere(told != counted)
    ]


@pytest.fixture
def capture(tmp_path):
    """A connection answered, one refused, one unanswered; every kind of packet,
    VLAN tags and IPv6 among them; and somebody else's.
    """
    path = tmp_path / "all.pcap"
    path.write_bytes(pcap([*talk(), *((40 + 3.5 * i, frame) for i, frame in enumerate(KINDS))]))
    return path


def test_what_passes_the_cable_counts_as_in_a_capture(capture):
    assert differences(capture, DEVICE, CPYTHON) == []


@pytest.mark.micropython
def test_micropython_counts_the_same(capture):
    micropython = find_or_build()
    tried = subprocess.run([micropython, "-c", "import ffi"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("needs a MicroPython with ffi: Debian's, or one built where libffi-dev is")
    assert differences(capture, DEVICE, (micropython,)) == []


@needs_captures
@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")
@pytest.mark.parametrize("name", REAL)
def test_a_real_capture_played_over_the_cable_gives_its_windows(name):
    assert differences(DATA / f"{name}.pcap.gz", REAL[name], CPYTHON) == []


@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")
def test_a_machine_is_recorded_trained_on_and_watched_and_its_scan_is_named(tmp_path):
    done = run(sys.executable, HERE / "machine_on_a_cable.py", tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["windows"] <= 3, "two hot windows of eight alarm"
    named = [name.partition("~")[0] for name, _ in told["alarm"]["features"]]
    assert "ports" in named and "syn_out" in named, "what it did, in the order of its weight"


# What a script below finds: the source at one end, and a socket at the other.
BEGIN = """
import socket, sys
import cable
from inlier import packets, packets_linux
def lay():
    cable.lay("02:00:00:00:00:aa")
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((cable.HERE, 0))
    return s
frame = bytes.fromhex(sys.argv[1])
values = [0] * 18
def read():
    source.read(values)
    return values[source.counters.index("udp_out")]
end = lay()
"""


def script(text):
    frame = ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(99))))
    done = run(sys.executable, "-c", BEGIN + text, frame.hex(), cwd=HERE)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_the_kernel_drops_is_counted():
    said = script("""
packets_linux.SLOTS = 256  # one block
source = packets.source(cable.HERE)
for _ in range(1000): end.send(frame)
print(read(), source.lost)
end.send(frame)
print(read(), source.lost)
""")
    assert said == [
        "inlier: the kernel dropped 744 packets of this window on 'veth0': they count as sent and "
        "received",
        "256 744",
        "257 0",
    ]


def test_an_adapter_that_is_unplugged_and_plugged_in_again_is_counted_on():
    said = script("""
source = packets.source(cable.HERE)
end.send(frame)
print(read())
cable.ip("link set veth0 down")
print(read())
cable.ip("link set veth0 up")
end.send(frame)
print(read())
cable.ip("link del veth0")
print(read())
end = lay()
print(read(), source.lost > 0)
end.send(frame)
print(read(), source.lost)
""")
    assert said == [
        *("1", "1", "2"),
        *("inlier: interface 'veth0' is gone", "2"),
        *("inlier: interface 'veth0' is back", "2 True", "3 0"),
    ]


def test_the_interface_of_the_default_route_is_the_one_that_is_counted():
    assert script("""
cable.ip("address add 10.9.0.1/24 dev veth1")
cable.ip("route add default via 10.9.0.2")
print(packets.source().interface)
""") == ["veth1"]


RECORD = ("-m", "inlier_host", "record", "--source", "packets", "--window", "50ms", "--count", 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "no interface has a default route: say which one to count, such as --interface eth0"),
        (("--interface", "wlan9"), "no interface 'wlan9': 'ip link' shows those there are"),
        (("--interface", "lo"), "'lo' carries no Ethernet frames (hardware type 772): name one"),
    ],
)
def test_an_interface_that_cannot_be_counted_is_one_sentence(options, told, tmp_path):
    done = run(sys.executable, *RECORD, "-o", tmp_path / "w.csv", *options)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_who_may_not_look_at_packets_is_told_what_to_grant(tmp_path):
    without = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    done = run(*without, sys.executable, *RECORD, "-o", tmp_path / "w.csv", "--interface", "lo")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "needs the capability CAP_NET_RAW: run as root, or as the service" in done.stderr


def test_an_interface_is_no_part_of_other_sources(tmp_path):
    done = run(
        *(sys.executable, "-m", "inlier_host", "record", "--interface", "eth0"),
        *("-o", tmp_path / "w.csv"),
    )
    assert done.returncode == 2
    assert "source 'procfs' does not count one interface; add --source packets" in done.stderr
