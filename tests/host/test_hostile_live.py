"""Whoever may write to the topic, to the serial line or to the page's port: no
later alarm is lost, nothing is forged on the terminal, scoring goes on.
"""

import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from broker import HANGS_S
from inlier.line import seal
from inlier.procfs import Procfs
from inlier_boards.serial_line import intake, record_board
from inlier_boards.serial_line import lines as board_lines
from inlier_boards.serial_line.intake import Intake
from inlier_boards.serial_line.record_board import Part, record
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_host.commands import monitor
from inlier_host.live import bounded, feed, terminal, web
from inlier_host.live.feed import parsed
from inlier_host.live.state import Live
from inlier_trainer.recordings import table

NUMBERS = '"score":1,"ae":1,"svm":1,"hot":0'
ODD = [
    "[" * 200_000,
    '{"a":' * 100_000,
    '{"window":1e999,%s}' % NUMBERS,
    '{"window":NaN,%s}' % NUMBERS,
    '{"window":-5,%s}' % NUMBERS,
    '{"window":%d,%s}' % (10**300, NUMBERS),
    '{"window":%s,%s}' % ("9" * 5000, NUMBERS),
    '{"window":1,"score":-900,"ae":1,"svm":1,"hot":0}',
    '{"window":1,%s,"features":7}' % NUMBERS,
    '{"window":1,%s,"features":[["a"]]}' % NUMBERS,
    '{"window":1,%s,"features":[["a",1e999]]}' % NUMBERS,
    '{"window":1,%s,"source":"sockets"}' % NUMBERS,
    '{"window":1,%s,"source":"s","deltas":[-1]}' % NUMBERS,
    '{"window":1,%s,"source":"s","deltas":[1e30]}' % NUMBERS,
    '{"alarm":"ON","window":1e400}',
    '{"alarm":"ON","window":{}}',
    '"\ud800',
    "x" * 100_000,
]
ALARM = '{"alarm":"ON","id":"a-1","window":7,"message":"hosts in touch: 9"}'
EVIL = "a\ud800\x1b]0;t\x07\r\nwindow 9: ALARM: forged [red]b[/red] \u202e"


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_what_is_no_event_is_a_problem_whatever_it_is(text):
    event = parsed(text)
    assert event["foreign"] == 1 and "is no event of inlier's" in event["problem"]
    assert len(event["problem"]) < 200 and event["problem"].isprintable()


def test_they_are_counted_and_the_view_goes_on():
    live = Live("bell")
    for text in [*ODD, ALARM]:
        live.take(parsed(text))
    assert live.foreign == len(ODD) and live.snapshot()["foreign"] == len(ODD)
    assert live._on and live.alarms[0]["message"] == "hosts in touch: 9"


class Broker:
    """Of a client of paho's: each message is the payload of one, on the topic.

    asked: what it subscribed with.
    """

    def __init__(self, *payloads, topic=b"inlier/bell/state", raw=()):
        self._messages, self._raw = [(topic, payload) for payload in payloads], raw
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(HANGS_S)
        self.port = self._server.getsockname()[1]

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.close()

    def _serve(self):
        for raw in (*self._raw, None):
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            line.settimeout(HANGS_S)
            line.recv(4096)  # CONNECT
            line.sendall(b"\x20\x02\x00\x00")
            self.asked = line.recv(4096)  # SUBSCRIBE
            line.sendall(b"\x90\x03\x00\x01\x01")
            if raw is not None:
                line.sendall(raw)
                time.sleep(0.2)
                line.close()
                continue
            for topic, payload in self._messages:
                body = len(topic).to_bytes(2, "big") + topic + payload
                line.sendall(b"\x30" + _length(len(body)) + body)
            self.line = line


def _length(n):
    out = bytearray()
    while True:
        out.append(n % 128 | (128 if n > 127 else 0))
        n //= 128
        if not n:
            return bytes(out)


class Seen(Exception):
    pass


def events_of(broker, until):
    """Those that come until `until(event)`."""
    events = []

    def emit(event):
        events.append(event)
        if until(event):
            raise Seen

    with pytest.raises(Seen):
        feed.broker(f"mqtt://127.0.0.1:{broker.port}/inlier/bell")(emit)
    return events


