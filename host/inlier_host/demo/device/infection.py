"""What an infected doorbell does, on loopback addresses alone, bounded in count
by the stage's length.

After Mirai (Antonakakis et al., "Understanding the Mirai Botnet", 2017): it
looks for telnet on random addresses, nine times port 23 to once 2323, floods a
victim on command, and keeps in touch with its master.
"""

import asyncio
import random
import socket

SCAN_CONNECTS = 10  # per 100 ms
FLOOD_DATAGRAMS = 100  # per 100 ms
BEACON_MS = 400


class Infection:
    """`start(name)` begins scan, flood or beacon; any other name is no attack.
    `stop()` ends it.
    """

    def __init__(self, targets):
        self._targets = targets
        self._task = None

    def start(self, name):
        attack = getattr(self, "_" + name, None)
        if attack:
            self._task = asyncio.create_task(attack())

    def stop(self):
        if self._task:
            self._task.cancel()
            self._task = None

    async def _scan(self):
        while True:
            for i in range(SCAN_CONNECTS):
                host = "127.%d.%d.%d" % (
                    random.randint(64, 127),
                    random.randint(0, 255),
                    random.randint(1, 254),
                )
                s = socket.socket()
                s.setblocking(False)
                try:
                    s.connect(socket.getaddrinfo(host, 2323 if i == 0 else 23)[0][-1])
                except OSError:
                    pass  # refused, or begun
                s.close()
            await asyncio.sleep_ms(100)

    async def _flood(self):
        victim = socket.getaddrinfo(*self._targets["flood"])[0][-1]
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        junk = bytes(512)
        try:
            while True:
                for _ in range(FLOOD_DATAGRAMS):
                    try:
                        s.sendto(junk, victim)
                    except OSError:
                        pass  # the victim's queue is full
                await asyncio.sleep_ms(100)
        finally:
            s.close()

    async def _beacon(self):
        for host, port in self._targets["beacon"]:
            try:
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(b"here\n")
                await writer.drain()
                await reader.readline()
                writer.close()
                await writer.wait_closed()
            except OSError:
                pass
            await asyncio.sleep_ms(BEACON_MS)
