"""Which counters each source supplies: taken from the runtime's own classes."""

from inlier.procfs import Procfs
from inlier.sockets import Sockets

from .errors import BadInput

SOURCES: dict[str, tuple[str, ...]] = {s.name: tuple(s.counters) for s in (Sockets, Procfs)}


def counters_of(source: str) -> tuple[str, ...]:
    """Raises BadInput for a name that is no source."""
    try:
        return SOURCES[source]
    except KeyError:
        raise BadInput(f"no source '{source}': choose one of {', '.join(SOURCES)}") from None
