"""A rollout over HTTP: files in a folder that any web server serves, and what
devices answer in that server's access log.

What a device (inlier.sinks.rollout_http) has to tell stands in the query of
what it asks for, which a server of plain files ignores and logs.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs

from inlier.sinks.offer import MODEL, OFFER, OFFER_MAX
from inlier_export.errors import BadInput
from inlier_export.inputs import check_input
from inlier_export.os_errors import said
from inlier_trainer.files import LEAST, check_room, write_atomic
from inlier_trainer.fleet.rollout import Answer, Rollout
from inlier_trainer.fleet.store import NAME

from .fleet_rollout import STEP_S, Clock, answered

# A request in any server's log: common, combined, JSON.
ASKED = re.compile(rb"/offers/(%s)\.json\?([!#-~]{1,1024})" % NAME.pattern.encode())
READ_MAX = 1 << 20  # bytes of the log in one step
LINE_MAX = 8192
FIELDS_MAX = 8


def told(line: bytes) -> tuple[str, Answer, str, int] | None:
    """Device, answer, boot and alarms since, of a line of the log; None for any
    other: it may come from anybody.
    """
    found = ASKED.search(line[:LINE_MAX])
    if found is None:
        return None
    try:
        query = parse_qs(found[2].decode("ascii"), max_num_fields=FIELDS_MAX)
        fields = {key: values[0] for key, values in query.items()}
        answer = answered(
            fields["number"], fields["result"], fields.get("why", ""), fields.get("offered", -1)
        )
        alarms = int(fields.get("alarms", "0"))
    except (ValueError, KeyError):
        return None
    if answer is None or alarms < 0:
        return None
    return found[1].decode("ascii"), answer, fields.get("boot", "")[:16], alarms


class Served:
    """A fleet_rollout.Way.

    log: from its end on; one that is rotated is followed.
    """

    def __init__(self, folder: Path, log: Path, opened: BinaryIO) -> None:
        self._folder, self._log, self._file = folder, log, opened
        self._file.seek(0, 2)
        self._rest = b""

    def publish(self, type_: str, number: int, blob: bytes) -> int:
        self._write(MODEL % (type_, number), blob)
        return 1

    def offer(self, name: str, content: bytes) -> None:
        if len(content) > OFFER_MAX:
            raise BadInput(f"an offer of {len(content)} bytes, devices take {OFFER_MAX}")
        self._write(OFFER % name, content)

    def withdraw(self, name: str) -> None:
        (self._folder / (OFFER % name)).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            write_atomic(path, content)

    def take(self, rollout: Rollout, clock: Clock) -> None:
        data = self._file.read(READ_MAX)
        if not data and not self._turned():
            time.sleep(STEP_S)
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:LINE_MAX]
        for line in lines:
            if what := told(line):
                name, answer, boot, alarms = what
                rollout.counted(name, boot, alarms, clock())
                rollout.answered(name, answer, clock())

    def close(self) -> None:
        self._file.close()

    def _turned(self) -> bool:
        """Whether the log was put away and a new one begun, or it was cut."""
        try:
            now = self._log.stat()
        except FileNotFoundError:  # between the two
            return False
        same = os.path.samestat(now, os.fstat(self._file.fileno()))
        same = same and now.st_size >= self._file.tell()
        if not same:
            self._file.close()
            self._file = self._log.open("rb")
        return not same


@contextmanager
def served(folder: Path, log: Path) -> Iterator[Served]:
    """Raises BadInput where the folder or the log cannot be used."""
    try:
        if not folder.is_dir():
            raise BadInput(f"--folder {folder}: it is no folder: name the one that is served")
        check_room(folder, LEAST)
    except OSError as error:
        raise BadInput(said(error, folder)) from None
    check_input(log, "log of the server")
    try:
        opened = log.open("rb")
    except OSError as error:
        raise BadInput(said(error, log)) from None
    way = Served(folder, log, opened)
    try:
        yield way
    finally:
        way.close()
