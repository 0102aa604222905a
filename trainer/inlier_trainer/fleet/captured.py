"""Types of a made-up fleet that come from real captures of one device each:
its devices live days of the capture in other orders. Source `packets`.
"""

import io
import re
from collections import Counter
from pathlib import Path

import numpy as np

from inlier.counters import DELTA_MAX
from inlier.packet_counters import Packets
from inlier_export.errors import BadInput
from inlier_export.reference import Ints
from inlier_trainer import infection_check, overlays
from inlier_trainer.pcap.count import count, mac_text
from inlier_trainer.pcap.packets import decode
from inlier_trainer.pcap.reader import Broken, chunks
from inlier_trainer.progress import Progress

from .parts import DAY_MS
from .store import Store, digest

ENDINGS = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz", ".cap")
COUNTERS = tuple(Packets.counters)
AT = {name: i for i, name in enumerate(COUNTERS)}
ADDRESS = re.compile(r"(?i)[0-9a-f]{0,4}(:[0-9a-f]{0,4})+")  # MAC, or IPv6
TOLD_APART = 1.02  # its device is in so many times more packets than any other


def whose(path: Path) -> str | None:
    """The address of the device that a capture is of, None where no device
    alone has a part in most packets: sent or got, but for what goes to many.
    """
    seen: Counter[int] = Counter()
    try:
        for chunk in chunks(path):
            p = decode(chunk)
            for macs in (p.mac_from, np.where(p.many, -1, p.mac_to)):
                found, counts = np.unique(macs[macs >= 0], return_counts=True)
                seen.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    except Broken:
        pass
    first = seen.most_common(2)
    if len(first) < 2 or first[0][1] < TOLD_APART * first[1][1]:
        return None
    return mac_text(first[0][0])


def called(address: str) -> str:
    """A device by its address, as a folder may be called: without colons."""
    return address.replace(":", "").lower() if ADDRESS.fullmatch(address) else address


def into(
    store: Store, folder: Path, most: int, window_ms: int, progress: Progress
) -> tuple[tuple[str, str], ...]:
    """Counts the captures in a folder, at most so many, into the store. What is
    too short for a day, or looks infected, is left out. Returns the name and a
    digest of each. Raises BadInput where none is left.
    """
    if not folder.is_dir():
        raise BadInput(f"--captures {folder}: it is no folder: name one that holds captures")
    paths = sorted(p for p in folder.iterdir() if p.name.endswith(ENDINGS))
    kept: list[tuple[str, str]] = []
    for i, path in enumerate(paths):
        progress("captures", i, len(paths))
        address = whose(path)
        if address is None or len(kept) == most:
            continue
        counted = count(path, address, window_ms)
        windows = np.minimum(counted.windows, DELTA_MAX)
        if len(windows) * window_ms < DAY_MS or counted.telnet:
            continue
        if infection_check.anomalies(windows, COUNTERS):
            continue
        name = path.name.partition(".")[0]
        out = io.BytesIO()
        np.save(out, windows, allow_pickle=False)
        store.write(f"captures/{name}.npy", out.getvalue())
        kept.append((name, digest(windows.tobytes())))
    progress("captures", len(paths), len(paths))
    if not kept:
        raise BadInput(
            f"--captures {folder}: no capture of one device, a day or longer and without what "
            f"looks like an infection, is in it ({', '.join(ENDINGS)})"
        )
    return tuple(kept)


def lived(store: Store, name: str, days: int, day: int, rng: np.random.Generator) -> Ints:
    """(days * day, counters): whole days of the capture, drawn by chance."""
    windows: Ints = np.load(io.BytesIO(store.read(f"captures/{name}.npy")), allow_pickle=False)
    spare = len(windows) - day
    starts = rng.integers(0, spare // day + 1, days) * day
    shift = int(rng.integers(0, max(1, min(day // 24, spare % day + 1))))
    return np.concatenate([windows[s : s + day] for s in np.minimum(starts + shift, spare)])


def infect(windows: Ints, kind: str, begins: int, window_ms: int, rng: np.random.Generator) -> None:
    attack = {
        "scan": lambda: overlays.scan(rng.uniform(0.5, 3), window_ms),
        "beacon": lambda: overlays.beacon(rng.uniform(6, 30), window_ms),
        "flood": lambda: overlays.flood(rng.uniform(50, 1000), window_ms),
        "theft": lambda: overlays.theft(rng.uniform(4, 60), window_ms),
    }[kind]().windows
    n = len(windows) - begins
    windows[begins:] += np.concatenate([attack[:1], np.resize(attack[1:], (n - 1, len(COUNTERS)))])


def cloud_refuses(windows: Ints, where: slice, window_ms: int) -> None:
    """The provider's outage: a SYN each two seconds, refused."""
    tries = window_ms // 2000
    for name in ("syn_out", "packets_out", "packets_in", "rst_in", "connects_failed", "dns"):
        windows[where, AT[name]] += tries
    windows[where, AT["bytes_out"]] += tries * 2 * overlays.SYN_BYTES
