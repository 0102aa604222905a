"""A machine that guards itself: it asks hosts beyond a cable, is recorded,
trained on, watched, and then scans. All of it in two network namespaces.

`python machine_on_a_cable.py FOLDER`, begun by `cable.in_namespace`, prints
{"windows": in how many it scanned until the alarm, "alarm": null without one}.
"""

import json
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cable
from inlier_boards.leash import leashed

WINDOW_MS, WINDOWS, CALM, SCANS_MAX = 100, 700, 60, 30
HOSTS = "10.9.0.0/16"  # all of them are the other end
INLIER = (sys.executable, "-m", "inlier_host")
STEP_S = 600  # a limit for what hangs


def serve():
    """The other end: all hosts answer at port 443, but for those of a filter."""
    sys.stdin.readline()  # the end of the cable is ours now
    cable.ip(f"address add 10.8.0.1/24 dev {cable.THERE}")
    cable.ip(f"link set {cable.THERE} up")
    cable.ip("link set lo up")
    cable.ip(f"route add local {HOSTS} dev lo")
    cable.ip("route add blackhole 10.9.99.0/24 table local")
    with socket.create_server(("", 443)) as server:
        print("ready", flush=True)
        while True:
            s, _ = server.accept()
            s.sendall(b"!" * int(s.recv(100)))
            s.close()


def ask(chance, ended):
    """What is normal: now and then one of three hosts."""
    while not ended.is_set():
        with socket.create_connection((f"10.9.0.{chance.randint(1, 3)}", 443)) as s:
            s.sendall(b"%d" % chance.randint(100, 3000))
            while s.recv(4096):
                pass
        time.sleep(chance.uniform(0, 0.15))


def scan(ports):
    """Of a host behind a filter: nothing answers."""
    for port in ports:
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("10.9.99.1", port))
        s.close()


def run(*arguments):
    subprocess.run([*INLIER, *map(str, arguments)], check=True, timeout=STEP_S, stdout=sys.stderr)


def main(folder):
    other = subprocess.Popen(
        leashed(["unshare", "--net", sys.executable, __file__]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    cable.lay("02:00:00:00:00:aa")
    cable.ip(f"address add 10.8.0.2/24 dev {cable.HERE}")
    # /proc/PID/ns/net is the other's only when its unshare has begun it
    while os.readlink(f"/proc/{other.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.01)
    cable.ip(f"link set {cable.THERE} netns {other.pid}")
    cable.ip("route add default via 10.8.0.1")
    other.stdin.write(b"\n")
    other.stdin.flush()
    assert other.stdout.readline() == b"ready\n"

    ended = threading.Event()
    threading.Thread(target=ask, args=(random.Random(1), ended), daemon=True).start()
    recording, model = folder / "windows.csv", folder / "model.inlier"
    live = ("--source", "packets")
    run("record", *live, "--window", f"{WINDOW_MS}ms", "--count", WINDOWS, "-o", recording)
    run(
        *("train", recording, *live, "--window", f"{WINDOW_MS}ms"),
        *("--false-alarms", "5/hour", "--allow-constant", "all", "-o", model),
    )
    watching = subprocess.Popen(
        leashed([*INLIER, "monitor", model, *live, "--json", "--count", "400"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [*map(lines.put, watching.stdout)], daemon=True).start()
    alarm, scans = None, 0
    while alarm is None and scans < SCANS_MAX:
        window = json.loads(lines.get(timeout=STEP_S))
        if window["event"] == 1:
            alarm = window
        # after a window, and never twice in one, however late we are
        elif window["index"] >= CALM and lines.empty():
            scan(range(1000 + 20 * scans, 1020 + 20 * scans))
            scans += 1
    watching.kill()
    ended.set()
    print(json.dumps({"windows": scans, "alarm": alarm}))


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        serve()
