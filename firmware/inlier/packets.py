"""Source `packets`: every packet of the device (packet_counters.py).

    from inlier import packets
    source = packets.source()    # on Linux also source("wlan0")

In firmware a C module counts below lwIP (firmware/lwip), on Linux
packets_linux.py.
"""

import sys

from .packet_counters import Packets


class Firmware(Packets):
    """Counted by the C module below lwIP, which Python code can't reset."""

    bits = 30  # the largest small int of a 31-bit board is 2^30 - 1

    def __init__(self, read):
        self.read = read  # fills an array('i'), and begins a window


def source(interface=None):
    """What counts packets here. Raises ImportError where nothing can count
    them, OSError where Linux does not let us.

    interface: on Linux, its name; None: the one of the default route.
    """
    try:
        from _inlier_packets import read
    except ImportError:
        if sys.platform != "linux":
            raise ImportError(
                "nothing counts packets here: build the firmware with USER_C_MODULES naming "
                "inlier's firmware/lwip (docs/lwip.md), or count with inlier.sockets"
            )
        from .packets_linux import Linux

        return Linux(interface)
    return Firmware(read)
