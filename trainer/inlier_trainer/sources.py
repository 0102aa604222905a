"""Which counters each source supplies: taken from the runtime's own classes."""

from typing import Any

from inlier.packets import Packets
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_export.errors import BadInput

SOURCES: dict[str, tuple[str, ...]] = {
    s.name: tuple(s.counters) for s in (Sockets, Procfs, Packets)
}


def counters_of(source: str) -> tuple[str, ...]:
    """Raises BadInput for a name that is no source."""
    try:
        return SOURCES[source]
    except KeyError:
        raise BadInput(f"no source '{source}': choose one of {', '.join(SOURCES)}") from None


def open_source(source: str) -> Any:
    """The source that counts this machine. Raises BadInput where it can't."""
    counters_of(source)
    if source == Packets.name:
        raise BadInput(
            "source 'packets' reads captures: give one with 'inlier record --pcap FILE --device "
            "ADDRESS'"
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
