"""Source that reads what Linux counts, in /proc/net/dev and /proc/net/snmp: the
Raspberry Pi, by CPython or MicroPython.
"""


class Procfs:
    """Host-wide counters of all interfaces but `lo`.

    root: where /proc/net is, for tests.
    """

    name = "procfs"
    counters = (
        "bytes_in",
        "packets_in",
        "bytes_out",
        "packets_out",
        "tcp_active_opens",
        "tcp_passive_opens",
        "tcp_attempt_fails",
        "tcp_retrans_segs",
        "tcp_out_rsts",
        "udp_in_datagrams",
        "udp_no_ports",
        "udp_out_datagrams",
        "icmp_in_msgs",
        "icmp_out_msgs",
    )
    bits = 64  # of a 64-bit kernel; a 32-bit one wraps at 2^32, which then passes for a reset
    _SNMP = (
        ("Tcp", b"ActiveOpens"),
        ("Tcp", b"PassiveOpens"),
        ("Tcp", b"AttemptFails"),
        ("Tcp", b"RetransSegs"),
        ("Tcp", b"OutRsts"),
        ("Udp", b"InDatagrams"),
        ("Udp", b"NoPorts"),
        ("Udp", b"OutDatagrams"),
        ("Icmp", b"InMsgs"),
        ("Icmp", b"OutMsgs"),
    )

    def __init__(self, root="/proc/net", interfaces=None):
        self._root = root
        self._interfaces = interfaces  # names as bytes; None: all but lo
        self._last = None  # what each counted at the former reading
        self._offset = [0, 0, 0, 0]

    def read(self, values):
        """Fill `values` with the counters. Raises OSError where /proc/net is
        missing.
        """
        now = {}
        with open(self._root + "/dev", "rb") as f:
            for line in f:
                name, colon, rest = line.partition(b":")
                name = name.strip()
                if not colon or (
                    name == b"lo" if self._interfaces is None else name not in self._interfaces
                ):
                    continue
                fields = rest.split()
                now[name] = [int(fields[i]) for i in (0, 1, 8, 9)]
        self._sum(now, values)
        with open(self._root + "/snmp", "rb") as f:
            while True:
                names = f.readline().split()
                if not names:
                    break
                numbers = f.readline().split()
                group = str(names[0], "ascii")[:-1]
                for i in range(len(self._SNMP)):
                    wanted, field = self._SNMP[i]
                    if wanted == group and field in names:
                        values[4 + i] = int(numbers[names.index(field)])

    def _sum(self, now, values):
        """Fill the first four `values`, which never go backwards: an interface
        that comes brings what it counted elsewhere, one that goes takes that
        along, one that is reset forgets it. None of it was traffic.
        """
        last = now if self._last is None else self._last
        self._last = now
        for i in range(4):
            for name in now:
                if name not in last:
                    self._offset[i] -= now[name][i]
            for name in last:
                if name not in now or now[name][i] < last[name][i]:
                    self._offset[i] += last[name][i]
            values[i] = self._offset[i] + sum(now[name][i] for name in now)
