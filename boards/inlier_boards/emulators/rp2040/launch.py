"""`python -m inlier_boards.emulators.rp2040.launch`: runs an image, in a
process of its own.

Prints the pseudo-terminal that is the board's USB serial line, and then for
each line that it is sent how many nanoseconds have passed for the guest. Ends
with its input. What the guest's network was denied is on standard error.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from rp2040py import boards
from rp2040py.cli.pty_repl import PtyInteractiveRepl
from rp2040py.device import MicroPythonDevice
from rp2040py.external.cyw43 import Cyw43439

from .asleep import asleep
from .board import BOOT_S
from .bridge import LoopbackBridge, Place


def wired(spec: Any, dns: Place | None) -> Any:
    """The board with our bridge instead of rp2040py's."""
    return replace(spec, extras=tuple(partial(_wired, make, dns) for make in spec.extras))


def _wired(make: Callable[[], Any], dns: Place | None) -> Any:
    device = make()
    return OnLoopback(device, dns) if isinstance(device, Cyw43439) else device


class OnLoopback:
    """A Wi-Fi chip whose bridge was exchanged before the guest runs."""

    def __init__(self, chip: Any, dns: Place | None) -> None:
        self._chip = chip
        self._dns = dns

    def attach(self, rp2040: Any) -> None:
        self._chip.attach(rp2040)
        bus = self._chip.bus

        def queue(frame: bytes) -> None:
            # rp2040py grants the driver a packet to send with each that comes,
            # beside one for each that was sent. What it may send beyond what it
            # sent is counted in a byte: after 256 it reads as none, and the
            # driver waits a second and gives up.
            bus._bus_data_credit = (bus._bus_data_credit - 1) & 0xFF
            bus.queue_rx_ethernet_frame(frame)

        bus.nat_bridge = LoopbackBridge(rp2040, queue, self._dns, denied)


def denied(protocol: str, address: str, port: int) -> None:
    print(f"denied {protocol} {address}:{port}", file=sys.stderr, flush=True)


def kept(ssi: Any, journal: IO[bytes]) -> None:
    """Each command by which the guest changes its flash, before it does."""
    carry_out = ssi._apply_command

    def apply() -> None:
        if ssi._write_enabled and len(ssi._tx_buffer) > 1:
            journal.write(len(ssi._tx_buffer).to_bytes(2, "little") + ssi._tx_buffer)
        carry_out()

    ssi._apply_command = apply


async def run(options: argparse.Namespace) -> None:
    dns = (options.dns[0], int(options.dns[1])) if options.dns else None
    spec = replace(wired(boards.BOARDS[options.board], dns), image=options.image)
    device = asleep(MicroPythonDevice(board=spec))
    if options.disk:
        content = options.disk.read_bytes()
        device.mcu.flash[options.disk_at : options.disk_at + len(content)] = content
    if options.journal:
        kept(device.mcu.ssi, options.journal.open("wb", buffering=0))
    ended = asyncio.Event()
    await device.astart(timeout=BOOT_S)
    with options.said.open("wb", buffering=0) as said:
        line = PtyInteractiveRepl(
            device.cdc, device.simulator, on_quit=lambda code: ended.set(), on_data=said.write
        )
        await line.start()
        print(line.slave_path, flush=True)

        def asked() -> None:
            if sys.stdin.buffer.readline():
                print(round(device.simulator.clock.nanos), flush=True)
            else:
                ended.set()

        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), asked)
        # Also ends where the emulator itself fails.
        await device.simulator.wait_for(ended, None)
        await line.stop()
        device.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--board", required=True, help="rp2040py's name of it")
    parser.add_argument("--image", required=True, type=Path)
    parser.add_argument("--said", required=True, type=Path, help="what the guest says, kept")
    parser.add_argument("--disk", type=Path, help="a file system")
    parser.add_argument("--disk-at", type=int, help="its place, from the first byte of flash")
    parser.add_argument("--journal", type=Path, help="what the guest writes to flash, kept")
    parser.add_argument("--dns", nargs=2, metavar=("ADDRESS", "PORT"))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
