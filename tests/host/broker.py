"""A real mosquitto on a loopback port, with a password, with TLS if wanted,
that can be killed and started again.
"""

import socket
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from inlier_boards.build import umqtt
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from tools_missing import tool

HANGS_S = 300  # nothing takes so long, on the busiest machine
USER, PASSWORD = "doorbell", "s3cret, with ünicode"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def umqtt_or_skip() -> Path:
    """The folder to import umqtt from."""
    try:
        return umqtt.folder()
    except BadInput as error:
        pytest.skip(str(error))


class Broker:
    """persistent: keep retained messages and sessions over a restart, as an
    installed mosquitto does.
    """

    def __init__(self, folder: Path, tls: bool = False, persistent: bool = True):
        self.port = free_port()
        self.folder = folder
        self.ca = folder / "ca.crt" if tls else None
        passwords = folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, USER, PASSWORD], check=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            "user root",
        ]
        lines += [
            f"persistence {str(persistent).lower()}",
            f"persistence_location {folder}/",
            "autosave_interval 1",
        ]
        lines += ["autosave_on_changes true"]
        if tls:
            certificates(folder)
            lines += [
                f"cafile {folder}/ca.crt",
                f"certfile {folder}/server.crt",
                f"keyfile {folder}/server.key",
            ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen | None = None

    def start(self) -> "Broker":
        log = (self.folder / "mosquitto.log").open("a")
        self._process = subprocess.Popen(
            leashed([tool("mosquitto"), "-c", self.folder / "mosquitto.conf", "-v"]),
            stdout=log,
            stderr=log,
        )
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                assert self._process.poll() is None, self.log()
                time.sleep(0.02)

    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    __enter__ = start

    def __exit__(self, *error: object) -> None:
        self.kill()


def certificates(folder: Path) -> None:
    """A CA of this test's own, and the broker's certificate for 127.0.0.1."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    openssl(
        "req",
        "-x509",
        *key,
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca.crt",
        "-subj",
        "/CN=inlier test CA",
    )
    openssl(
        "req",
        *key[:-2],
        "-keyout",
        folder / "server.key",
        "-out",
        folder / "server.csr",
        "-subj",
        "/CN=127.0.0.1",
    )
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey",
        folder / "ca.key",
        "-days", 2, "-extfile", folder / "san", "-out", folder / "server.crt",
    )  # fmt: skip


class Subscriber:
    """Notes what arrives, in order: (topic, payload text, retained). Its
    session outlives a restart of the broker.
    """

    def __init__(self, broker: Broker, topics: str = "#"):
        self.messages: list[tuple[str, str, bool]] = []
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, "subscriber", clean_session=False
        )
        self._client.username_pw_set(USER, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        if broker.ca:
            self._client.tls_set(str(broker.ca))
        self.subscriptions = 0  # what is published after one arrives
        self._client.on_connect = lambda client, *_: client.subscribe(topics, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda client, data, m: self.messages.append(
            (m.topic, m.payload.decode(), m.retain)
        )
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        eventually(lambda: self.subscriptions)

    def _on_subscribe(self, *_: object) -> None:
        self.subscriptions += 1

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain).wait_for_publish(HANGS_S)

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def eventually(condition, limit_s=HANGS_S):
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)
