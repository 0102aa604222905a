"""Lets an emulated board sleep, and keeps it from running ahead meanwhile.

A guest that waits for a key or for a packet executes WFE, and rp2040py leaps to
its next alarm: a second of sleep costs 50 ms. What woke it 36,000 times a
second, and what would let it wait for an answer of the network less long than a
real board does, is mended here by rp2040py's own hooks and classes.
"""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from rp2040py.execute_batch import execute_batch
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC

# A host's bytes come so long after the first of them is sent: rp2040py's delay.
DELIVERED_NS = 10_000
# A sleeping guest's clock leaps so far at most before the sockets of its
# network have a turn, which costs some 100 us.
LEAP_NS = 2_000_000
EACH_INSTRUCTION = 1


class Line(USBCDC):  # type: ignore[misc]
    """The computer's end of the USB serial line, which says nothing while it
    has nothing to say.

    rp2040py's answers a guest that is ready to receive with an empty packet, at
    once and for ever: an interrupt each 28 us, and no sleep.
    """

    def __init__(self, usb: Any) -> None:
        super().__init__(usb)
        self._room = 0  # for bytes, that the guest offers
        self._hand_over = usb.on_endpoint_read
        self._forget = usb.on_reset
        self._delivery = usb.rp2040.clock.create_alarm(self._deliver)
        usb.on_endpoint_read = self._offered
        usb.on_reset = self._reset

    def send_serial_byte(self, data: int) -> None:
        if self.tx_fifo.empty and self._room:
            self._delivery.schedule(DELIVERED_NS)
        super().send_serial_byte(data)

    def _offered(self, endpoint: int, size: int) -> None:
        self._endpoint = endpoint
        if endpoint and self.tx_fifo.empty:  # 0 is the control endpoint
            self._room = size
        else:
            self._hand_over(endpoint, size)

    def _deliver(self) -> None:
        room, self._room = self._room, 0
        self._hand_over(self._endpoint, room)

    def _reset(self) -> None:
        self._room = 0
        self._delivery.cancel()
        self._forget()


class Paced(Simulator):  # type: ignore[misc]
    """A guest whose clock goes no faster than a real one's: a server that takes
    its time is late by as much for it as for a real board.
    """

    async def execute(self) -> None:
        # What execute_batch() looks at: it ends when `stopped`.
        turn = SimpleNamespace(rp2040=self.rp2040, clock=self.clock)
        over = self.clock.create_alarm(lambda: setattr(turn, "stopped", True))
        self.stopped = False
        try:
            while not self.stopped:
                began, at = time.monotonic(), self.clock.nanos
                turn.stopped = False
                over.schedule(LEAP_NS)
                execute_batch(turn, EACH_INSTRUCTION)
                over.cancel()
                ahead_s = (self.clock.nanos - at) / 1e9 - (time.monotonic() - began)
                await asyncio.sleep(max(0, ahead_s))
        except Exception as problem:
            self.engine_room_error = problem
            self.stopped = True
            raise


def asleep(device: Any) -> Any:
    """A device of rp2040py, with both."""
    device.cdc = Line(device.mcu.usb_ctrl)
    device.simulator = Paced(rp2040=device.mcu)
    return device
