"""micropython-lib's umqtt.simple for this machine, from PyPI; boards get theirs
by `mpremote mip install umqtt.simple`.

Its package there has neither setup.py nor wheel, so that pip refuses it;
`unearth`, the finder that PDM uses, fetches it.
"""

import hashlib
import importlib
import os
import socket
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

from inlier_export.errors import BadInput

from .micropython import built_once, cache_folder

PACKAGE = "micropython-umqtt.simple"
VERSION = "1.3.4"
SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
MEMBER = f"{PACKAGE}-{VERSION}/umqtt/simple.py"


def folder() -> Path:
    """A folder to put on the path, with `umqtt/simple.py` in it; fetched once
    into the cache. Raises BadInput.
    """
    place = cache_folder() / f"umqtt-{VERSION}"
    with built_once(place, place.parent / "umqtt.lock") as work:
        if work:
            new = work / "new"
            (new / "umqtt").mkdir(parents=True)
            (new / "umqtt/simple.py").write_bytes(_fetch(work))
            new.rename(place)
    return place


def _fetch(work: Path) -> bytes:
    command = [
        sys.executable,
        "-m",
        "unearth",
        f"{PACKAGE}=={VERSION}",
        "--no-binary",
        "--download",
        str(work),
    ]
    if "PIP_INDEX_URL" in os.environ:  # where this machine's pip looks
        command += ["--index-url", os.environ["PIP_INDEX_URL"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = list(work.glob("*.tar.gz"))
    if done.returncode or not files:
        raise BadInput(
            "umqtt.simple could not be fetched from PyPI: check the network and `pip install "
            "unearth`"
        )
    if hashlib.sha256(files[0].read_bytes()).hexdigest() != SHA256:
        raise BadInput(
            f"{PACKAGE} {VERSION} from PyPI is not the file it was: its SHA-256 differs; do not "
            f"use it"
        )
    with tarfile.open(files[0]) as archive:
        member = archive.extractfile(MEMBER)
        assert member
        return member.read()


def importable() -> None:
    """Make `import umqtt.simple` work on CPython, which lacks the u-names that
    this version imports. Raises BadInput.
    """
    for name, module in (
        ("usocket", socket),
        ("ustruct", struct),
        ("ubinascii", importlib.import_module("binascii")),
    ):
        sys.modules.setdefault(name, module)
    path = str(folder())
    if path not in sys.path:
        sys.path.append(path)
