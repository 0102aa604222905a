"""An application that counts itself and says what it counted, for
captured_in_a_namespace.py, which captures the same. argv: addresses, as JSON.
"""

import json
import sys
import time

from inlier import sockets

source = sockets.install()  # before anything imports socket

import socket

WHERE = json.loads(sys.argv[1])


def receive(s, n):
    while n:
        n -= len(s.recv(1 << 16))


def echo(sizes):
    with socket.create_connection(WHERE["echo"]) as s:
        for n in sizes:
            s.sendall(n.to_bytes(4, "big") + bytes(n - 4))
            receive(s, n)


def try_to_connect(address):
    with socket.socket() as s:
        s.settimeout(0.3)
        try:
            s.connect(tuple(address))
        except OSError:
            return
    raise SystemExit(f"{address} answered")


def serve():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(json.dumps(listening.getsockname()), flush=True)
        for _ in range(2):
            with listening.accept()[0] as s:
                receive(s, 20)
                s.sendall(bytes(30))


def datagrams():
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        for _ in range(3):
            s.sendto(bytes(48), tuple(WHERE["time"]))
            s.recvfrom(100)


if WHERE["large"]:
    echo([300_000])
else:
    echo([10, 1000, 5000])
    echo([100])
    try_to_connect(WHERE["refused"])
    try_to_connect(WHERE["refused"])
    try_to_connect(WHERE["silent"])
    serve()
    datagrams()
    for name in ("cloud.bell.example", "time.bell.example", "cloud.bell.example"):
        socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    time.sleep(0.6)  # who waits for an answer has given up
print(json.dumps(dict(zip(source.counters, source.totals, strict=True))))
