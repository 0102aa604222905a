"""What a live view shows, kept up to date from events."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from inlier.sinks.message import WORDS

from .feed import Event

HISTORY = 300  # windows
ALARMS = 20
When = float | None  # seconds since 1970; None of a recording that has no clock


def plain(feature: str) -> str:
    """A feature in words: 'bytes sent over about 16 windows'."""
    counter, _, span = feature.partition("~")
    words = WORDS.get(counter, counter)
    return f"{words} over about {span} windows" if span else words


def told(when: When) -> str:
    """A time as clocks here show it, with its day where that is not today."""
    if when is None:
        return ""
    then, today = time.localtime(when), time.localtime()
    day = "" if then[:3] == today[:3] else "%Y-%m-%d "
    return time.strftime(f"{day}%H:%M:%S", then)


@dataclass
class Live:
    """status: waiting, warm-up, calm, alarm or offline.
    score: per cent of the lowest threshold.
    history: (window, score, when it ended, whether nothing can be raised
        after it).
    horizons: [k, n, threshold in per cent of the lowest, windows of the last
        n over it].
    gone_quiet: since when and how, in words; None where it has not.

    alarms: newest first: on, at (when), window, message, grew (when it was told
    again), until (when it was cleared).
    """

    name: str
    status: str = "waiting"
    window: int = -1
    score: int = 0
    ae: int = 0
    svm: int = 0
    features: list[tuple[str, int]] = field(default_factory=list)
    history: deque[tuple[int, int, When, int]] = field(
        default_factory=lambda: deque(maxlen=HISTORY)
    )
    alarms: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ALARMS))
    horizons: list[list[int]] = field(default_factory=list)
    gone_quiet: str | None = None
    problem: str | None = None
    foreign: int = 0  # messages that were no events
    clock: Callable[[], float] = time.time
    _last_id: str = ""
    _quiet_id: str = ""
    _on: bool = False
    _raised: bool = False  # since its boot

    def take(self, event: Event) -> None:
        if "problem" in event:
            self.problem = event["problem"]
            self.foreign += event.get("foreign", 0)
        elif "online" in event:
            self.problem = None
            self.status = (
                ("alarm" if self._on else "waiting" if self.window < 0 else "calm")
                if event["online"]
                else "offline"
            )
        elif "alarm" in event:
            self._alarm(event)
        elif "quiet" in event:
            self._quiet(event)
        else:
            self._window(event)

    def _alarm(self, event: Event) -> None:
        if event.get("id"):
            if event["id"] == self._last_id:
                return  # sent again
            self._last_id = event["id"]
        self._on = event["alarm"] == "ON"
        self._raised = self._raised or self._on
        last = self.alarms[0] if self.alarms else None
        when = self._when(event)
        if self._on and event.get("grows") and last and last["on"]:
            last.update(message=event["message"], grew=when)
        elif self._on:
            alarm = {
                "on": True,
                "at": when,
                "window": event["window"],
                "message": event["message"],
                "grew": None,
                "until": None,
            }
            self.alarms.appendleft(alarm)
        elif last and last["on"]:
            last.update(on=False, until=when)
        if self.status != "offline" and (self._on or self.window >= 0):
            self.status = "alarm" if self._on else "calm"

    def _quiet(self, event: Event) -> None:
        if event.get("id") and event["id"] == self._quiet_id:
            return  # sent again
        self._quiet_id = event.get("id", "")
        on = event["quiet"] == "ON"
        self.gone_quiet = f"{told(self._when(event))} {event['message']}".strip() if on else None

    def _window(self, event: Event) -> None:
        if event["window"] < self.window:  # the device booted again: its windows begin anew
            self.history.clear()
            self._raised = False
        self.problem = None
        self.window, self.score, self.ae, self.svm = (
            event[key] for key in ("window", "score", "ae", "svm")
        )
        self.horizons = event.get("horizons", [])
        if not event.get("gone"):
            self.gone_quiet = None
        elif self.gone_quiet is None:
            self.gone_quiet = "gone quiet"
        if event.get("features"):
            self.features = [(plain(name), share) for name, share in event["features"]]
        if not self.history or self.history[-1][0] != self.window:
            held = event.get("held", 0)
            self.history.append((self.window, self.score, self._when(event), held))
        held = self.history[-1][3] and not self._raised
        self.status = "alarm" if self._on else "warm-up" if held else "calm"

    def _when(self, event: Event) -> When:
        """A recording's events say it themselves."""
        when: When = event["time"] if "time" in event else self.clock()
        return when

    def snapshot(self) -> dict[str, object]:
        """For the page, as JSON."""
        shown = "name status window score ae svm features horizons gone_quiet problem foreign"
        return {
            **{key: getattr(self, key) for key in shown.split()},
            "history": list(self.history),
            "alarms": list(self.alarms),
        }
