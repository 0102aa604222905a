"""What is watched as metrics for Prometheus, beside any other view."""

import errno
import threading
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, MetricsHandler

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer.sources import SOURCES

from .bounded import LOOPBACK, Bounded
from .feed import Event

# A label that anybody on a broker can choose must not fill the memory.
DEVICES_MAX = 10_000


class Metrics:
    """Served until the block ends. Raises BadInput where it cannot listen.

    where: [HOST]:PORT, on this machine alone unless a host is given, such as
        0.0.0.0.

    take(event): of live/feed.py, with "device" where several are watched; name
    is the device's otherwise.
    """

    def __init__(self, name: str, where: str) -> None:
        self._name = name
        self._devices: set[str] = set()
        self._last_ids: dict[tuple[str, str], str] = {}
        self._horizons: dict[str, set[str]] = {}
        self.registry = CollectorRegistry()
        device = ["device"]

        def gauge(what: str, says: str, labels: list[str] = device) -> Gauge:
            return Gauge(what, says, labels, registry=self.registry)

        def counter(what: str, says: str) -> Counter:
            return Counter(what, says, device, registry=self.registry)

        self._score = gauge("inlier_score_ratio", "Score over the model's lowest threshold.")
        self._alarm = gauge("inlier_alarm", "1 while an alarm is on.")
        self._quiet = gauge("inlier_gone_quiet", "1 while the device has gone quiet.")
        self._online = gauge("inlier_online", "1 while the device is connected.")
        self._horizon = gauge(
            "inlier_horizon_ratio",
            "Windows over a horizon's threshold, over how many raise the alarm.",
            ["device", "horizon"],
        )
        self._events = gauge(
            "inlier_window_events",
            "What a counter counted in the last window.",
            ["device", "counter"],
        )
        self._windows = counter("inlier_windows", "Windows scored.")
        self._alarms = counter("inlier_alarms", "Alarms raised.")
        self._grown = counter("inlier_alarms_grown", "Times an alarm that is on has grown.")
        self._foreign = counter(
            "inlier_foreign_messages", "Messages that are no events of inlier's."
        )
        host, port = listening_on(where)
        try:
            self._server = Bounded((host, port), MetricsHandler.factory(self.registry))
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise BadInput(f"--prometheus {where}: {why}; give another [HOST]:PORT") from None
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://{host}:{self._server.server_address[1]}/metrics"

    def take(self, event: Event) -> None:
        device = event.get("device", self._name)
        if device not in self._devices:
            if len(self._devices) == DEVICES_MAX:
                return
            self._devices.add(device)
        if "problem" in event:
            self._foreign.labels(device).inc(event.get("foreign", 0))
        elif "online" in event:
            self._online.labels(device).set(event["online"])
        elif "alarm" in event:
            self._told(event, device, "alarm", self._alarm)
        elif "quiet" in event:
            self._told(event, device, "quiet", self._quiet)
        else:
            self._window(event, device)

    def _told(self, event: Event, device: str, kind: str, state: Gauge) -> None:
        """What has an id may come again."""
        on = event[kind] == "ON"
        state.labels(device).set(on)
        repeated = event.get("id") and self._last_ids.get((device, kind)) == event["id"]
        self._last_ids[device, kind] = event.get("id", "")
        if on and kind == "alarm" and not repeated:
            (self._grown if event.get("grows") else self._alarms).labels(device).inc()

    def _window(self, event: Event, device: str) -> None:
        self._score.labels(device).set(event["score"] / 100)
        self._quiet.labels(device).set(event.get("gone", 0))
        self._windows.labels(device).inc()
        full = {f"{k} of {n}": count / max(1, k) for k, n, _, count in event.get("horizons", ())}
        # those of another model; anybody's message would leave its own for ever
        for gone in self._horizons.get(device, set()) - full.keys():
            self._horizon.remove(device, gone)
        self._horizons[device] = set(full)
        for horizon, share in full.items():
            self._horizon.labels(device, horizon).set(share)
        counters = SOURCES.get(event.get("source", ""), ())
        for name, delta in zip(counters, event.get("deltas", ()), strict=False):
            self._events.labels(device, name).set(delta)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def listening_on(where: str) -> tuple[str, int]:
    """Raises BadInput."""
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdecimal() or int(port[:6]) > 65535:
        raise BadInput(
            f"--prometheus {printable(where, 80)}: give [HOST]:PORT, such as :9101 for this "
            "machine alone or 0.0.0.0:9101 for others too"
        )
    return host or LOOPBACK, int(port)
