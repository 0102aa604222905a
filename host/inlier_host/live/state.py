"""What a live view shows, kept up to date from events."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .feed import Event

HISTORY = 300  # windows
ALARMS = 20


@dataclass
class Live:
    """status: waiting, quiet, alarm or offline. score: per cent of its
    threshold. history: (window, score).

    alarms: newest first: at (local time), window, message, until (None: still
    on).
    """

    name: str
    status: str = "waiting"
    window: int = -1
    score: int = 0
    ae: int = 0
    svm: int = 0
    features: list[tuple[str, int]] = field(default_factory=list)
    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    alarms: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=ALARMS))
    problem: str | None = None
    foreign: int = 0  # messages that were no events
    clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S")
    _last_id: str = ""
    _on: bool = False

    def take(self, event: Event) -> None:
        if "problem" in event:
            self.problem = event["problem"]
            self.foreign += event.get("foreign", 0)
        elif "online" in event:
            self.problem = None
            self.status = (
                ("alarm" if self._on else "waiting" if self.window < 0 else "quiet")
                if event["online"]
                else "offline"
            )
        elif "alarm" in event:
            self._alarm(event)
        else:
            self._window(event)

    def _alarm(self, event: Event) -> None:
        if event.get("id"):
            if event["id"] == self._last_id:
                return  # sent again
            self._last_id = event["id"]
        self._on = event["alarm"] == "ON"
        if self._on:
            alarm = {
                "at": self.clock(),
                "window": event["window"],
                "message": event["message"],
                "until": None,
            }
            self.alarms.appendleft(alarm)
        elif self.alarms and self.alarms[0]["until"] is None:
            self.alarms[0]["until"] = self.clock()
        if self.status != "offline" and (self._on or self.window >= 0):
            self.status = "alarm" if self._on else "quiet"

    def _window(self, event: Event) -> None:
        if event["window"] < self.window:  # the device booted again: its windows begin anew
            self.history.clear()
        self.problem = None
        self.window, self.score, self.ae, self.svm = (
            event[key] for key in ("window", "score", "ae", "svm")
        )
        if event.get("features"):
            self.features = event["features"]
        if not self.history or self.history[-1][0] != self.window:
            self.history.append((self.window, self.score))
        self.status = "alarm" if self._on else "quiet"

    def snapshot(self) -> dict[str, object]:
        """For the page, as JSON."""
        shown = ("name", "status", "window", "score", "ae", "svm", "features", "problem", "foreign")
        return {
            **{key: getattr(self, key) for key in shown},
            "history": list(self.history),
            "alarms": list(self.alarms),
        }
