"""Where a fleet lies: a local folder, or any address that fsspec knows.

    windows/type=T/device=D/date=2026-01-31/windows.parquet
    profiles/…, scores/…        a file a device, of what is derived from them
    models/T.inlier, T.json     a model a type, and what is known of it
    calibrations/T/D.limits     the few bytes in which a device differs
    calibration.json            what limits were chosen for, and let by
    drift.json                  what has moved since training
    truth.json                  of a made-up fleet: what befell whom
    done/STAGE/…                what a task told when it had written its result
    staged/…                    windows that wait to be sorted in

Only windows/ is anybody's data; the rest is made from it again.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from inlier_export.errors import BadInput
from inlier_export.os_errors import said
from inlier_export.printable import printable
from inlier_trainer.files import write_atomic

PART = "windows.parquet"
CALIBRATION = "calibration.json"
DRIFT = "drift.json"
TRUTH = "truth.json"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
SHOWN = 60
# what tells one content of a file from the next, as fsspec's file systems have
# it
STAMPS = ("mtime", "ETag", "etag", "md5Hash", "LastModified", "last_modified", "created")


def named(text: str, what: str) -> str:
    """`text`, if a type or device may be called so: it becomes a folder and a
    topic. Raises BadInput.
    """
    if not NAME.fullmatch(text):
        raise BadInput(
            f"{what} '{printable(text, SHOWN)}': a name has 1 to 64 letters, digits, '_', '-' "
            f"and '.', and begins with none of the last two"
        )
    return text


@dataclass(frozen=True, order=True)
class Device:
    type: str
    name: str

    @property
    def place(self) -> str:
        return f"type={self.type}/device={self.name}"

    @property
    def limits(self) -> str:
        return f"calibrations/{self.type}/{self.name}.limits"


def model_of(type_: str) -> str:
    return f"models/{type_}.inlier"


def known_of(type_: str) -> str:
    return f"models/{type_}.json"


@dataclass(frozen=True)
class Store:
    """Files by their names below `address`; each is replaced whole."""

    address: str

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            # what workers wrote must be seen at once: no listing is kept
            fs, root = fsspec.core.url_to_fs(self.address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise BadInput(
                f"{self.address}: fsspec does not know that kind of address ({error}); name a "
                f"folder, or install what it needs"
            ) from None
        return fs, root.rstrip("/")

    @property
    def is_local(self) -> bool:
        return "file" in self._opened[0].protocol

    def path(self, name: str) -> str:
        return f"{self._opened[1]}/{name}"

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, OSError."""
        content: bytes = self._opened[0].cat_file(self.path(name))
        return content

    def write(self, name: str, content: bytes, settled: bool = True) -> None:
        """Whole or not at all: beside it and renamed, or as one object. Without
        `settled` a power cut may still empty it: nobody waits for the disk,
        which all workers share. Raises OSError.
        """
        fs, path = self._opened[0], self.path(name)
        if not self.is_local:
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.pipe_file(path, content)
            return
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, content, settled)

    def create(self, name: str, content: bytes) -> None:
        """Where nothing is there, on an object store. Raises FileExistsError,
        OSError.
        """
        fs, path = self._opened[0], self.path(name)
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, content, mode="create")

    def remove(self, name: str) -> None:
        fs, path = self._opened[0], self.path(name)
        if fs.exists(path):
            fs.rm(path)

    def exists(self, name: str) -> bool:
        there: bool = self._opened[0].exists(self.path(name))
        return there

    def size(self, name: str) -> int | None:
        """None where nothing is there."""
        try:
            found: int = self._opened[0].size(self.path(name))
        except FileNotFoundError:
            return None
        return found

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted; nothing where there is none. What
        begins with a dot is being written, or was when its process was killed.
        """
        fs, path = self._opened[0], self.path(folder)
        try:
            found = fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        names = (str(name).rstrip("/").rpartition("/")[2] for name in found)
        return sorted(name for name in names if not name.startswith("."))

    def read_json(self, name: str) -> Any:
        """None where it is not there, or is none any more."""
        try:
            return json.loads(self.read(name))
        except (FileNotFoundError, ValueError):
            return None

    def write_json(self, name: str, content: object, settled: bool = True) -> None:
        self.write(name, json.dumps(content, sort_keys=True).encode(), settled)

    def types(self) -> list[str]:
        return [n.removeprefix("type=") for n in self.names("windows") if n.startswith("type=")]

    def members(self, type_: str) -> list[str]:
        """Names of its devices."""
        return [
            n.removeprefix("device=")
            for n in self.names(f"windows/type={type_}")
            if n.startswith("device=")
        ]

    def devices(self, only: str | None = None) -> list[Device]:
        """Sorted. Raises BadInput where there is none, or one is in two types."""
        types = [only] if only else self.types()
        found = [Device(type_, name) for type_ in types for name in self.members(type_)]
        if not found:
            what = f"no device of type '{printable(only, SHOWN)}'" if only else "no windows"
            raise BadInput(
                f"{self.address}: it holds {what}; add some with 'inlier fleet ingest', or make "
                f"some up with 'inlier fleet simulate'"
            )
        by_name: dict[str, str] = {}
        for device in found:
            other = by_name.setdefault(device.name, device.type)
            if other != device.type:
                raise BadInput(
                    f"{self.address}: device '{device.name}' is in the types '{other}' and "
                    f"'{device.type}': move its folder to the one that it has"
                )
        return sorted(found)

    def dates(self, device: Device) -> list[str]:
        return [
            n.removeprefix("date=")
            for n in self.names(f"windows/{device.place}")
            if n.startswith("date=")
        ]

    def part(self, device: Device, date: str) -> str:
        return f"windows/{device.place}/date={date}/{PART}"

    def state(self, device: Device, *also: str) -> str:
        """A digest that changes with the device's parts, and with `also`."""
        fs = self._opened[0]
        found = fs.find(self.path(f"windows/{device.place}"), detail=True)
        told = [
            (name, info.get("size"), str(next((info[k] for k in STAMPS if info.get(k)), "")))
            for name, info in sorted(found.items())
            if name.endswith(PART)
        ]
        return digest(told, also)


def digest(*what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


def opened(address: str, new: bool = False) -> Store:
    """The fleet at `address`. Raises BadInput where there is none, unless it
    may be made.
    """
    store = Store(address)
    if not new and not store.names("windows"):
        store.devices()
    if new and store.is_local:
        try:
            Path(store.path("")).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(said(error, address)) from None
    return store
