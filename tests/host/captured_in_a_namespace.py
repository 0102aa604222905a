"""Run in a network and mount namespace of its own: servers on loopback
addresses, a capture of them, and counts_itself.py. argv: the capture to write,
and whether it moves large pieces. Prints what the application counted.
"""

import fcntl
import json
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
OUT, LARGE = Path(sys.argv[1]), sys.argv[2] == "large"
NAMESERVER, MARK = "127.0.0.53", ("127.0.0.99", 9)
OUTGOING = 4  # a packet on loopback is seen twice


def up() -> None:
    with socket.socket() as s:  # SIOCSIFFLAGS: IFF_UP, LOOPBACK and RUNNING
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))
    configuration = OUT.with_suffix(".resolv")
    configuration.write_text(f"nameserver {NAMESERVER}\n")
    subprocess.run(["mount", "--bind", configuration, "/etc/resolv.conf"], check=True)


class Echo(socketserver.BaseRequestHandler):
    """Messages of four bytes of length and the rest come back, each at once."""

    def handle(self) -> None:
        said = b""
        while part := self.request.recv(1 << 16):
            said += part
            if len(said) >= 4 and len(said) == int.from_bytes(said[:4], "big"):
                self.request.sendall(said)
                said = b""


class Time(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request[1].sendto(bytes(68), self.client_address)


class Names(socketserver.BaseRequestHandler):
    """Each A is 127.0.0.2; of others there is none."""

    def handle(self) -> None:
        asked, answering = self.request
        end = asked.index(b"\0", 12) + 5
        is_a = asked[end - 4 : end - 2] == b"\0\x01"
        head = asked[:2] + struct.pack(">HHHHH", 0x8180, 1, is_a, 0, 0) + asked[12:end]
        answer = struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, 127, 0, 0, 2) if is_a else b""
        answering.sendto(head + answer, self.client_address)


def start(kind: type, host: str, port: int, handler: type) -> list:
    server = kind((host, port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return [host, server.server_address[1]]


def capture(s: socket.socket) -> None:
    with OUT.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        while True:
            octets, (_, _, kind, *_) = s.recvfrom(1 << 18)
            if kind == OUTGOING:
                continue
            now = time.time_ns()
            size = len(octets)
            head = struct.pack("<IIII", now // 10**9, now % 10**9 // 1000, size, size)
            file.write(head + octets)
            if octets[30:34] == socket.inet_aton(MARK[0]):
                return


def main() -> None:
    up()
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    raw.bind(("lo", 0))
    capturing = threading.Thread(target=capture, args=(raw,))
    capturing.start()
    start(socketserver.ThreadingUDPServer, NAMESERVER, 53, Names)
    full = socket.create_server(("127.0.0.7", 0), backlog=0)
    others = [socket.socket() for _ in range(4)]  # they fill its queue, which never empties
    for other in others:
        other.setblocking(False)
        other.bind(("127.0.0.8", 0))
        other.connect_ex(full.getsockname())
    with socket.create_server(("127.0.0.6", 0)) as closed:
        refused = closed.getsockname()
    where = {
        "echo": start(socketserver.ThreadingTCPServer, "127.0.0.2", 0, Echo),
        "time": start(socketserver.ThreadingUDPServer, "127.0.0.5", 0, Time),
        "refused": refused,
        "silent": full.getsockname(),
        "large": LARGE,
    }
    application = subprocess.Popen(
        [sys.executable, HERE / "counts_itself.py", json.dumps(where)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert application.stdout
    if not LARGE:
        listening = tuple(json.loads(application.stdout.readline()))
        for host in ("127.0.0.3", "127.0.0.4"):
            with socket.socket() as s:
                s.bind((host, 0))
                s.connect(listening)
                s.sendall(bytes(20))
                while s.recv(100):
                    pass
    print(application.stdout.readline(), flush=True)
    code = application.wait()
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.98", 0))
        s.sendto(b"", MARK)
    capturing.join()
    sys.exit(code)


main()
