"""The attacks of overlays.py as the source `sockets` would have counted them on
the device that carries them out, through its own sockets. What others do to it
(a flood of SYNs, a scan of its ports) such a device does not see at all.
"""

import itertools
from collections.abc import Callable

import numpy as np

from inlier.sockets import Sockets
from inlier_export.reference import Ints

from .pcap.count import TELNET

DATA_BYTES = 1448  # of a full segment: a call's worth
_AT = {name: i for i, name in enumerate(Sockets.counters)}
SERVER = ("203.0.113.7", 443)  # nobody's (RFC 5737)
Contact = tuple[str, int]


def _counted(contacts: Ints, contact: Callable[[int], Contact], **columns: Ints) -> Ints:
    """Windows with so many contacts each, the i-th of all being contact(i):
    what is distinct is noted by the device's own code.
    """
    source, numbers = Sockets(), itertools.count()
    windows = np.zeros((len(contacts), len(_AT)), np.int64)
    before = [0] * len(_AT)
    for window, n in enumerate(contacts.tolist()):
        for i in itertools.islice(numbers, n):
            source.contact(contact(i), True)
        now = [*before]
        source.read(now)
        windows[window] = np.subtract(now, before)
        before = now
    for name, column in columns.items():
        windows[:, _AT[name]] += column
    return windows


def _another(i: int) -> Contact:
    """Of addresses that are nobody's (RFC 2544), on telnet's two ports."""
    return f"198.{18 + (i >> 16 & 1)}.{i >> 8 & 255}.{i & 255}", TELNET[i % 2]


def _one(i: int) -> Contact:
    return SERVER


def scan(n: Ints) -> Ints:
    """To another host each time, which does not answer."""
    return _counted(n, _another, connects=n, connects_failed=n)


def beacon(n: Ints) -> Ints:
    """100 bytes each way over a connection of its own."""
    payload = {"sends": n, "receives": n, "bytes_out": 100 * n, "bytes_in": 100 * n}
    return _counted(np.sign(n), _one, connects=n, **payload)


def flood(n: Ints) -> Ints:
    """Datagrams of 100 bytes."""
    return _counted(np.sign(n), _one, datagrams_out=n, bytes_out=100 * n)


def retries(n: Ints) -> Ints:
    """Of a server that does not answer."""
    return _counted(np.sign(n), _one, connects=n, connects_failed=n)


def theft(n: Ints) -> Ints:
    """So many calls of DATA_BYTES over one connection, whose host is contacted
    once.
    """
    once = np.zeros_like(n)
    once[0] = 1
    return _counted(once, _one, connects=once, sends=n, bytes_out=DATA_BYTES * n)
