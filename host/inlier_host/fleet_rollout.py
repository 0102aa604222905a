"""A rollout from its beginning to its end or a halt, whichever way offers reach
devices: over MQTT (fleet_rollout_mqtt.py) or from a folder that a web server
serves (fleet_rollout_web.py).
"""

import json
import time
from collections.abc import Callable
from typing import Protocol

from inlier.sinks.offer import BYTES_MAX
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer.fleet.engine import Summary
from inlier_trainer.fleet.rollout import Answer, Rollout
from inlier_trainer.fleet.store import Device, Store, model_of

STEP_S = 0.5  # how long a look at what devices said takes at most
SAVE_S = 5.0
Clock = Callable[[], float]


class Way(Protocol):
    """How offers reach devices, and what these say comes back. An offer stays
    until it is withdrawn, for a device that is away; to make it again changes
    nothing.
    """

    def publish(self, type_: str, number: int, blob: bytes) -> int:
        """A type's model. Returns in how many pieces. Raises OSError."""

    def offer(self, name: str, content: bytes) -> None:
        """To a device. Raises OSError."""

    def withdraw(self, name: str) -> None:
        """Its offer. Raises OSError."""

    def take(self, rollout: Rollout, clock: Clock) -> None:
        """What devices said, for STEP_S at most. Raises BadInput, OSError."""


def answered(number: object, result: object, why: object, offered: object) -> Answer | None:
    """What a device says of its model; None for what is none: it may come from
    anybody.
    """
    try:
        return Answer(
            int(str(number)),
            printable(str(result), 20),
            printable(str(why), 200),
            int(str(offered)),
        )
    except ValueError:
        return None


def roll(
    rollout: Rollout,
    store: Store,
    blob: bytes,
    way: Way,
    each: Callable[[Summary], None],
    clock: Clock = time.time,
) -> None:
    """Until it is done or halted. Raises BadInput, OSError; interrupted, it
    goes on where it was.

    each: told when something changed.
    """
    state = rollout.state
    if len(blob) > BYTES_MAX:
        raise BadInput(f"{model_of(state.type)}: {len(blob)} bytes, devices take {BYTES_MAX}")
    if state.done or state.halted:
        return
    pieces = way.publish(state.type, state.number, blob)
    said = {"number": state.number, "type": state.type, "bytes": len(blob), "chunks": pieces}

    def offer(name: str) -> None:
        limits = Device(state.type, name).limits
        mine = {"limits": store.read(limits).hex()} if store.exists(limits) else {}
        way.offer(name, json.dumps({**said, **mine}).encode())

    before: Summary = {}
    saved = 0.0
    for name in state.devices:  # a broker that kept nothing over its restart
        offer(name)
    try:
        while not (state.done or state.halted):
            for name in rollout.to_offer(clock()):
                offer(name)
            way.take(rollout, clock)
            changed = rollout.step(clock())
            if changed or clock() - saved > SAVE_S:
                rollout.save()
                saved = clock()
            if rollout.summary() != before:
                before = rollout.summary()
                each(before)
        if state.halted:  # who was away must not take it when it is back
            for name, device in state.devices.items():
                if not device.installed:
                    way.withdraw(name)
    finally:
        rollout.save()
