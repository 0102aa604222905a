"""Which counters each source supplies: taken from the runtime's own classes."""

import sys
from typing import Any

from inlier import packets
from inlier.packet_counters import Packets
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_export.errors import BadInput
from inlier_export.printable import printable

SOURCES: dict[str, tuple[str, ...]] = {
    s.name: tuple(s.counters) for s in (Sockets, Procfs, Packets)
}


def counters_of(source: str) -> tuple[str, ...]:
    """Raises BadInput for a name that is no source."""
    try:
        return SOURCES[source]
    except KeyError:
        raise BadInput(f"no source '{source}': choose one of {', '.join(SOURCES)}") from None


def open_source(source: str, interface: str | None = None) -> Any:
    """The source that counts this machine. Raises BadInput where it can't.

    interface: whose packets.
    """
    counters_of(source)
    if source == Packets.name:
        return _packets(interface)
    if interface is not None:
        raise BadInput(
            f"--interface {interface}: source '{source}' does not count one interface; add "
            f"--source packets"
        )
    if source != Procfs.name:
        raise BadInput(
            f"source '{source}' counts inside an application: run inlier.recorder there, as the "
            f"README shows"
        )
    counting = Procfs()
    try:
        counting.read([0] * len(counting.counters))
    except OSError as error:
        raise BadInput(
            f"source 'procfs': {error.filename}: {error.strerror}; it needs Linux"
        ) from None
    return counting


def _packets(interface: str | None) -> Any:
    try:
        counting = packets.source(interface)
    except OSError as error:
        raise BadInput(f"source 'packets': {error.strerror}") from None
    except ImportError:
        raise BadInput(
            "source 'packets': live it needs Linux; elsewhere take a capture, and 'inlier record "
            "--pcap FILE --device ADDRESS'"
        ) from None
    counting.said = lambda text: print(printable(text), file=sys.stderr)
    return counting
