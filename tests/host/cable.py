"""A cable with two ends in a network namespace of its own, over which frames
are played to a listener at one end.

`python cable.py CAPTURE ADDRESS WINDOW_MS LISTENER…`, begun by `in_namespace`,
prints the windows that the listener counted, as JSON.
"""

import functools
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from frames import windows
from inlier_boards.leash import leashed

HERE, THERE = "veth0", "veth1"


def in_namespace(*command):
    """`command` where it is root of a network that nobody else sees."""
    return leashed(["unshare", "--map-root-user", "--net", *map(str, command)])


@functools.cache
def missing():
    """Why there can be no such namespace, or nothing."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "needs unshare and ip: apt-get install util-linux iproute2"
    tried = subprocess.run(
        in_namespace(sys.executable, "-c", "import cable; cable.lay('02:00:00:00:00:aa')"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parent,
    )
    why = (tried.stderr.strip().splitlines() or ["it failed"])[-1]
    return f"needs a network namespace of its own: {why}" if tried.returncode else ""


def ip(words):
    subprocess.run(["ip", *words.split()], check=True, timeout=60)


def lay(address):
    ip(f"link add {HERE} address {address} type veth peer name {THERE}")
    for end in (HERE, THERE):
        # nobody but us sends: no neighbour discovery
        Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1")
        ip(f"link set {end} mtu 65535 up")


class Cable:
    """What frames.windows plays to."""

    def __init__(self, listener):
        self._ends = {name: self._socket(name, 0) for name in (HERE, THERE)}
        # Opened before the listener's, it has a frame after the listener has
        # it.
        self._after = self._socket(HERE, 3)
        self._listener = subprocess.Popen(
            leashed([*listener, HERE]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def _socket(self, name, protocol):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((name, protocol))
        return s

    def _line(self):
        return self._listener.stdout.readline().strip()

    def _tell(self, line):
        self._listener.stdin.write(line + "\n")
        self._listener.stdin.flush()

    def frame(self, octets, sent):
        self._ends[HERE if sent else THERE].send(octets)
        self._after.recv(16)

    def at(self, ms):
        self._tell(f"at {ms}")

    def drain(self):
        self._tell("drain")
        assert self._line() == "drained"

    def read(self):
        self._tell("read")
        lost, *totals = map(int, self._line().split())
        assert lost == 0
        return totals


if __name__ == "__main__":
    path, address, window_ms, *listener = sys.argv[1:]
    lay(address)
    print(json.dumps(windows(Path(path), address, int(window_ms), Cable(listener)).tolist()))
