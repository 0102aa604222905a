"""What counting costs: send and receive on a counted TCP socket next to an
uncounted one, both ends in this process.

Prints {"counted_us", "uncounted_us"} for one send and one receive of 64 bytes,
the least of many rounds.
"""

import json
import socket as native
import time

from inlier import sockets

sockets.install()

import socket

ROUNDS = 60
CALLS = 200


def pair(module):
    """Both ends of a connection through this socket module."""
    server = module.socket()
    for port in range(43000, 43999):
        try:
            server.bind(native.getaddrinfo("127.0.0.1", port)[0][-1])
            break
        except OSError:
            pass
    server.listen(1)
    a = module.socket()
    a.connect(native.getaddrinfo("127.0.0.1", port)[0][-1])
    b, _ = server.accept()
    server.close()
    return a, b


def microseconds(a, b):
    data = bytes(64)
    start = time.ticks_us()
    for _ in range(CALLS):
        a.send(data)
        b.recv(64)
    return time.ticks_diff(time.ticks_us(), start) / CALLS


plain, counted = pair(native), pair(socket)
uncounted_us = counted_us = 1e9
for _ in range(ROUNDS):  # in turn, so that both meet the same noise
    uncounted_us = min(uncounted_us, microseconds(*plain))
    counted_us = min(counted_us, microseconds(*counted))
print(json.dumps({"counted_us": round(counted_us, 2), "uncounted_us": round(uncounted_us, 2)}))
