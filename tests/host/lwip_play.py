"""firmware/lwip compiled for this machine against Debian's lwIP, with the
address and undefined-behaviour sanitizers.
"""

import contextlib
import struct
import subprocess
from pathlib import Path

from inlier.packet_counters import Packets
from inlier_boards.leash import leashed

HERE = Path(__file__).parent / "lwip"
MODULE = Path(__file__).parents[2] / "firmware/lwip"
FLAGS = (
    *("-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-I/usr/include/lwip"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)


def compiled(folder, name, *flags):
    """The program of tests/host/lwip/<name>.c with the module."""
    sources = (HERE / f"{name}.c", MODULE / "hook.c", MODULE / "packets.c")
    command = ["gcc", *FLAGS, *flags, *sources, "-llwip", "-o", folder / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / name


class Recorded:
    """A listener of frames.windows that writes play.c's format into a file."""

    def __init__(self, file, own):
        self._file = file
        self._ms = 0
        self._frames = []
        file.write(bytes.fromhex(own.replace(":", "")))

    def frame(self, octets, sent):
        self._frames.append(struct.pack("<cBI", b"F", sent, len(octets)) + octets)

    def anew(self, function):
        """The driver sets its input, b"I", or its linkoutput, b"O", again."""
        self._frames.append(function)

    def at(self, ms):
        self._ms = ms

    def drain(self):
        self._file.write(struct.pack("<cI", b"T", self._ms) + b"".join(self._frames))
        self._frames = []

    def read(self):
        self.drain()
        self._file.write(b"R")
        return [0] * len(Packets.counters)


class Played(Recorded):
    """One that plays them. What a sanitizer says fails."""

    def __init__(self, process, own):
        super().__init__(process.stdin, own)
        self._process = process

    def read(self):
        super().read()
        self._process.stdin.flush()
        totals = [int(word) for word in self._process.stdout.readline().split()]
        assert len(totals) == len(Packets.counters), self._process.stderr.read().decode()
        return totals


@contextlib.contextmanager
def playing(program, own, pieces):
    """own: the device's MAC address. pieces: 0, each frame in one, else a seed
    of random ones.
    """
    with subprocess.Popen(
        leashed([program, str(pieces)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        yield Played(process, own)
        said = process.communicate()[1].decode()
    assert process.returncode == 0 and not said, said
