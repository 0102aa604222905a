"""The rules of a rollout: which device is offered a type's new model next, and
when it stops. What happened is kept in the store: a rollout that was
interrupted goes on where it was.

A wave is a share of the type's devices, in an order that the model's number
and chance give. The next begins when those of this one that answered run the
new model for `soak_s` without a reason to halt.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from inlier_export.errors import BadInput
from inlier_trainer.figures import number_of, rate
from inlier_trainer.threshold import PERIOD_MS

from .engine import Summary
from .store import Device, Store, digest

WAVES = (0.01, 0.1, 1.0)
FAILED_SHARE = 0.02  # of those that were offered it and answered; one is enough in a small wave
ANSWERED_SHARE = 0.5  # of a wave, or it says nothing
CHANCE = 1e-3  # that so many alarms come of the budget itself
ALARMS_MIN = 2  # one alone halts nothing
KEPT_ALARMS = 1000  # ids: of those that a broker repeats


@dataclass(frozen=True)
class Answer:
    """What a device says of its model: the number that runs.

    result: running, installed or refused; of a refusal, why and which
        number, -1 where it does not say.
    """

    number: int
    result: str
    why: str = ""
    offered: int = -1


@dataclass
class Progressed:
    """Of a device: seconds since 1970, 0 where it did not happen.

    forgiven: the refusal that was there when somebody resumed, which it
        repeats until its next boot.
    boot, counted: alarms since that boot which are in `alarms`.
    """

    offered: float = 0
    installed: float = 0
    heard: float = 0
    refused: str = ""
    alarms: int = 0
    forgiven: str = ""
    boot: str = ""
    counted: int = 0


@dataclass
class State:
    """halted: the reason.
    wave: index in WAVES.
    since: when it began.
    """

    type: str
    number: int
    model: str
    of: int = 0  # devices of its type
    wave: int = 0
    since: float = 0
    halted: str = ""
    done: bool = False
    devices: dict[str, Progressed] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """alarms_per_day: of the budget, a device.
    silence_s: so long unheard of after it had the model is silent.
    soak_s: a wave is watched so long.
    """

    alarms_per_day: float
    soak_s: float
    silence_s: float


def place(type_: str) -> str:
    return f"rollouts/{type_}.json"


class Rollout:
    """One type's. Times are seconds since 1970, passed in."""

    def __init__(
        self, store: Store, devices: list[Device], number: int, model: bytes, rules: Rules
    ) -> None:
        """Takes up what the store has of this number. Raises BadInput where it
        has a newer one, or another model under this number.
        """
        self._store = store
        self._rules = rules
        type_ = devices[0].type
        names = [d.name for d in devices]
        self.order = sorted(names, key=lambda name: digest(number, name))
        known = store.read_json(place(type_))
        of = digest(model)
        if known and known["number"] > number:
            raise BadInput(
                f"{place(type_)}: number {known['number']} was rolled out, this one has {number}: "
                f"train it with a higher --number"
            )
        if known and known["number"] == number:
            if known["model"] != of:
                raise BadInput(
                    f"{place(type_)}: number {number} was another model: train this one with a "
                    f"higher --number"
                )
            self.state = _state(known)
        else:
            self.state = State(type_, number, of)
        self.state.of = len(names)
        self._alarmed: dict[str, None] = {}

    def save(self) -> None:
        """Raises OSError."""
        self._store.write_json(place(self.state.type), asdict(self.state))

    def resume(self, now: float) -> None:
        """After a halt, when somebody has looked: this wave begins anew, and
        what was counted against it with it.
        """
        self.state.halted = ""
        self.state.since = now
        for device in self.state.devices.values():
            device.forgiven = device.refused or device.forgiven
            device.refused, device.alarms = "", 0
            device.heard = now if device.installed else 0

    @property
    def members(self) -> list[str]:
        """Devices of the waves up to this one."""
        return self.order[: max(1, math.ceil(WAVES[self.state.wave] * len(self.order)))]

    def to_offer(self, now: float) -> list[str]:
        """Members that were offered nothing yet, which are from now on."""
        if not self.state.since:
            self.state.since = now
        new = [name for name in self.members if name not in self.state.devices]
        for name in new:
            self.state.devices[name] = Progressed(offered=now)
        return new

    def answered(self, name: str, told: Answer, now: float) -> None:
        device = self.state.devices.get(name)
        if device is None:
            return
        device.heard = now
        if told.number == self.state.number:
            device.installed = device.installed or now
            device.refused = device.forgiven = ""
        elif told.result != "refused":
            device.forgiven = ""  # it has booted since
        elif told.offered in (-1, self.state.number):  # not a former one
            why = told.why or "it did not say why"
            if why != device.forgiven:
                device.refused = why

    def heard(self, name: str, now: float) -> None:
        device = self.state.devices.get(name)
        if device is not None:
            device.heard = now

    def alarmed(self, name: str, id_: str, now: float) -> None:
        """Each alarm once, however often a broker says it."""
        self.heard(name, now)
        device = self.state.devices.get(name)
        key = f"{name} {id_}"
        if device is not None and device.installed and key not in self._alarmed:
            device.alarms += 1
            self._alarmed[key] = None
            if len(self._alarmed) > KEPT_ALARMS:
                del self._alarmed[next(iter(self._alarmed))]

    def counted(self, name: str, boot: str, alarms: int, now: float) -> None:
        """Alarms since a boot, as who tells no single one says."""
        self.heard(name, now)
        device = self.state.devices.get(name)
        if device is not None:
            before = device.counted if device.boot == boot else 0
            if device.installed:
                device.alarms += max(0, alarms - before)
            device.boot, device.counted = boot, alarms

    def step(self, now: float) -> bool:
        """Halts, goes on to the next wave, or is done; says whether anything
        changed.
        """
        if self.state.halted or self.state.done:
            return False
        if reason := self._reason(now):
            self.state.halted = reason
            return True
        mine = [self.state.devices[n] for n in self.members if n in self.state.devices]
        running = [d for d in mine if d.installed]
        if len(running) < max(1, ANSWERED_SHARE * len(self.members)):
            return False
        if now - max(d.installed for d in running) < self._rules.soak_s:
            return False
        if self.state.wave == len(WAVES) - 1:
            self.state.done = True
        else:
            self.state.wave += 1
            self.state.since = now
        return True

    def _reason(self, now: float) -> str:
        from scipy.stats import poisson

        rules = self._rules
        mine = self.state.devices
        refused = {name: d for name, d in mine.items() if d.refused}
        answered = [d for d in mine.values() if d.installed or d.refused]
        if refused and len(refused) > FAILED_SHARE * len(answered):
            name, first = next(iter(refused.items()))
            return (
                f"{len(refused)} of {len(answered)} devices refused it, as {name}: {first.refused}"
            )
        running = {name: d for name, d in mine.items() if d.installed}
        silent = [name for name, d in running.items() if now - d.heard > rules.silence_s]
        if silent and len(silent) > FAILED_SHARE * len(running):
            return (
                f"{len(silent)} of {len(running)} devices that installed it are silent for "
                f"{rules.silence_s:g} s, as {silent[0]}"
            )
        alarms = sum(d.alarms for d in running.values())
        days = sum(now - d.installed for d in running.values()) * 1000 / PERIOD_MS["day"]
        most = int(poisson.isf(CHANCE, max(rules.alarms_per_day * days, 1e-9)))
        if alarms >= ALARMS_MIN and alarms > most:
            expected = rate(rules.alarms_per_day * days)
            return (
                f"{alarms} alarms of {number_of(len(running), 'device')} in {rate(days)} device "
                f"days, where the budget lets by {expected}"
            )
        return ""

    def summary(self) -> Summary:
        return told(self.state)


def told(state: State) -> Summary:
    mine = state.devices.values()
    return {
        "type": state.type,
        "number": state.number,
        "wave": f"{WAVES[state.wave]:.0%}",
        "devices": state.of,
        "offered": len(mine),
        "running": sum(bool(d.installed) for d in mine),
        "refused": sum(bool(d.refused) for d in mine),
        "away": sum(not (d.installed or d.refused) for d in mine),
        "alarms": sum(d.alarms for d in mine),
        "halted": state.halted,
        "done": state.done,
    }


def summaries(store: Store) -> list[Summary]:
    """Of each type's rollout that the store knows."""
    return [
        told(_state(known))
        for name in store.names("rollouts")
        if (known := store.read_json(f"rollouts/{name}"))
    ]


def _state(known: dict[str, Any]) -> State:
    devices = {name: Progressed(**p) for name, p in known["devices"].items()}
    return State(**{**known, "devices": devices})
