"""firmware/lwip compiled for this machine, against Debian's lwIP, with the
address and undefined-behaviour sanitizers; and frames for it.
"""

import struct
import subprocess
from pathlib import Path

import numpy as np

from inlier_trainer.pcap.count import device_address
from inlier_trainer.pcap.reader import chunks

HERE = Path(__file__).parent / "lwip"
MODULE = Path(__file__).parents[2] / "firmware/lwip"
LWIP = "/usr/include/lwip"
FLAGS = (
    *("-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", f"-I{LWIP}"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "-D_DEFAULT_SOURCE",
)


def compiled(folder: Path, name: str, *flags: str) -> Path:
    """The program of `<name>.c` with the module."""
    program = folder / name
    sources = (HERE / f"{name}.c", MODULE / "hook.c", MODULE / "packets.c")
    command = ["gcc", *FLAGS, *flags, *sources, "-llwip", "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def frames(path, device, window_ms):
    """What play.c reads: of a capture, from the device's first packet on."""
    mac = device_address(device)
    assert isinstance(mac, int)
    own = mac.to_bytes(6, "big")
    out, first_ns = [own + struct.pack("<I", window_ms)], -1
    for chunk in chunks(path):
        data = chunk.data.tobytes()
        order = np.argsort(chunk.time_ns, kind="stable")
        columns = (chunk.time_ns, chunk.at, chunk.captured, chunk.original)
        for at_ns, at, held, length in zip(*(c[order].tolist() for c in columns), strict=True):
            frame = data[at : at + held]
            if first_ns < 0:
                if own not in (frame[:6], frame[6:12]):
                    continue
                first_ns = at_ns
            out.append(struct.pack("<III", (at_ns - first_ns) // 1_000_000, length, held) + frame)
    return b"".join(out)


def played(program: Path, content: bytes, seed: int):
    """The windows that the module counted. (n, counters) int64."""
    done = subprocess.run([program, str(seed)], input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return np.array([line.split(b",") for line in done.stdout.splitlines()], np.int64)
