"""A client of a broker that a URL names, which stays connected whatever comes."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from inlier_export.errors import BadInput
from inlier_export.printable import printable

if TYPE_CHECKING:
    import paho.mqtt.client as mqtt

AGAIN_S = 1
PASSWORD_VARIABLE = "INLIER_MQTT_PASSWORD"


@dataclass(frozen=True)
class Address:
    """base: the URL's path, a topic."""

    host: str
    port: int
    tls: bool
    user: str
    password: str | None
    base: str

    @property
    def told(self) -> str:
        return f"{self.host}:{self.port}"


def address(url: str, give: str) -> Address:
    """Of mqtt://[user[:password]@]host[:port]/base or mqtts://. Raises
    BadInput.

    give: what to say where it is none.
    """
    where = urlsplit(url)
    base = where.path.strip("/")
    tls = where.scheme == "mqtts"
    if (
        where.scheme not in ("mqtt", "mqtts")
        or not where.hostname
        or not base
        or set("+#") & set(base.removesuffix("/+"))
    ):
        raise BadInput(give)
    try:
        port = where.port or (8883 if tls else 1883)
    except ValueError:
        raise BadInput("--mqtt: the port is no number from 1 to 65535") from None
    password = unquote(where.password) if where.password else os.environ.get(PASSWORD_VARIABLE)
    return Address(where.hostname, port, tls, unquote(where.username or ""), password, base)


def client(where: Address) -> "mqtt.Client":
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    made = mqtt.Client(CallbackAPIVersion.VERSION2)
    if where.user:
        made.username_pw_set(where.user, where.password)
    if where.tls:
        made.tls_set()
    made.reconnect_delay_set(1, 30)
    return made


def connect(made: "mqtt.Client", where: Address) -> None:
    """Raises BadInput."""
    try:
        made.connect(where.host, where.port)
    except OSError as error:
        raise BadInput(
            f"{where.told} cannot be reached ({error.strerror or error}); check address, port and "
            f"network"
        ) from None


def refused(where: Address, code: object) -> BadInput:
    return BadInput(
        f"{where.told} refuses ({str(code).lower()}): check user, password "
        f"({PASSWORD_VARIABLE}) and address"
    )


def listen(made: "mqtt.Client", where: Address, problem: Callable[[str], None]) -> None:
    """Whatever comes, this goes on: without it no alarm would come, and nothing
    would say so.
    """
    while True:
        try:
            made.loop_forever()
            return
        except Exception as error:
            problem(
                f"{where.told}: what came is no MQTT ({printable(repr(error), 80)}); trying again"
            )
        time.sleep(AGAIN_S)
        with contextlib.suppress(OSError):  # loop_forever tries on
            made.reconnect()
