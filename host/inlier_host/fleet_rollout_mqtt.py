"""A rollout over MQTT: retained offers and chunks, and what devices answer.

Topics are inlier.sinks.rollout's. All that is published is retained, so that a
device which is away finds it when it is back.
"""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inlier.sinks.offer import CHUNK_MAX, CHUNKS
from inlier_export.errors import BadInput
from inlier_host.live import mqtt_client
from inlier_host.live.feed import parsed
from inlier_trainer.fleet.rollout import Answer, Rollout

from .fleet_rollout import STEP_S, Clock, answered

ANSWER_MAX = 2048  # bytes of what a device says of its model
WAITING_MAX = 10_000
Said = tuple[str, str, Any]  # device, kind, what


def answer(payload: bytes) -> Answer | None:
    """Of a message; None for what is none."""
    try:
        if len(payload) > ANSWER_MAX:
            return None
        told = json.loads(payload)
        return answered(
            told["number"], told["result"], told.get("why", ""), told.get("offered", -1)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class Broker:
    """A fleet_rollout.Way.

    base: the prefix of topics.
    said: what devices say.
    """

    def __init__(self, client: Any, base: str, said: "queue.Queue[Said | BadInput]") -> None:
        self._client, self._base, self._said = client, base, said

    def publish(self, type_: str, number: int, blob: bytes) -> int:
        chunks = -(-len(blob) // CHUNK_MAX)
        each = -(-len(blob) // chunks)
        topic = CHUNKS % (type_, number)
        sent = [
            self._client.publish(topic + str(i), blob[i * each : (i + 1) * each], 1, True)
            for i in range(chunks)
        ]
        for message in sent:
            message.wait_for_publish(60)
        return chunks

    def offer(self, name: str, content: bytes) -> None:
        self._client.publish(f"{self._base}/{name}/offer", content, 1, True)

    def withdraw(self, name: str) -> None:
        self._client.publish(f"{self._base}/{name}/offer", b"", 1, True).wait_for_publish(60)

    def take(self, rollout: Rollout, clock: Clock) -> None:
        until = time.monotonic() + STEP_S
        while (left := until - time.monotonic()) > 0:
            try:
                message = self._said.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(message, BadInput):
                raise message
            name, kind, what = message
            if kind == "model":
                if told := answer(what.payload):
                    rollout.answered(name, told, clock())
                    return  # a step may follow from it
            elif kind == "state" or (kind == "availability" and what.payload == b"online"):
                if not what.retain:
                    rollout.heard(name, clock())
            elif kind == "alarm" and not what.retain:
                event = parsed(what.payload.decode(errors="replace"))
                if event.get("alarm") == "ON" and not event["grows"]:
                    rollout.alarmed(name, event["id"], clock())


@contextmanager
def connected(url: str) -> Iterator[Broker]:
    """Raises BadInput."""
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
        yield Broker(client, where.base, said)
    finally:
        client.disconnect()
