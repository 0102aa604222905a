"""The doorbell's surroundings: real servers on loopback addresses, so that
peers differ. Nothing leaves this machine.
"""

import random
import socket
import socketserver
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BROKER, TIME, VICTIM = "127.0.1.10", "127.0.1.1", "127.0.9.9"
CHIMES = ("127.0.1.21", "127.0.1.22", "127.0.1.23")  # the last is off
MASTERS = tuple(f"127.0.66.{i}" for i in range(1, 17))
SECOND_MS = (
    100  # the doorbell lives ten times as fast: a window of 100 ms stands for one of a second
)


class _Cloud(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


class _Broker(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline():
            self.wfile.write(b"pong\n")


class _Sink(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.rfile.readline()


class _Time(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        _, answer = self.request
        answer.sendto(bytes(48), self.client_address)


class _Quiet:
    """A client that goes away is nothing to report."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Http(_Quiet, ThreadingHTTPServer):
    pass


class _Http6(_Http):
    address_family = socket.AF_INET6


class _Tcp(_Quiet, socketserver.ThreadingTCPServer):
    pass


class _Udp(_Quiet, socketserver.ThreadingUDPServer):
    pass


@contextmanager
def surroundings(
    seed: int, cloud_name: str = "localhost"
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Servers that run until the block ends; yields the doorbell's CONFIG and
    the infection's targets. The cloud is found by a look-up; another name than
    this machine's stands for 127.0.0.1.
    """
    with ExitStack() as stack:

        def start(
            kind: Callable[..., socketserver.BaseServer], host: str, handler: type
        ) -> list[Any]:
            server: Any = stack.enter_context(kind((host, 0), handler))
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
            ).start()
            stack.callback(server.shutdown)
            return [host, server.socket.getsockname()[1]]

        # Some machines' "localhost" is an IPv6 address first.
        six = cloud_name == "localhost" and (
            socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)[0][0] == socket.AF_INET6
        )
        cloud = start(_Http6 if six else _Http, "::1" if six else "127.0.0.1", _Cloud)
        chimes = [start(_Tcp, host, _Sink) for host in CHIMES[:2]]
        victim = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        victim.bind((VICTIM, 0))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            status = list(free.getsockname())
        config = {
            "second_ms": SECOND_MS,
            "seed": seed,
            "cloud": [cloud_name, cloud[1]],
            "broker": start(_Tcp, BROKER, _Broker),
            "time": start(_Udp, TIME, _Time),
            "chimes": [*chimes, [CHIMES[2], chimes[0][1]]],
            "status": status,
            "telemetry_s": 7,
            "heartbeat_s": 4,
            "time_s": 8,
            "ring_s": [8, 20],
        }
        targets = {
            "flood": victim.getsockname(),
            "beacon": [start(_Tcp, host, _Sink) for host in MASTERS],
        }
        leaving = threading.Event()
        phone = threading.Thread(target=_look_at_status, args=(status, seed, leaving), daemon=True)
        phone.start()
        stack.callback(phone.join)
        stack.callback(leaving.set)
        yield config, targets


def _look_at_status(status: list[Any], seed: int, leaving: threading.Event) -> None:
    """A phone of the house that now and then asks the doorbell how it is."""
    rng = random.Random(seed)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while not leaving.wait(rng.uniform(8, 20) * SECOND_MS / 1000):
        try:
            with opener.open(f"http://{status[0]}:{status[1]}/", timeout=2) as answer:
                answer.read()
        except OSError:
            pass  # the doorbell is booting
