"""A rollout over MQTT: retained offers and chunks, and what devices answer.

Topics are inlier.sinks.rollout's. All that is published is retained, so that a
device which is away finds it when it is back; to publish it again changes
nothing.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from inlier.sinks.offer import BYTES_MAX, CHUNK_MAX, CHUNKS
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.live import mqtt_client
from inlier_host.live.feed import parsed
from inlier_trainer.fleet.rollout import Rollout
from inlier_trainer.fleet.store import Store

ANSWER_MAX = 2048  # bytes of what a device says of its model
STEP_S = 0.5
SAVE_S = 5.0
WAITING_MAX = 10_000
Said = tuple[str, str, Any]  # device, kind, what


def answer(payload: bytes) -> tuple[int, str, str] | None:
    """number, result and why of what a device says of its model; None for what
    is none: it may come from anybody.
    """
    try:
        if len(payload) > ANSWER_MAX:
            return None
        told = json.loads(payload)
        number, result = int(told["number"]), str(told["result"])
        return number, printable(result, 20), printable(str(told.get("why", "")), 200)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


@contextmanager
def connected(url: str) -> Iterator[tuple[Any, str, "queue.Queue[Said | BadInput]"]]:
    """A client, the prefix of its topics, and what devices say. Raises
    BadInput.
    """
    where = mqtt_client.address(url, "--broker: give mqtt://[user@]host[:port]/inlier")
    if "+" in where.base:
        raise BadInput("--broker: the prefix alone, such as mqtt://host/inlier")
    said: queue.Queue[Said | BadInput] = queue.Queue(WAITING_MAX)
    ready = threading.Event()

    def on_connect(client: Any, data: object, flags: object, code: Any, properties: object) -> None:
        if code.is_failure:
            said.put(mqtt_client.refused(where, code))
            return
        for kind in ("model", "state", "alarm", "availability"):
            client.subscribe(f"{where.base}/+/{kind}", 1)
        ready.set()

    def on_message(client: Any, data: object, message: Any) -> None:
        parts = message.topic[len(where.base) + 1 :].split("/")
        if len(parts) == 2:
            said.put((parts[0], parts[1], message))

    client = mqtt_client.client(where)
    client.on_connect, client.on_message = on_connect, on_message
    mqtt_client.connect(client, where)
    arguments = client, where, lambda problem: None
    threading.Thread(target=mqtt_client.listen, args=arguments, daemon=True).start()
    try:
        while not ready.wait(0.1):
            if not said.empty() and isinstance(problem := said.get(), BadInput):
                raise problem
        yield client, where.base, said
    finally:
        client.disconnect()


def publish_model(client: Any, type_: str, number: int, blob: bytes) -> int:
    """The chunks of a type's model; returns how many."""
    chunks = -(-len(blob) // CHUNK_MAX)
    each = -(-len(blob) // chunks)
    sent = [
        client.publish(CHUNKS % (type_, number) + str(i), blob[i * each : (i + 1) * each], 1, True)
        for i in range(chunks)
    ]
    for message in sent:
        message.wait_for_publish(60)
    return chunks


def roll(
    rollout: Rollout,
    store: Store,
    blob: bytes,
    url: str,
    each: Callable[[dict[str, object]], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Until it is done or halted. each: told when something changed. Raises
    BadInput, OSError; interrupted, it goes on where it was.
    """
    type_, number = rollout.state.type, rollout.state.number
    if len(blob) > BYTES_MAX:
        raise BadInput(f"models/{type_}.inlier: {len(blob)} bytes, devices take {BYTES_MAX}")
    with connected(url) as (client, base, said):
        offer = {"number": number, "type": type_, "bytes": len(blob)}
        offer["chunks"] = publish_model(client, type_, number, blob)
        before: dict[str, object] = {}
        saved = 0.0
        for name in rollout.state.devices:  # a broker that kept nothing over its restart
            _offer(client, base, store, type_, name, offer)
        try:
            while not (rollout.state.done or rollout.state.halted):
                for name in rollout.to_offer(clock()):
                    _offer(client, base, store, type_, name, offer)
                _take(rollout, said, clock)
                changed = rollout.step(clock())
                if changed or clock() - saved > SAVE_S:
                    rollout.save()
                    saved = clock()
                if rollout.summary() != before:
                    before = rollout.summary()
                    each(before)
        finally:
            rollout.save()


def _offer(
    client: Any, base: str, store: Store, type_: str, name: str, offer: dict[str, object]
) -> None:
    limits = f"calibrations/{type_}/{name}.limits"
    mine = {"limits": store.read(limits).hex()} if store.exists(limits) else {}
    client.publish(f"{base}/{name}/offer", json.dumps({**offer, **mine}), 1, True)


def _take(
    rollout: Rollout, said: "queue.Queue[Said | BadInput]", clock: Callable[[], float]
) -> None:
    """What devices said, for STEP_S at most."""
    until = time.monotonic() + STEP_S
    while (left := until - time.monotonic()) > 0:
        try:
            message = said.get(timeout=left)
        except queue.Empty:
            return
        if isinstance(message, BadInput):
            raise message
        name, kind, what = message
        if kind == "model":
            if told := answer(what.payload):
                rollout.answered(name, *told, clock())
                return  # a step may follow from it
        elif kind == "state" or (kind == "availability" and what.payload == b"online"):
            if not what.retain:
                rollout.heard(name, clock())
        elif kind == "alarm" and not what.retain:
            event = parsed(what.payload.decode(errors="replace"))
            if event.get("alarm") == "ON" and not event["grows"]:
                rollout.alarmed(name, event["id"], clock())
