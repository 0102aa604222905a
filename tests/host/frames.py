"""Plays a capture's frames to whatever counts packets, with the capture's
clock, and takes its windows: they must be those of `inlier record --pcap`.
"""

import numpy as np

from inlier_trainer.pcap.count import device_address
from inlier_trainer.pcap.packets import TCP, decode
from inlier_trainer.pcap.reader import chunks

BATCH = 500  # frames between two looks into a ring


def windows(path, device, window_ms, listener):
    """(n, counters) of the capture at `path`, on Ethernet, of a MAC address.

    listener: frame(octets, sent), at(ms), drain(), and read(), which ends a
    window and gives the totals. What a capture cut off a frame is zero.
    """
    wanted = device_address(device)
    rows, totals = [], listener.read()
    first, latest, waiting = -1, 0, 0

    def end(ms):
        nonlocal totals
        listener.at(ms)
        now = listener.read()
        rows.append([n - former for n, former in zip(now, totals, strict=True)])
        totals = now

    for chunk in chunks(path):
        p = decode(chunk)
        out = p.mac_from == wanted
        mine = out | (p.mac_to == wanted) | p.many
        marked = (p.protocol == TCP) & (p.flags & 6 > 0)  # with SYN or RST: time matters
        for i in np.argsort(p.time_ns, kind="stable").tolist():
            if first < 0:
                if not (out[i] or p.mac_to[i] == wanted):
                    continue
                first = int(p.time_ns[i])
            ms = (int(p.time_ns[i]) - first) // 1_000_000
            latest = max(latest, ms)
            while mine[i] and ms // window_ms > len(rows):
                end((len(rows) + 1) * window_ms)
            at, kept = int(chunk.at[i]), int(chunk.captured[i])
            frame = chunk.data[at : at + kept].tobytes()
            listener.frame(frame.ljust(int(chunk.original[i]), b"\0"), bool(out[i]))
            waiting += 1
            if marked[i] or waiting == BATCH:
                listener.at(ms)
                listener.drain()
                waiting = 0
    end(min(latest + 1, (len(rows) + 1) * window_ms))
    return np.array(rows)
