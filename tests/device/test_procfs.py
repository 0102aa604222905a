"""What Linux counts, from a recorded /proc/net and from this machine's own."""

import os

from inlier.counters import Windows
from inlier.procfs import Procfs

FOLDER = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."


def read(**options):
    source = Procfs(**options)
    values = [1 << 40] * len(source.counters)  # of the reading before: not to be added to
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


class Written:
    """A /proc/net of this test's own."""

    def __init__(self):
        self.root = "procfs.tmp"  # in .gitignore
        try:
            os.mkdir(self.root)
        except OSError:
            pass

    def write(self, name, text):
        with open(self.root + "/" + name, "w") as f:
            f.write(text)

    def remove(self):
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)


def test_a_counter_close_to_64_bits_and_a_kernel_that_lacks_a_field_are_read():
    there = Written()
    try:
        there.write("snmp", "Tcp: ActiveOpens\nTcp: 3\n")
        there.write("dev", "eth0: %d 1 0 0 0 0 0 0 2 3\n" % ((1 << 64) - 10))
        windows = Windows(Procfs(there.root))
        there.write("dev", "eth0: %d 1 0 0 0 0 0 0 2 3\n" % ((1 << 64) - 3))
        assert list(windows.take()) == [7] + [0] * 13
        there.write("dev", "eth0: 5 1 0 0 0 0 0 0 2 3\n")
        assert list(windows.take()) == [5] + [0] * 13, "a reset: no link wraps 64 bits"
        there.write("snmp", "Tcp: ActiveOpens\nTcp: %d\n" % ((1 << 64) - 2))
        windows = Windows(Procfs(there.root))
        there.write("snmp", "Tcp: ActiveOpens\nTcp: 3\n")
        assert list(windows.take()) == [0] * 4 + [5] + [0] * 9, "what Linux counts does, at 2^64"
    finally:
        there.remove()


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
