"""An emulated board that has nothing to do costs little, and does not run ahead
of the network that it waits for.
"""

import asyncio
import time

import pytest

pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
from rp2040py.external.cyw43 import Cyw43439, nat, net
from rp2040py.rp2040 import RP2040

from inlier_boards.emulators.rp2040.asleep import LEAP_NS, Line, Paced
from inlier_boards.emulators.rp2040.launch import OnLoopback

OUT = 3  # the guest's endpoint for what the computer says
A_SECOND_NS = 1_000_000_000


@pytest.fixture
def line():
    """(the computer's end, what was handed to the guest)"""
    chip = RP2040()
    handed = []
    chip.usb_ctrl.endpoint_read_done = lambda endpoint, content, delay=None: handed.append(
        (endpoint, bytes(content))
    )
    line = Line(chip.usb_ctrl)
    line._out_endpoint = OUT  # as its descriptors would say
    return line, handed


def test_a_guest_that_waits_for_bytes_hears_nothing_until_there_are_some(line):
    line, handed = line
    line.usb.on_endpoint_read(OUT, 64)
    line.usb.rp2040.clock.tick(A_SECOND_NS)
    assert handed == [], "an empty packet wakes it, and it asks again at once"
    for byte in b"print(1)\r":
        line.send_serial_byte(byte)
    line.usb.rp2040.clock.tick(A_SECOND_NS)
    assert handed == [(OUT, b"print(1)\r")], "all that came meanwhile, in one packet"


def test_bytes_that_are_there_are_handed_over_at_once_and_no_more_than_fit(line):
    line, handed = line
    for byte in range(70):
        line.send_serial_byte(byte)
    line.usb.on_endpoint_read(OUT, 64)
    line.usb.on_endpoint_read(OUT, 64)
    assert handed == [(OUT, bytes(range(64))), (OUT, bytes(range(64, 70)))]


def test_a_guest_that_was_reset_meanwhile_gets_nothing_that_it_did_not_ask_for(line):
    line, handed = line
    line.usb.on_endpoint_read(OUT, 64)
    line.send_serial_byte(1)
    line.usb.on_reset()
    line._out_endpoint = OUT  # it is there again
    line.usb.rp2040.clock.tick(A_SECOND_NS)
    line.send_serial_byte(2)
    line.usb.rp2040.clock.tick(A_SECOND_NS)
    assert handed == []


def asleep_for(nanoseconds):
    """Run a guest that sleeps so long: (real seconds, turns of the loop)."""

    async def run():
        chip = RP2040()
        chip.core.waiting = True
        guest = Paced(rp2040=chip)
        chip.clock.create_alarm(guest.stop).schedule(nanoseconds)
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        busy = asyncio.create_task(other())
        began = time.monotonic()
        await guest.execute()
        took = time.monotonic() - began
        busy.cancel()
        return took, turns

    return asyncio.run(run())


def test_a_sleeping_guest_s_clock_goes_no_faster_than_a_real_one():
    took, _ = asleep_for(A_SECOND_NS / 5)
    assert took >= 0.2 - LEAP_NS / 1e9


def test_sockets_have_a_turn_between_the_leaps_of_a_sleeping_guest_s_clock():
    _, turns = asleep_for(A_SECOND_NS / 5)
    assert turns >= A_SECOND_NS / 5 / LEAP_NS


def test_what_goes_wrong_in_the_guest_is_told_to_who_waits_for_it():
    async def run():
        chip = RP2040()
        chip.core.waiting = True
        guest = Paced(rp2040=chip)

        def broken():
            raise RuntimeError("a peripheral")

        chip.clock.create_alarm(broken).schedule(1)
        with pytest.raises(RuntimeError, match="a peripheral"):
            await guest.execute()
        assert str(guest.engine_room_error) == "a peripheral" and guest.stopped

    asyncio.run(run())


def test_what_comes_over_wi_fi_grants_the_driver_nothing_to_send():
    """The driver counts what it may send in a byte: 256 too many are none."""
    chip = Cyw43439()
    OnLoopback(chip, None).attach(RP2040())
    guest = bytes(6)
    asked = net.pack_arp(net.ARP_OP_REQUEST, guest, nat.GUEST_IP, guest, nat.GATEWAY_IP)
    frame = net.pack_ethernet(nat.GATEWAY_MAC, guest, net.ETHERTYPE_ARP, asked)
    came = []
    chip.bus.queue_rx_packet = came.append
    for _ in range(300):
        chip.bus.nat_bridge.handle_outbound_ethernet_frame(frame)
    credit_at = 9  # of SDPCM's header
    assert len(came) == 300 and len({packet[credit_at] for packet in came}) == 1
