"""What serves to whoever connects must not take the descriptors that the source
needs to count, nor keep a thread for who says nothing.
"""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"  # this machine alone
REQUEST_S = 10  # for a request to come, and for a part of an answer to be taken
CLIENTS_MAX = 32


class Bounded(ThreadingHTTPServer):
    """At most CLIENTS_MAX at once. Raises OSError where it cannot listen."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]):
        self._free = threading.Semaphore(CLIENTS_MAX)
        # IPv6 too, where the host is one of its addresses
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        self.address_family = found[0][0]
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        request, client_address = super().get_request()
        request.settimeout(REQUEST_S)
        return request, client_address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._free.acquire(blocking=False)  # else it is closed at once

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that goes away is nothing to report
