"""Windows of many devices as they come over MQTT, into a fleet's store."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_export.errors import BadInput, Interrupted
from inlier_host.live.feed import Enough, Event, Feed
from inlier_trainer.figures import are, number_of
from inlier_trainer.fleet import parts, sorting
from inlier_trainer.fleet.engine import Cluster
from inlier_trainer.fleet.sorting import Ingested, sort
from inlier_trainer.fleet.store import Device, Store, named
from inlier_trainer.progress import quiet
from inlier_trainer.sources import SOURCES

FLUSH_S = 60.0  # what came since is lost with this machine
RECENT = 16  # windows: one that comes later is not put back
DEVICES_MAX = 100_000  # that wait at once: who invents names must not take all memory


@dataclass
class Gathered:
    """What a device said since the last flush.

    began: ms, by our clock, of `first`, the window since which its numbers
        tell the time.
    heard: ms.
    recent: what its latest windows counted.
    """

    source: str
    began: int
    first: int
    recent: dict[int, list[int]] = field(default_factory=dict)
    heard: int = 0
    rows: list[tuple[int, list[int]]] = field(default_factory=list)


class Collector:
    """Takes events of live.feed.broker, of all devices of a broker.

    type_of: the type of a device, "" where it has none.
    """

    def __init__(
        self,
        store: Store,
        window_ms: int,
        type_of: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._window_ms = window_ms
        self._type_of = type_of
        self._clock = clock
        self._waiting: dict[str, Gathered] = {}
        self._flushed = clock()
        self._flushes = 0
        self._token = secrets.token_hex(4)  # another process listens to the same broker
        self.done = Ingested()
        self.taken = 0

    def take(self, event: Event) -> None:
        if event.get("foreign"):
            self.done.add("no_event", 1)
        elif "deltas" in event:
            self._window(event)
        if self._clock() - self._flushed >= FLUSH_S:
            self.flush()

    def _window(self, event: Event) -> None:
        name, source, deltas = str(event.get("device", "")), event.get("source"), event["deltas"]
        if not isinstance(source, str) or len(deltas) != len(SOURCES.get(source, ())):
            self.done.add("no_source", 1)
            return
        if event["window_ms"] not in (0, self._window_ms):  # 0: it does not say
            self.done.add("other_window", 1)
            return
        if max(deltas) > DELTA_MAX:
            self.done.add("no_counter", 1)
            return
        try:
            named(name, "device")
        except BadInput:
            self.done.add("no_name", 1)
            return
        if not self._type_of(name):
            self.done.add("no_type", 1)
            return
        if name not in self._waiting and len(self._waiting) >= DEVICES_MAX:
            self.done.add("too_many", 1)
            return
        self._keep(name, source, int(event["window"]), deltas)

    def _keep(self, name: str, source: str, window: int, deltas: list[int]) -> None:
        """Its own number of a window says when it was, so that one which came
        late lies where it belongs; a boot, or a clock that drifts, begins anew.
        """
        now = int(self._clock() * 1000)
        known = self._waiting.get(name)
        if known is not None and known.source == source:
            at = known.began + (window - known.first) * self._window_ms
            behind = now - self._window_ms - at
            booted = known.recent.get(window, deltas) != deltas
            if booted or not -self._window_ms <= behind <= RECENT * self._window_ms:
                known.recent.clear()
                known.began, known.first = now - self._window_ms, window
                at = known.began
        else:
            if known is not None:
                self.flush()
            at = now - self._window_ms
            self._waiting[name] = known = Gathered(source, at, window)
        known.rows.append((at, deltas))
        known.recent[window], known.heard = deltas, now
        if len(known.recent) > RECENT:
            del known.recent[next(iter(known.recent))]
        self.taken += 1

    def flush(self, wait: bool = False) -> None:
        """What waits, into the store. Raises OSError.

        wait: also where another process sorts, else it is staged, and sorted
            in later or by that one.
        """
        self._flushes += 1
        for name, gathered in self._waiting.items():
            if not gathered.rows:
                continue
            when = np.array([at for at, _ in gathered.rows], np.int64)
            windows = np.array([deltas for _, deltas in gathered.rows], np.int64)
            order = np.argsort(when, kind="stable")
            kind = gathered.source, self._window_ms, SOURCES[gathered.source]
            firmware = np.full(len(when), "", object)
            span = parts.Span(*kind, when[order], firmware, windows[order])
            label = f"live-{int(self._clock() * 1000)}-{self._flushes}-{self._token}"
            sorting.stage(self._store, Device(self._type_of(name), name), span, label)
        sort(self._store, self.done, Cluster(), quiet, wait)
        # who was heard stays: its next window continues where this one ended
        self._waiting = {
            name: Gathered(g.source, g.began, g.first, g.recent, g.heard)
            for name, g in self._waiting.items()
            if self._clock() * 1000 - g.heard <= RECENT * self._window_ms
        }
        self._flushed = self._clock()


def listen(feed: Feed, live: Collector, count: int, each: Callable[[Any], None]) -> Ingested:
    """Until `count` windows came (-1: until interrupted); what waits is kept in
    any case. Raises BadInput, OSError.
    """

    def emit(event: Event) -> None:
        if problem := event.get("problem"):
            each(problem)
        live.take(event)
        if live.taken == count:
            raise Enough

    try:
        feed(emit)
    except Enough:
        pass
    except Interrupted:
        live.flush(wait=True)
        raise Interrupted(
            f"{number_of(live.taken, 'window')} {are(live.taken)} in the store"
        ) from None
    live.flush(wait=True)
    return live.done