def test_an_alarm_comes_after_whatever_was_published_before_it():
    """A retained message would have ended the client at every start."""
    payloads = [text.encode(errors="surrogatepass") for text in ODD]
    payloads += [b"\xff\xfe", bytes(200_000), ALARM.encode()]
    with Broker(*payloads) as broker:
        events = events_of(broker, lambda event: "alarm" in event)
    assert sum(event.get("foreign", 0) for event in events) == len(ODD) + 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        b"\x30\x04\x00\x02\xff\xfe",  # a topic that is no UTF-8
        b"\x30\x02\x00\xff",  # a topic longer than its packet
        b"\x32\x05\x00\x01a\x00\x00",
        b"\xff\xff\xff\xff\xff\xff",  # a length that never ends
        b"\xf0\x00" * 50,
    ],
)
def test_a_broker_that_talks_nonsense_ends_no_client(raw, monkeypatch):
    monkeypatch.setattr(feed.mqtt_client, "AGAIN_S", 0.01)
    with Broker(ALARM.encode(), raw=[raw]) as broker:
        events_of(broker, lambda event: "alarm" in event)


@pytest.mark.slow
def test_a_serial_line_of_the_same_is_watched_on():
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    lines = [f"~e {text}".encode(errors="replace").decode() for text in (*ODD, ALARM)]
    said = b"".join([b"x" * 300_000, b"\n", *(seal(line).encode() + b"\n" for line in lines)])

    def write():
        left = said
        while left:
            left = left[os.write(ours, left) :]

    writer = threading.Thread(target=write, daemon=True)
    events = []

    def emit(event):
        if "online" in event:
            writer.start()
        events.append(event)
        if "alarm" in event:
            raise Seen

    try:
        with pytest.raises(Seen):
            feed.serial_port(os.ttyname(theirs))(emit)
    finally:
        os.close(ours)
        os.close(theirs)
    assert sum(event.get("foreign", 0) for event in events) >= len(ODD)


def test_texts_of_a_device_forge_nothing(capsys):
    alarm = parsed(json.dumps({"alarm": "ON", "window": 3, "message": EVIL, "id": EVIL}))
    window = parsed(
        json.dumps(
            {"window": 3, "score": 900, "ae": 1, "svm": -1, "hot": 1, "features": [[EVIL, 1]]}
        )
    )
    monitor._line(alarm)
    monitor._line(parsed(EVIL))
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2 and all(line.isprintable() for line in out.splitlines())
    live = Live(EVIL)
    for event in (window, alarm):
        live.take(event)
    screen = Console(file=io.StringIO(), width=200, color_system=None)
    screen.print(terminal.draw(live, 200))
    drawn = screen.file.getvalue()
    assert drawn.count("[red]b[/red]") == 3, "name, feature and message: no markup"
    assert not set("\x1b\x07\r\ud800\u202e") & set(drawn)
    json.dumps(live.snapshot()).encode()


def test_any_score_is_drawn():
    for score in (-(1 << 31), -900, -1, 0, 1 << 31):
        live = Live("x", score=score)
        live.history.append((1, score))
        Console(file=io.StringIO()).print(terminal.draw(live, 90))


def test_a_flood_of_no_events_does_not_bury_an_alarm():
    assert [n for n in range(1, 10_001) if monitor._is_told(n)] == [2**i for i in range(14)]


# The page ----------------------------------------------------------------


