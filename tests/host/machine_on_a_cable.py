"""A machine that guards itself: it asks hosts beyond a cable, is recorded,
trained on, watched, and then scans. All of it in two network namespaces.

`python machine_on_a_cable.py FOLDER`, begun by `cable.in_namespace`, prints
{"scan": the last window before it, "alarm": the alarm, null without one}.
"""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cable
from inlier_boards.leash import leashed

WINDOW_MS, WINDOWS, CALM = 100, 700, 60
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
        *("--allow-constant", "all", "-o", model),
    )
    watching = subprocess.Popen(
        leashed([*INLIER, "monitor", model, *live, "--json", "--count", "400"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    alarm, begun, port = None, None, 1000
    for line in watching.stdout:
        window = json.loads(line)
        if window["event"] == 1:
            alarm = window
            break
        if window["index"] >= CALM:
            begun = window["index"] if begun is None else begun
            scan(range(port, port + 20))
            port += 20
    watching.kill()
    ended.set()
    print(json.dumps({"scan": begun, "alarm": alarm}))


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        serve()
