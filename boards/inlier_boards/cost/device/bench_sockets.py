"""What windows and calls cost with the real source, `sockets`."""

import sys

import bench_models
import no_network

from inlier.model import Model
from inlier.pipeline import Pipeline

sys.modules["socket"] = sys.modules["select"] = no_network
from inlier import sockets

source = sockets.install()
import socket

WARM_UP = 100  # windows until the damped means are those of a quiet device


def counted(kernel, cost, windows):
    """cost(call, arguments, n): instructions of one of n calls.
    windows: of each kind; two where a kernel is slow.
    """
    pipeline = Pipeline(Model(bench_models.DEVICE), source, kernel)
    for _ in range(WARM_UP if windows > 2 else 2):
        pipeline.step()

    def window(contacts):
        """The mean of several, with two quiet ones after each."""
        total = 0
        for i in range(windows):
            for j in range(contacts):
                source.contact(("10.0.%d.%d" % (i, j), 1000 + j), True)
            total += cost(pipeline.step, (), 1)
            pipeline.step()
            pipeline.step()
        return total / windows

    def call(name, kind, arguments):
        """Beyond what it costs uncounted."""
        return cost(getattr(socket.socket(socket.AF_INET, kind), name), arguments, 20) - cost(
            getattr(no_network.socket(socket.AF_INET, kind), name), arguments, 20
        )

    address = ("192.168.100.200", 8883)
    data = bytes(64)
    return {
        "window_quiet": window(0),
        "window_contact": window(1),
        "window_contacts": window(30),
        "send": call("send", socket.SOCK_STREAM, (data,)),
        "connect": call("connect", socket.SOCK_STREAM, (address,)),
        "contact": call("sendto", socket.SOCK_DGRAM, (data, address)),
    }
