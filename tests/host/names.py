"""A server of names on a loopback address, to which every name is the same."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def everywhere(address: str) -> Iterator[tuple[str, int]]:
    """Its place; answers with `address` (RFC 1035) until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        names.bind(("127.0.0.9", 0))
        threading.Thread(target=_answer, args=(names, address), daemon=True).start()
        yield names.getsockname()


def _answer(names: socket.socket, address: str) -> None:
    while True:
        try:
            query, whom = names.recvfrom(512)
        except OSError:
            return
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)
        names.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + answer, whom)
