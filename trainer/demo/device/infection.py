"""What infects the demo's doorbell: the network behaviour of a Mirai bot, and nothing else of it.

Each stage has a fixed number of events, ends by itself and refuses a target outside 127.0.0.0/8.
"""

import asyncio
import errno
import random
import socket


def loopback(host, port, kind=socket.SOCK_STREAM):
    """The address of a loopback host. Raises ValueError for any other."""
    octets = host.split(".")
    if len(octets) != 4 or octets[0] != "127" or not all(o.isdigit() and int(o) < 256 for o in octets):
        raise ValueError("the demo's infection stays on 127.0.0.0/8: not to %s" % host)
    return socket.getaddrinfo(host, port, 0, kind)[0][-1]


async def scan(hosts, batch=4, pause_ms=20):
    """Look for telnet on `hosts` random addresses, `batch` at a time; Mirai tries 2323 once in ten."""
    for _ in range(min(hosts, 2000) // batch):
        probes = []
        for _ in range(batch):
            host = "127.%d.%d.%d" % (random.randint(100, 199), random.randint(0, 255), random.randint(1, 254))
            s = socket.socket()
            s.setblocking(False)
            try:
                s.connect(loopback(host, 2323 if random.randint(0, 9) == 0 else 23))
            except OSError:
                pass  # refused, or not answered yet
            probes.append(s)
        await asyncio.sleep(pause_ms / 1000)
        for s in probes:
            s.close()


async def flood(host, port, datagrams, batch=10, pause_ms=10):
    """Send `datagrams` of 512 bytes to one target."""
    target = loopback(host, port, socket.SOCK_DGRAM)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    payload = bytes(512)
    for _ in range(min(datagrams, 5000) // batch):
        for _ in range(batch):
            try:
                s.sendto(payload, target)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
        await asyncio.sleep(pause_ms / 1000)
    s.close()


async def beacon(hosts, port, period_ms):
    """Report once to each of `hosts`, as a bot does whose command server keeps changing its address."""
    for host in hosts[:100]:
        try:
            address = loopback(host, port)
            reader, writer = await asyncio.open_connection(host, port)
            del address
            writer.write(b"\0\0\0\1")
            await writer.drain()
            await reader.read(4)
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass
        await asyncio.sleep(period_ms / 1000)