def hasty(path):
    detector = random_detector(3, counters=tuple(Procfs.counters))
    path.write_bytes(pack(replace(detector, source="procfs", window_ms=50)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("served", [("--web", "--port", "0"), ("--prometheus", ":0")])
def test_idle_connections_do_not_stop_the_scoring(tmp_path, served):
    """More than the descriptors that the process may open."""
    model, saved = hasty(tmp_path / "m.inlier"), tmp_path / "w.csv"
    command = [sys.executable, "-m", "inlier_host", "monitor", str(model), *served]
    process = subprocess.Popen(
        ["bash", "-c", 'ulimit -n 100; exec "$@"', "bash", *command, "--save", saved],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    idle = []
    try:
        port = int(re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        for _ in range(150):
            idle.append(socket.create_connection(("127.0.0.1", port), HANGS_S))
        rows = saved.read_text().count("\n") if saved.exists() else 0
        deadline = time.monotonic() + HANGS_S
        while not saved.exists() or saved.read_text().count("\n") < rows + 10:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, "no window is scored"
            time.sleep(0.05)
    finally:
        for line in idle:
            line.close()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == 130 and "source failed" not in said, said


def test_who_comes_when_all_places_are_taken_is_sent_away_at_once(monkeypatch):
    monkeypatch.setattr(bounded, "CLIENTS_MAX", 2)
    monkeypatch.setattr(bounded, "REQUEST_S", 600)
    with web.Web(Live("x"), 0) as page:
        address = ("127.0.0.1", int(page.url.rsplit(":", 1)[1].strip("/")))
        taken = [socket.create_connection(address, HANGS_S) for _ in range(3)]
        assert taken[2].recv(1) == b"", "it takes no descriptor"
        for line in taken:
            line.close()


def test_a_request_that_does_not_come_frees_its_place(monkeypatch):
    import http.client

    monkeypatch.setattr(bounded, "CLIENTS_MAX", 2)
    monkeypatch.setattr(bounded, "REQUEST_S", 0.3)
    with web.Web(Live("x"), 0) as page:
        host = page.url.removeprefix("http://").strip("/")
        address = (host.split(":")[0], int(host.split(":")[1]))
        idle = [socket.create_connection(address, HANGS_S) for _ in range(2)]
        assert idle[0].recv(1) == b"" and idle[1].recv(1) == b"", "both were given up"
        deadline = time.monotonic() + HANGS_S
        while True:  # the place is free a moment after its line was closed
            connection = http.client.HTTPConnection(host, timeout=HANGS_S)
            try:
                connection.request("GET", "/")
                assert connection.getresponse().status == 200
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                assert time.monotonic() < deadline
            finally:
                connection.close()


# What a board prints -----------------------------------------------------

HEAD = seal("~b 1000 sockets a,b")
FORGED = [
    "~w 1 0 1 1,zz",
    "~w 1 0 1 1," + "9" * 31,
    "~w 1 0 1 1",
    "~w 1 0 1 1,2,3",
    "~w 1 0 1 1,-2",
    "~w 1 0 1 1,2 5",
    "~w 1 0 1 1,2 5 5 5 x",
    "~w 1 0 -1 1,2",
    "~w -1 0 1 1,2",
    "~w 1 " + "9" * 20 + " 1 1,2",
    "~w 1 0 1 1,\u0662",
    "~w 1 0 1 1_0,2",
    "~w 1 0",
    "~w  ",
    "~b x sockets a,b",
    "~b 0 sockets a,b",
    "~b 99999999 sockets a,b",
    "~b 1000 sockets a,a",
    "~b 1000 sockets boot,b",
    "~b 1000 sockets a,\x1b[31m",
    '~b 1000 sockets a,"b',
    "~b 1000",
    "~b 1000 sockets a,b board",
    "~b 1000 sockets a,b board fw 2026-13-01T00:00:00Z",
    "~b 1000 sockets a,b board fw 0001-01-01T00:00:00Z",
    "~b 1000 sockets a,b \x1b[31m fw -",
]


def test_a_seal_makes_no_window_of_what_is_none():
    """Anybody can seal: it finds damage. What does not fit is damaged, too."""
    for forged in FORGED:
        taken = Intake()
        found = [w for line in (HEAD, seal(forged), seal("~w 1 5 1 3,4")) for w in taken.take(line)]
        assert taken.damaged == 1, forged
        assert [w.deltas for w in found] == [(3, 4)], forged


def test_windows_before_their_names_take_no_memory_without_end():
    taken = Intake()
    for i in range(1000):
        assert not list(taken.take(seal(f"~w 1 {i} 1 1,2")))
    assert len(taken._early) <= intake.EARLY_MAX
    assert [w.index for w in taken.take(HEAD)][-1] == 999, "the newest are kept"


def test_what_was_forged_does_not_block_later_recordings(tmp_path):
    out = tmp_path / "w.csv"
    said = [HEAD, *map(seal, FORGED[:14]), seal("~w 1 0 1 1,2"), seal("~w 1 1 1 3,4")]
    done = record(said, "/dev/ttyACM0", out, 2, None, lambda *stage: None)
    assert done.windows == 2 and done.damaged == 14
    assert table(out).board_recording().windows.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"boot,window,elapsed,a\n1,0,1,5\nx,1,1,5\n", "line 3 is no window: remove that line"),
        (b"boot,window,elapsed,a\n1\n", "line 2 is no window"),
        (b"\xff\xfe\n", "it is no recording of a board"),
    ],
)
def test_a_part_that_is_damaged_is_refused_in_a_sentence(tmp_path, content, expected):
    (tmp_path / "w.csv.part").write_bytes(content)
    with pytest.raises(BadInput, match=expected):
        Part(tmp_path / "w.csv")
    assert (tmp_path / "w.csv.part").read_bytes() == content


def test_a_part_is_no_trap(tmp_path):
    os.mkfifo(tmp_path / "w.csv.part")
    with pytest.raises(BadInput, match="it is a device, a pipe or a socket"):
        Part(tmp_path / "w.csv")


@pytest.mark.parametrize(
    ("line", "expected"), [("", "nothing comes"), ("temperature 21", "what comes is no window")]
)
def test_a_line_without_windows_gets_a_word_soon(tmp_path, monkeypatch, line, expected):
    monkeypatch.setattr(record_board, "WORD_S", 0)
    monkeypatch.setattr(record_board, "SILENT_UNKNOWN_S", 0.2)
    said = []

    def lines():
        while True:
            time.sleep(0.01)
            yield line

    with pytest.raises(BadInput, match="no window came"):
        record(lines(), "P", tmp_path / "w.csv", 3, None, lambda *stage: None, said.append)
    assert said == [f"P: {expected}; waiting on, Ctrl-C ends it"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "echo", "options"),
    [
        (signal.SIGINT, False, ()),
        (signal.SIGTERM, True, ()),
        (signal.SIGTERM, True, ("--restart",)),
        (signal.SIGINT, False, ("--ring", "r")),
    ],
)
def test_a_silent_or_echoing_line_is_given_up_on_ctrl_c(tmp_path, number, echo, options):
    board, line = pty.openpty()
    tty.setraw(board)
    heard = threading.Event()

    def answer():
        try:
            while said := os.read(board, 1024):
                heard.set()
                if echo:
                    os.write(board, said)
        except OSError:
            pass  # closed

    threading.Thread(target=answer, daemon=True).start()
    script = "import sys; from inlier_boards.serial_line import record_board as r; r.WORD_S = 0.1; "
    script += "from inlier_host.cli import main; main()"
    command = [sys.executable, "-c", script, "record", "--port", os.ttyname(line), *options]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "w.csv")], stderr=subprocess.PIPE, text=True
    )
    try:
        if options:  # it tries to talk
            assert heard.wait(HANGS_S)
        else:
            while "waiting on, Ctrl-C ends it" not in (said := process.stderr.readline()):
                assert said, "ended without a word"
        process.send_signal(number)
        _, error = process.communicate(timeout=HANGS_S)
    finally:
        process.kill()
        os.close(board)
        os.close(line)
    assert process.returncode == 130 and "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_a_line_without_end_takes_no_memory_without_end(monkeypatch):
    from inlier_boards.serial_line import listen

    class Endless:
        def __init__(self, port):
            self.left = 100

        def open(self, port):
            pass

        def listen(self, limit_s):
            self.left -= 1
            return b"x" * 10_000 if self.left else b"\n" + HEAD.encode() + b"\n"

        def close(self):
            pass

    monkeypatch.setattr(listen, "Connection", Endless)
    lines = [line for line, _ in zip(listen.live("p", False), range(101), strict=False) if line]
    assert max(map(len, lines)) <= listen.LINE_MAX and lines[-1] == HEAD


def test_numbers_of_any_size_are_compared_with_the_reference():
    detector = random_detector(5)
    deltas = (record_board.DELTA_MAX,) * len(detector.counters)
    scores = (board_lines.INT_MAX, -board_lines.INT_MAX, 1, 1)
    window = intake.Window(1, 0, 1, deltas, scores)
    assert record_board.compare(pack(detector), [window]) == (1, 1)
    assert np.iinfo(np.int64).max > board_lines.INT_MAX
