"""Takes new models from `inlier fleet rollout --folder`, over HTTP, into the
two slots: asks any web server for two files now and then, and needs no broker.

    from inlier.secure import authentic, calibration, keys
    from inlier.sinks import Together, log, rollout_http
    key = authentic.Authentic(keys.from_file("fleet.key"))
    mine = calibration.CalibratedSlots(key, "device.limits")
    taker = rollout_http.Rollout(
        "bell1", "192.168.1.10", slots=mine, folder="models", source=source,
        limits="device.limits", installed=machine.reset,
    )
    sinks = Together(log.Log("alarms.log"), taker)  # it counts alarms
    asyncio.create_task(taker.run())

It asks for <path>/offers/<device_id>.json, and where that offers another number
than the one that runs, for <path>/models/<type>/<number>.inlier. What it has to
tell stands behind the question mark of the first, where a server that knows
nothing of it puts it in its access log: number, what became of an offer, boot
and alarms since. What is offered is only tried, see taking.py.
"""

import asyncio
import os

from . import Sink
from .connection import close_stream, open_stream
from .offer import MODEL, OFFER, OFFER_MAX
from .taking import Taking

ANSWER_S = 30  # a server that takes longer is gone
HEAD_MAX = 2048  # bytes of an answer's header
WHY_MAX = 120


def quoted(text):
    """As a URL's query has it."""
    return "".join(
        chr(b) if 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122 or b in b"-._" else "%%%02X" % b
        for b in text.encode()
    )


class Rollout(Sink):
    """device_id: letters, digits, `-`, `.` and `_`; unique in the fleet.
    host: of the server, in numbers where scoring must never wait for a lookup.
    slots, folder, source, limits: see taking.Taking.
    installed(): called when a new model is in its slot, runs from the next boot
        on, and that was told.
    path: of the folder there.
    port: 0 is 80, under TLS 443.
    ssl: an SSLContext, or None for a connection in the clear.
    poll_s: seconds from one look for an offer to the next.
    say(sentence): problems, each once.
    """

    def __init__(
        self,
        device_id,
        host,
        slots,
        folder,
        source,
        limits=None,
        installed=None,
        path="/inlier",
        port=0,
        ssl=None,
        poll_s=900,
        say=None,
    ):
        if quoted(device_id) != device_id or not device_id:
            raise ValueError("rollout_http: device_id '%s': use letters, digits, '-._'" % device_id)
        self._device_id = device_id
        self._host = host
        self._port = port or (443 if ssl else 80)
        self._ssl = ssl
        self._path = path.rstrip("/") + "/"
        self._poll_s = poll_s
        self._installed = installed
        self._taking = Taking(slots, folder, source, limits)
        self._say = say
        self._result = "running"
        self._why = ""
        self._ended = False  # what became of an offer waits to be told
        self._boot = "".join("%02x" % b for b in os.urandom(4))
        self.alarms = 0
        self.problem = None

    def number(self):
        """Of the model that runs, -1 where none does."""
        return self._taking.number()

    def on_alarm(self, pipeline, features):
        if pipeline.event == 1:  # 2: one that is on has grown
            self.alarms += 1

    async def run(self):
        """For ever."""
        while True:
            ended = self._ended
            try:
                await self._poll()
                self.problem = None
            except (OSError, EOFError, asyncio.TimeoutError, ValueError, MemoryError) as error:
                why = str(error) or "no answer"
                if why != self.problem and self._say is not None:
                    self._say("rollout: %s:%d: %s; trying again" % (self._host, self._port, why))
                self.problem = why
            if ended or not self._ended:  # else it is told at once
                await asyncio.sleep(self._poll_s)

    def _status(self):
        told = "?number=%d&result=%s&boot=%s&alarms=%d" % (
            self.number(),
            self._result,
            self._boot,
            self.alarms,
        )
        if self._result == "refused":
            told += "&offered=%d&why=%s" % (self._taking.tried, quoted(self._why))
        return told

    async def _poll(self):
        offer = await self._get(OFFER % self._device_id + self._status(), OFFER_MAX)
        if self._ended:
            self._ended = False
            if self._result == "installed" and self._installed is not None:
                self._installed()
            return
        wanted = self._taking.wanted(offer)
        if wanted is None:
            return
        number, type_, size, limits, _ = wanted
        blob = await self._get(MODEL % (type_, number), size)
        if blob is None or len(blob) != size:
            raise ValueError("model %d is not there, or not of %d bytes" % (number, size))
        why = self._taking.install(number, blob, limits)
        self._result = "refused" if why else "installed"
        self._why = (why or "")[:WHY_MAX]
        self._ended = True

    async def _get(self, name, most):
        """The file's content, None where the server has none. Raises OSError,
        ValueError where it is longer.
        """
        reader, writer = await asyncio.wait_for(
            open_stream(self._host, self._port, self._ssl), ANSWER_S
        )
        try:
            asked = "GET %s%s HTTP/1.0\r\nHost: %s\r\n\r\n" % (self._path, name, self._host)
            writer.write(asked.encode())
            await writer.drain()
            return await asyncio.wait_for(self._answer(reader, most), ANSWER_S)
        finally:
            await close_stream(writer)

    async def _answer(self, reader, most):
        got = bytearray()
        while True:  # to the end: HTTP/1.0 closes
            part = await reader.read(512)
            if not part:
                break
            got += part
            if len(got) > HEAD_MAX + most:
                raise ValueError("an answer of more than %d bytes" % most)
        end = got.find(b"\r\n\r\n")
        if end == -1 or got[:5] != b"HTTP/":
            raise ValueError("no HTTP")
        return got[end + 4 :] if got[9:12] == b"200" else None
