"""What Linux counts, from a recorded /proc/net and from this machine's own."""

import os

from inlier.counters import Windows
from inlier.procfs import Procfs

FOLDER = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."


def read(**options):
    source = Procfs(**options)
    values = [0] * len(source.counters)
    source.read(values)
    return dict(zip(source.counters, values))


def test_all_interfaces_but_loopback_are_summed():
    seen = read(root=FOLDER + "/proc_net")
    assert seen["bytes_in"] == 18446744073709551000 + 1000, "a 64-bit kernel's counter"
    assert (seen["packets_in"], seen["bytes_out"], seen["packets_out"]) == (17, 2005, 26)


def test_one_interface():
    seen = read(root=FOLDER + "/proc_net", interfaces=(b"eth0",))
    assert (seen["bytes_in"], seen["packets_out"]) == (1000, 20)


def test_protocols_are_found_by_their_names():
    seen = read(root=FOLDER + "/proc_net")
    tcp = [
        "tcp_active_opens",
        "tcp_passive_opens",
        "tcp_attempt_fails",
        "tcp_retrans_segs",
        "tcp_out_rsts",
    ]
    assert [seen[name] for name in tcp] == [41, 42, 43, 44, 45]
    assert [seen[name] for name in ("udp_in_datagrams", "udp_no_ports", "udp_out_datagrams")] == [
        51,
        52,
        53,
    ]
    assert [seen[name] for name in ("icmp_in_msgs", "icmp_out_msgs")] == [31, 32]


def test_this_machine_s_own_counters_never_go_backwards():
    try:
        windows = Windows(Procfs())
    except OSError:
        return "needs Linux's /proc/net"
    for _ in range(3):
        assert min(windows.take()) >= 0


LARGE = 5_000_000_000


def test_interfaces_that_come_go_and_are_reset_count_their_traffic_alone():
    """A dongle that is pulled, a driver that is loaded again, a name that comes
    back from another network namespace with all that it has ever counted.
    """
    folder = "proc_net.tmp"
    try:
        os.mkdir(folder)
    except OSError:
        pass
    with open(folder + "/snmp", "w"):
        pass

    def counted(**interfaces):
        with open(folder + "/dev", "w") as f:
            for name, n in sorted(interfaces.items()):
                f.write("%s: %d %d 0 0 0 0 0 0 %d 7\n" % (name, n, n // 100, n // 2))

    counted(eth0=1000, wlan0=LARGE)
    windows = Windows(Procfs(folder))
    try:
        for interfaces, expected in (
            ({"eth0": 1100, "wlan0": LARGE + 500}, 600),
            ({"eth0": 1200}, 100),
            ({"eth0": 1300}, 100),
            ({"eth0": 1400, "wlan0": LARGE + 900}, 100),
            ({"eth0": 1500, "wlan0": LARGE + 1000}, 200),
            ({"eth0": 1600, "wlan0": 300}, 400),  # reset, and 300 since
            ({"eth0": 1700, "wlan0": 300, "usb0": LARGE}, 100),
            ({"wlan0": 400}, 100),
            ({}, 0),
            ({"eth0": 9, "wlan0": LARGE}, 0),
        ):
            counted(**interfaces)
            assert windows.take()[0] == expected, interfaces
    finally:
        for name in ("dev", "snmp"):
            os.remove(folder + "/" + name)
        os.rmdir(folder)
