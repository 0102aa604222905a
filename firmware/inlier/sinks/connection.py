"""A TCP connection, with TLS or without, that inlier itself does not count: its
alarms must not look like an attack.
"""

import asyncio
import errno
import sys


async def open_stream(host, port, ssl=None):
    """(reader, writer) of asyncio. Raises OSError.

    ssl: an SSLContext or None.

    Give the address in numbers where scoring must never wait: MicroPython's
    getaddrinfo blocks while it asks for a name.
    """
    if sys.implementation.name == "micropython":
        return await _open_micropython(host, port, ssl)
    return await _open_cpython(host, port, ssl)


def _uncounted():
    """(socket class, getaddrinfo) as they were before sockets.install()."""
    counting = sys.modules.get("inlier.sockets")
    if counting is not None and counting.native is not None:
        return counting.native
    import socket

    return socket.socket, socket.getaddrinfo


async def _open_micropython(host, port, ssl):
    # As asyncio.open_connection, whose socket would be the counted one.
    socket, getaddrinfo = _uncounted()
    found = getaddrinfo(host, port, 0, 1)[0]  # 1: SOCK_STREAM
    s = socket(*found[:3])
    s.setblocking(False)
    try:
        s.connect(found[-1])
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            s.close()
            raise
    if ssl:
        s = ssl.wrap_socket(s, server_hostname=host, do_handshake_on_connect=False)
        s.setblocking(False)
    stream = asyncio.StreamReader(s)
    await _writable(s)
    return stream, stream


def _writable(s):
    yield asyncio.core._io_queue.queue_write(s)


async def _open_cpython(host, port, ssl):
    socket, getaddrinfo = _uncounted()
    loop = asyncio.get_running_loop()
    found = (await loop.run_in_executor(None, getaddrinfo, host, port, 0, 1))[0]
    s = socket(*found[:3])
    s.setblocking(False)
    try:
        await loop.sock_connect(s, found[-1])
        return await asyncio.open_connection(sock=s, ssl=ssl, server_hostname=host if ssl else None)
    except BaseException:
        s.close()
        raise


async def close_stream(writer):
    try:
        writer.close()
        if sys.implementation.name == "micropython":
            await writer.wait_closed()  # this is what closes it there
    except OSError:
        pass  # it is gone already
