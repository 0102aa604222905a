"""A video doorbell: an ordinary MicroPython application, with nothing of inlier
in it.

It reports telemetry over HTTP, keeps a connection to a broker open, asks for
the time by datagram and serves its status. When the bell rings it calls the
chimes of the house, one of which may be off, and uploads pictures.
"""

import asyncio
import errno
import json
import random
import socket

# Periods are in seconds; second_ms is how long one lasts: less than 1000 lets a
# demonstration run in fast motion.
CONFIG = {
    "second_ms": 1000,
    "seed": 1,
    "cloud": ["cloud.doorbell.example", 80],
    "broker": ["192.168.1.10", 1883],
    "time": ["192.168.1.1", 123],
    "chimes": [["192.168.1.21", 7000], ["192.168.1.22", 7000], ["192.168.1.23", 7000]],
    "status": ["0.0.0.0", 8080],
    "telemetry_s": 7,
    "heartbeat_s": 4,
    "time_s": 8,
    "ring_s": [60, 140],
}

PICTURE = bytes(1024)


class Doorbell:
    def __init__(self, config):
        self.config = config
        random.seed(config["seed"])
        self.rings = 0
        self.offset_s = 0  # of the clock, as the time server has it

    def sleep(self, seconds):
        return asyncio.sleep(seconds * self.config["second_ms"] / 1000)

    def about(self, seconds):
        """Ten per cent more or less, so that devices do not report in step."""
        return seconds * random.randint(90, 110) / 100

    def status(self):
        return {"rings": self.rings, "battery_mv": random.randint(3700, 4100), "rssi_dbm": -60}

    async def run(self):
        await asyncio.start_server(self.serve_status, *self.config["status"])
        await asyncio.gather(
            self.report(), self.keep_alive(), self.keep_time(), self.listen_to_the_bell()
        )

    async def report(self):
        while True:
            try:
                await self.post("/telemetry", json.dumps(self.status()).encode(), 1)
            except OSError:
                pass  # the next report says it all again
            await self.sleep(self.about(self.config["telemetry_s"]))

    async def post(self, path, part, parts):
        """POST `part` so many times as one body, over a connection of its own."""
        host, port = self.config["cloud"]
        reader, writer = await asyncio.open_connection(host, port)
        try:
            length = len(part) * parts
            head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (
                path,
                host,
                length,
            )
            writer.write(head.encode())
            for _ in range(parts):
                writer.write(part)
                await writer.drain()
            return await reader.read(256)
        finally:
            writer.close()
            await writer.wait_closed()

    async def keep_alive(self):
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self.config["broker"])
                while True:
                    writer.write(b"ping\n")
                    await writer.drain()
                    if await reader.readline() != b"pong\n":
                        break
                    await self.sleep(self.about(self.config["heartbeat_s"]))
                writer.close()
                await writer.wait_closed()
            except OSError:
                pass
            await self.sleep(5)

    async def keep_time(self):
        host, port = self.config["time"]
        server = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        request = b"\x23" + bytes(47)  # SNTP, RFC 4330
        while True:
            try:
                s.sendto(request, server)
                await self.sleep(1)
                while True:
                    answer, _ = s.recvfrom(48)
                    self.offset_s = answer[43]
            except OSError:
                pass  # no answer (yet): the clock runs on by itself
            await self.sleep(self.about(self.config["time_s"] - 1))

    async def listen_to_the_bell(self):
        while True:
            await self.sleep(random.randint(*self.config["ring_s"]))
            self.rings += 1
            for host, port in self.config["chimes"]:
                asyncio.create_task(self.chime(host, port))
            try:
                for _ in range(random.randint(3, 5)):
                    await self.post("/picture", PICTURE, random.randint(3, 5))
                    await self.sleep(2)
            except OSError:
                pass

    async def chime(self, host, port):
        """Ring one chime; gives up after five seconds. Says whether it was
        reached.
        """
        s = socket.socket()
        try:
            s.setblocking(False)
            try:
                s.connect(socket.getaddrinfo(host, port)[0][-1])
            except OSError as error:
                if error.errno != errno.EINPROGRESS:
                    return False
            for _ in range(5):
                await self.sleep(1)
                try:
                    s.send(b"ring\n")
                    return True
                except OSError as error:
                    if error.errno != errno.EAGAIN:
                        return False
            return False
        finally:
            s.close()

    async def serve_status(self, reader, writer):
        try:
            while await reader.readline() not in (b"\r\n", b""):
                pass
            body = json.dumps(self.status())
            writer.write(
                ("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode()
            )
            await writer.drain()
        except OSError:
            pass
        writer.close()
        await writer.wait_closed()


def run(config):
    return Doorbell(config).run()
