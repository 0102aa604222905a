"""The loops of the `sockets` source in native code give plain Python's
integers, and a kernel's subtraction those of counters.py.
"""

from array import array

import golden

from inlier import sockets, sockets_plain
from inlier.counters import DELTA_MAX, Windows

HOSTS = (
    "", "0", "10.0.0.1", "192.168.100.200", "255.255.255.255", "1.2.3", "99999999999.1",
    "device.example", "3com.com", "a1b2", "1a.2b", "::1", "fe80::12%en0", "2001:db8::a.b", "a:b",
    "-", "1-2", "/", "x" * 200, "b\u00fccher.example", "nul\0never seen", b"10.0.0.1",
    b"device.example",
)  # fmt: skip
PORTS = (-1, 0, 1, 80, 443, 511, 512, 8883, 65535)
PORTS += tuple(sockets_plain.CONNECT + port for port in PORTS[1:])


def loops():
    """The native ones that load here; those that a board carries must."""
    found = [golden.kernel(name, "inlier.sockets_") for name in ("thumb", "viper")]
    return [module for module in found if module is not None]


def test_the_source_takes_the_fastest_that_loads():
    assert sockets.note is (loops() + [sockets_plain])[0].note


def test_a_host_has_one_hash_everywhere():
    assert sockets_plain.host_hash("10.0.0.1") == ((10 * 1597 * 1597) * 1597 + 1) & 0x3FFFF
    for native in loops():
        for host in HOSTS:
            expected = sockets_plain.host_hash(host)
            assert native.host_hash(host) == expected, (native, host, expected)


def test_contacts_set_the_same_bits_and_counters_everywhere():
    for native in loops():
        bits = [bytearray(sockets_plain.BYTES), bytearray(sockets_plain.BYTES + 1)]
        totals = [array("i", [DELTA_MAX - 3] * 14), array("i", [DELTA_MAX - 3] * 14)]
        h = 1
        for i in range(300):
            h = h * 1597 + 77 & 0x7FFFF  # a name now and then
            for side, use in enumerate((sockets_plain, native)):
                use.note(bits[side], totals[side], h, PORTS[i % len(PORTS)])
            if i % 50 == 49:
                assert bits[0] == bits[1][:-1] and totals[0] == totals[1], (native, i)
                sockets_plain.begin(bits[0])
                native.begin(bits[1])
                assert bits[0] == bits[1][:-1] and not any(bits[0][: sockets_plain.KNOWN_AT])
        assert any(bits[0]) and bits[1][-1] == 0
        assert max(totals[0]) == DELTA_MAX - 3 and min(totals[0]) < 1000, "wrapped at 2^30"


def test_an_address_s_last_hash_is_no_name():
    for loop in loops() + [sockets_plain]:
        bits, totals = bytearray(sockets_plain.BYTES + 1), array("i", [0] * 14)
        for host, names in ((sockets_plain.HASH_MASK, 0), (sockets_plain.HASH_MASK + 1, 1)):
            loop.note(bits, totals, host, -1)
            assert totals[10] == names, (loop, host)


def test_every_port_from_0_up_is_one_that_this_device_chose():
    for loop in loops() + [sockets_plain]:
        for port, ports, connects in (
            (-1, 0, 0),
            (0, 1, 0),
            (1, 1, 0),
            (sockets_plain.CONNECT, 1, 1),
            (sockets_plain.CONNECT + 1, 1, 1),
        ):
            bits, totals = bytearray(sockets_plain.BYTES + 1), array("i", [0] * 14)
            loop.note(bits, totals, 1, port)
            assert (totals[12], totals[4]) == (ports, connects), (loop, port)


class Live:
    bits = 30
    counters = ("a", "b", "c")

    def __init__(self):
        self.live = array("i", [0, 0, 0])

    def read(self, values):
        for i in range(3):
            values[i] = self.live[i]


def test_every_kernel_subtracts_like_python():
    """Counts, wraps and resets; a missed tick too."""
    readings = ((5, 0, 7), (5, 9, 7), (9, DELTA_MAX, 8), (10, 4, 8), (2, 5, 8), (3, 6, DELTA_MAX))
    for name, kernel in golden.kernels():
        source = Live()
        sides = [Windows(source), Windows(source, kernel.subtract)]
        for i, reading in enumerate(readings):
            for c in range(3):
                source.live[c] = reading[c]
            expected, found = [list(side.take(1 + i % 2)) for side in sides]
            assert found == expected, (name, i, found, expected)


def test_a_kernel_subtracts_a_window_unless_a_counter_of_it_went_backwards():
    """Then it leaves all as it is: counters.py takes them one by one."""
    for name, kernel in golden.kernels():
        last, deltas = array("i", [1, 5, 7]), array("i", [2, 2, 2])
        assert not kernel.subtract(array("i", [9, 5, DELTA_MAX]), last, deltas, 3), name
        assert list(deltas) == [8, 0, DELTA_MAX - 7], name
        assert list(last) == [9, 5, DELTA_MAX], name
        for back in ([8, 6, DELTA_MAX], [10, 4, DELTA_MAX], [10, 6, DELTA_MAX - 1]):
            assert kernel.subtract(array("i", back), last, deltas, 3), (name, back)
            assert list(deltas) == [8, 0, DELTA_MAX - 7], (name, back)
            assert list(last) == [9, 5, DELTA_MAX], (name, back)


def test_the_source_s_bitmaps_are_those_that_the_loops_index():
    """Native code writes where it is told."""
    source = sockets.Sockets()
    assert len(source._bits) == sockets_plain.BYTES == sockets_plain.KNOWN_AT + 4096 // 8
    source.contact(("10.0.0.1", 80), True)
    assert len(source.known) == sockets_plain.BYTES - sockets_plain.KNOWN_AT
    assert sum(source.known) in (1, 2, 4, 8, 16, 32, 64, 128), "what a reboot must not forget"


def test_a_counter_that_wraps_gives_the_window_what_was_counted():
    source = sockets.Sockets()
    for i in range(len(source.totals)):
        source.totals[i] = DELTA_MAX
    windows = Windows(source)
    for host in ("device.example", None, 80, "10.0.0.1"):  # of which one is a name
        source.lookup(host)
    source.contact(("10.0.0.1", 80), True)
    names = [source.counters[i] for i, n in enumerate(windows.take()) if n]
    assert names == ["lookups", "peers", "ports", "peers_new"]
