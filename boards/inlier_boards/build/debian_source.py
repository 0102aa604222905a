"""Debian's `micropython` source package, fetched with the system's own mirror
and keys, without root.

A separate source list and state folder leave the system's own alone; apt
verifies the archive's signature and hashes.
"""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inlier_export.errors import BadInput

SUITES = {"debian": ("trixie", "sid"), "ubuntu": ("noble",)}
COMPONENT = {"debian": "main", "ubuntu": "universe"}
APT = Path("/etc/apt")


@dataclass(frozen=True)
class Mirror:
    uri: str
    signed_by: str  # a keyring, or nothing for apt's trusted keys

    def line(self, suite: str, component: str) -> str:
        option = f" [signed-by={self.signed_by}]" if self.signed_by else ""
        return f"deb-src{option} {self.uri} {suite} {component}\n"


def mirrors(apt: Path = APT) -> list[Mirror]:
    """The archives that the system's own sources name, in their order; security
    and vendor archives are left out.
    """
    found: list[Mirror] = []
    patterns = ("sources.list.d/*.sources", "sources.list", "sources.list.d/*.list")
    files = [path for pattern in patterns for path in sorted(apt.glob(pattern))]
    for path in files:
        text = path.read_text(errors="replace")
        found += _deb822(text) if path.suffix == ".sources" else _one_line(text)
    return list(
        dict.fromkeys(m for m in found if re.search(r"/(debian|ubuntu|ubuntu-ports)/?$", m.uri))
    )


def _deb822(text: str) -> Iterator[Mirror]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            match = re.match(r"([A-Za-z-]+):\s*(.*)", line)
            if match:
                fields[match[1].lower()] = match[2].strip()
        if fields.get("enabled", "yes").lower() not in ("no", "false", "0"):
            keyring = fields.get("signed-by", "")
            for uri in fields.get("uris", "").split():
                yield Mirror(uri, keyring if keyring.startswith("/") else "")


def _one_line(text: str) -> Iterator[Mirror]:
    for match in re.finditer(r"^\s*deb(?:-src)?\s+(?:\[([^]]*)\]\s+)?(\S+)\s+\S+", text, re.M):
        keyring = re.search(r"signed-by=(/[^\s\]]+)", match[1] or "", re.I)
        yield Mirror(match[2], keyring[1] if keyring else "")


def distribution(os_release: Path = Path("/etc/os-release")) -> str:
    """'debian' or 'ubuntu'. Raises BadInput elsewhere."""
    text = os_release.read_text() if os_release.is_file() else ""
    words = " ".join(re.findall(r"^(?:ID|ID_LIKE)=(.*)$", text, re.M)).replace('"', "").split()
    for name in ("ubuntu", "debian"):
        if name in words:
            return name
    raise BadInput(
        "this is neither Debian nor Ubuntu: install MicroPython 1.22 or later and put it on PATH"
    )


def unpack(folder: Path, package: str = "micropython") -> Path:
    """Fetch and unpack a source package below `folder` (existing, empty);
    returns the source tree. Raises BadInput.
    """
    system = distribution()
    archives = mirrors()
    if not archives:
        raise BadInput(
            "no Debian or Ubuntu archive in /etc/apt: install MicroPython 1.22 or later and put "
            "it on PATH"
        )
    last = "no suite was tried"
    for suite in SUITES[system]:
        for mirror in archives:
            last = _download(folder, mirror.line(suite, COMPONENT[system]), package)
            tarballs = list(folder.glob(f"{package}_*.orig.tar.*"))
            if tarballs:
                with tarfile.open(tarballs[0]) as tar:
                    # Python 3.11.2, Debian 12's, knows no filters yet
                    tar.extraction_filter = getattr(tarfile, "data_filter", None)
                    tar.extractall(folder)
                return next(p for p in folder.glob(f"{package}-*") if p.is_dir())
    raise BadInput(
        f"the source package {package} could not be fetched ({last}): check the network, or put "
        f"micropython on PATH"
    )


def download(folder: Path, package: str) -> Path:
    """Fetch a package of files, of any machine, into `folder` (existing).
    Raises BadInput.
    """
    system = distribution()
    last = "no Debian or Ubuntu archive in /etc/apt"
    for suite in SUITES[system]:
        for mirror in mirrors():
            line = mirror.line(suite, COMPONENT[system]).replace("deb-src", "deb", 1)
            last = _download(folder, line, package, "download")
            if found := list(folder.glob(f"{package}_*.deb")):
                return found[0]
    raise BadInput(
        f"the package {package} could not be fetched ({last}): check the network, or name an image"
    )


SOURCE = ("source", "--download-only")


def _download(folder: Path, source_line: str, package: str, *how: str) -> str:
    """Runs apt for one source line; returns its last error line, empty on
    success. how: apt-get's words, else for a source package.
    """
    apt = folder / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial", "state"):
        (apt / part).mkdir(parents=True)
    (apt / "sources.list").write_text(source_line)
    settings = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": apt / "state",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "",  # as root, apt would drop to a user who cannot write here
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    for command in (["update"], [*(how or SOURCE), package]):
        done = subprocess.run(
            ["apt-get", "-q", *options, *command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        errors = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if line.startswith(("E:", "Err:", "W: Failed"))
        ]
        if done.returncode or (errors and command == ["update"]):
            return errors[-1] if errors else f"apt-get exited with {done.returncode}"
    return ""
