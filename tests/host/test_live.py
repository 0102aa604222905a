"""Live views: this machine, a broker and a serial port; lines, a terminal, and
a page in Chromium.
"""

import json
import os
import pty
import re
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually
from inlier.features import LOG_MAX
from inlier.procfs import Procfs
from inlier_boards.build.micropython import find_or_build
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.reference import NEVER
from inlier_export.synthetic import random_detector
from inlier_host import this_machine
from inlier_host.live import save, terminal, web
from inlier_host.live.feed import parsed
from inlier_host.live.save import Save
from inlier_host.live.state import Live, told
from inlier_trainer.about import at
from inlier_trainer.recordings import read, table
from inlier_trainer.sources import SOURCES
from tools_missing import needs_tool

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "inlier_host", "monitor"]


@pytest.fixture
def model(tmp_path):
    """Of this machine's own traffic, or none, with thresholds that every window
    exceeds, as what it does counts beyond 0 and what it doesn't below the most:
    it alarms after its warm-up of 5 windows.
    """
    detector = random_detector(3, counters=tuple(Procfs.counters))
    n = detector.features
    none = np.zeros(n, np.int64)
    detector = replace(
        detector,
        source="procfs",
        window_ms=50,
        high=none,
        low=np.full(n, LOG_MAX),
        weights=np.array([[1, 1, 0]] * n),
        by_rows=True,
        threshold_ae=NEVER,
        horizons=((2, 8, 200), (8, 12, 100)),
        threshold_quiet=NEVER,
    )
    path = tmp_path / "hasty.inlier"
    path.write_bytes(pack(detector))
    return path


def run(*arguments, **options):
    return subprocess.run(
        leashed([*COMMAND, *map(str, arguments)]),
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
        **options,
    )


@pytest.mark.slow
def test_this_machine_in_lines(model, tmp_path):
    done = run(model, "--count", 12, "--save", tmp_path / "w.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "inlier: hasty on this machine: watched; each alarm is a line, and Ctrl-C ends it",
        f"inlier: {tmp_path}/w.csv: 12 windows, the first of them window 0",
    ], "who sees no alarm for an hour knows why"
    saved = read(tmp_path / "w.csv", Procfs.counters)
    assert saved.windows.shape == (12, 14) and saved.marks[:, 1].tolist() == list(range(12))
    assert saved.about.source == "procfs" and saved.about.window_ms and saved.about.device
    (line,) = done.stdout.splitlines()
    assert line.startswith("window 6: ALARM: ") and line.endswith("inlier train --add."), (
        "two of eight after the warm-up"
    )


def test_what_counts_this_machine_is_what_the_model_says_unless_it_is_told(
    model, tmp_path, monkeypatch
):
    asked = []

    def opened(source, interface):
        asked.append((source, interface))
        return SimpleNamespace(name=source, counters=SOURCES[source], bits=32, read=len)

    monkeypatch.setattr(this_machine, "open_source", opened)
    packets = tmp_path / "p.inlier"
    detector = random_detector(3, counters=SOURCES["packets"])
    packets.write_bytes(pack(replace(detector, source="packets")))
    for path, given, interface in (
        (model, None, None),
        (packets, None, "wlan0"),
        (model, "procfs", None),
    ):
        this_machine.prepare(path, given, interface)
    assert asked == [("procfs", None), ("packets", "wlan0"), ("procfs", None)]
    with pytest.raises(BadInput, match="model is for source 'procfs', this device counts 'packets"):
        this_machine.prepare(model, "packets", None)


@pytest.mark.slow
def test_this_machine_on_a_terminal(model):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        leashed([*COMMAND, str(model), "--count", "12"]),
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass  # the other end is closed
    assert process.wait(HANGS_S) == 0
    text = said.decode()
    for expected in (
        "hasty on this machine",
        "● alarm",
        "window 11",
        "times the lowest threshold",
        "2 of 8 over 2.0 times: ",
        "last odd",
        "inlier train --add",
    ):
        assert expected in text, text[-2000:]


@needs_tool("chromium")
def test_the_page_updates_by_itself(model):
    from browser import chromium, overflow

    process = subprocess.Popen(
        leashed([*COMMAND, str(model), "--web", "--port", "0", "--json"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = json.loads(process.stdout.readline())["url"]
        with chromium() as open_page:
            for width, dark in ((400, True), (1400, False)):
                page, complaints = open_page(url, width, dark)
                page.wait_for_function(
                    "document.querySelectorAll('#chart .mark-line path').length > 0"
                )
                first = int(page.text_content("#window"))
                page.wait_for_function(
                    f"Number(document.getElementById('window').textContent) > {first + 3}"
                )
                page.wait_for_function("document.getElementById('status').textContent === 'alarm'")
                assert page.locator(
                    "#alarms li.on"
                ).count() == 1 and "inlier train --add" in page.text_content("#alarms")
                drawn = page.locator("#chart .mark-line path").first.get_attribute("d")
                page.wait_for_function(
                    f"document.querySelector('#chart .mark-line path').getAttribute('d') !== "
                    f"'{drawn}'"
                )
                assert page.title().startswith("ALARM ") and overflow(page) <= 0 and not complaints
                axis = page.locator("#chart .role-axis-label text").all_text_contents()
                assert any(re.fullmatch(r"\d\d:\d\d:\d\d", label) for label in axis), axis
                assert re.fullmatch(r"\d\d:\d\d:\d\d", page.text_content("#when"))
        taken = run(model, "--web", "--port", url.split(":")[-1].strip("/"))
        assert taken.returncode == 2 and not taken.stdout
        assert (
            "is taken, perhaps by another live view: close that or choose another with --port"
            in taken.stderr
        )
        assert len(taken.stderr.splitlines()) == 1
    finally:
        process.terminate()
        assert process.wait(HANGS_S) == 130


@needs_tool("chromium")
@pytest.mark.parametrize("clock", ["", " clock=2026-11-26T23:59:50Z"])
def test_a_recording_s_page_has_its_own_device_and_times_and_its_warm_up_in_grey(
    model, tmp_path, clock
):
    from browser import chromium, overflow

    rows = "\n".join(",".join(["1"] * len(Procfs.counters)) for _ in range(40))
    about = f"# inlier source=procfs window_ms=50 device=bell-1{clock}\n"
    recording = tmp_path / "windows.csv"
    recording.write_text(f"{about}{','.join(Procfs.counters)}\n{rows}\n")
    process = subprocess.Popen(
        leashed(
            [*COMMAND, str(model), "--replay", str(recording), "--web", "--port", "0", "--json"]
        ),
        stdout=subprocess.PIPE,
        env={**os.environ, "TZ": "UTC"},
        text=True,
    )
    try:
        url = json.loads(process.stdout.readline())["url"]
        with chromium() as open_page:
            page, complaints = open_page(url, 400, False)
            page.wait_for_function("document.querySelectorAll('#chart .mark-rect path').length > 0")
            page.wait_for_function("document.getElementById('window').textContent === '39'")
            assert page.text_content("h1") == "bell-1"
            assert page.locator("#chart .mark-rect path").count() == 1, "the warm-up, in one piece"
            assert page.is_visible("#clock") == bool(clock)
            if clock:  # ends two seconds after it began
                assert page.text_content("#when").endswith(":52"), "not when it was replayed"
            else:
                assert page.text_content("#alarms time") == "window 6, still on"
            assert overflow(page) <= 0 and not complaints
    finally:
        process.terminate()
        process.wait(HANGS_S)


def test_a_page_of_another_site_gets_nothing(model):
    import http.client

    from inlier_host.live.web import Web

    with Web(Live("x"), 0) as web:
        host = web.url.removeprefix("http://").strip("/")
        for name, expected in (("evil.example", 403), (host, 200)):
            connection = http.client.HTTPConnection(host, timeout=HANGS_S)
            connection.request("GET", "/", headers={"Host": name})
            assert connection.getresponse().status == expected


@pytest.mark.slow
@needs_tool("mosquitto")
def test_a_device_over_mqtt(tmp_path):
    with Broker(tmp_path) as broker:
        url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier/bell-1"
        refused = run("--mqtt", url, env={**os.environ, "INLIER_MQTT_PASSWORD": "guess"})
        assert (
            refused.returncode == 2
            and f"127.0.0.1:{broker.port} refuses (not authorized)" in refused.stderr
        )
        environment = {**os.environ, "INLIER_MQTT_PASSWORD": PASSWORD}
        watching = subprocess.Popen(
            leashed([*COMMAND, "--mqtt", url, "--count", "2"]),
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        with Subscriber(broker) as device:
            eventually(
                lambda: (
                    "Sending SUBACK" in broker.log() and broker.log().count("Sending SUBACK") >= 2
                )
            )
            state = {
                "window": 7,
                "score": 250,
                "ae": 5,
                "svm": 6,
                "hot": 1,
                "deltas": [1],
                "features": [["peers", 60]],
                "horizons": [[2, 8, 100, 1]],
                "gone": 0,
            }
            device.publish("inlier/bell-1/state", json.dumps(state))
            alarm = {
                "alarm": "ON",
                "id": "a-1",
                "window": 7,
                "message": "hosts in touch: 9 in this window, usually 1.",
            }
            device.publish("inlier/bell-1/alarm", json.dumps(alarm))
            device.publish("inlier/bell-1/alarm", json.dumps({**alarm, "id": "a-2", "grows": 1}))
            silent = {"quiet": "ON", "id": "a-3", "window": 7, "message": "gone quiet: all"}
            device.publish("inlier/bell-1/quiet", json.dumps(silent))
            device.publish("inlier/bell-1/state", "{]")
            device.publish("inlier/bell-1/availability", "offline")
            device.publish("inlier/bell-1/state", json.dumps({**state, "window": 8}))
        said, _ = watching.communicate(timeout=HANGS_S)
        assert watching.returncode == 0 and said.splitlines() == [
            "window 7: ALARM: hosts in touch: 9 in this window, usually 1.",
            "window 7: alarm: hosts in touch: 9 in this window, usually 1.",
            "window 7: gone quiet: all",
            "the device said what is no event of inlier's: {]",
        ]


@pytest.mark.micropython
def test_a_device_on_a_serial_port():
    """Unix MicroPython at the other end of a pseudo-terminal; nothing here has
    a board on a cable.
    """
    ours, theirs = pty.openpty()
    port = os.ttyname(theirs)
    watching = subprocess.Popen(
        leashed([*COMMAND, "--serial", port, "--count", "12", "--json"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert json.loads(watching.stdout.readline()) == {"online": True}
    os.write(ours, b'~e {"window": 3} *12345678\n')
    device = [
        find_or_build(),
        ROOT / "tests/host/serial_device.py",
        ROOT / "tests/golden/model.inlier",
    ]
    subprocess.run(
        device,
        stdout=ours,
        env={**os.environ, "MICROPYPATH": f"{ROOT}/firmware:.frozen"},
        check=True,
        timeout=HANGS_S,
    )
    said, _ = watching.communicate(timeout=HANGS_S)
    events = [json.loads(line) for line in said.splitlines()]
    os.close(ours)
    os.close(theirs)
    problems = [e["problem"] for e in events if "problem" in e]
    assert watching.returncode == 0
    assert problems == [f"{port}: a damaged line was left out"]
    assert [e["window"] for e in events if "ae" in e] == list(range(12))
    (alarm,) = [e for e in events if "alarm" in e]
    assert alarm["alarm"] == "ON" and alarm["window"] == 7
    assert all(e["features"] for e in events if e.get("hot"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "nothing to watch: give a model file"),
        (("m", "--mqtt", "mqtt://h/a/b"), "MODEL and --mqtt to watch"),
        (("--mqtt", "mqtt://h"), "--mqtt: give mqtt://"),
        (("--mqtt", "http://h/inlier/x"), "--mqtt: give mqtt://"),
        (
            ("--mqtt", "mqtt://127.0.0.1:9/inlier/x"),
            "127.0.0.1:9 cannot be reached (Connection refused)",
        ),
        (("--serial", "/dev/nowhere"), "/dev/nowhere: No such file or directory; check the cable"),
        (("--serial", "/dev/x", "--replay", "w.csv"), "--replay scores a recording with a model"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, expected, monkeypatch, capsys):
    from inlier_host import cli

    monkeypatch.setattr(sys, "argv", ["inlier", "monitor", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, error = capsys.readouterr()
    assert end.value.code == 2 and not out and expected in error and len(error.splitlines()) == 1


def test_what_is_no_event_becomes_a_problem():
    for text in (
        "",
        "[]",
        '{"window": 1}',
        '{"window": "x", "score": 1}',
        '{"alarm": "ON", "window": []}',
        '{"quiet": "ON", "window": []}',
        '{"window": 1, "score": 1, "ae": 1, "svm": 1, "hot": 0, "horizons": [[1, 2]]}',
        "null",
    ):
        assert "is no event" in parsed(text)["problem"], text


def test_what_cannot_be_saved_is_refused(tmp_path):
    path = tmp_path / "w.csv"
    with (
        Save(path, "bell") as saving,
        pytest.raises(BadInput, match="counts other than source 'sockets' here"),
    ):
        saving.take({"window": 3, "source": "sockets", "deltas": [1]})
    with Save(path, "bell") as saving, pytest.raises(BadInput, match="no source 'pigeons'"):
        saving.take({"window": 3, "source": "pigeons", "deltas": [1]})
    assert not path.exists()
    path.touch()
    with pytest.raises(BadInput, match="is there already"):
        Save(path, "bell")


def test_each_window_that_is_watched_is_in_the_file_at_once_and_once(tmp_path, monkeypatch):
    """As the board would have recorded it: boot, window, one length, counts."""
    monkeypatch.setattr(save.time, "time", lambda: 1_790_000_010.0)
    path, counts = tmp_path / "w.csv", [4] + 13 * [0]
    with Save(path, "bell") as saving:
        for i, window in enumerate((7, 8, 8, 0, 1)):
            saving.take(
                {"window": window, "window_ms": 10_000, "source": "sockets", "deltas": counts}
            )
            rows = path.read_text().splitlines()[2:]
            assert len(rows) == (1, 2, 2, 3, 4)[i], "what ends it by force loses no window"
    assert [row.split(",")[:4] for row in rows] == [
        ["1", "7", "1", "4"],
        ["1", "8", "1", "4"],
        ["2", "0", "1", "4"],
        ["2", "1", "1", "4"],
    ]
    about = table(path).about
    assert (about.device, about.window_ms) == ("bell", 10_000)
    assert about.clock == at(1_790_000_000), "when the first window began"


def test_what_is_told_while_a_device_is_away_is_shown_when_it_is_back():
    live = Live("bell")
    live.take({"window": 0, "score": 1, "ae": 1, "svm": 1})
    live.take({"online": False})
    live.take({"alarm": "ON", "window": 0, "message": "m", "id": "a-1"})
    assert live.status == "offline", "a broker gives what it kept"
    live.take({"online": True})
    assert live.status == "alarm"


def test_a_window_or_a_silence_that_is_told_again_is_no_second():
    times = iter((1_790_000_000.0, 1_790_000_010.0, 1_790_009_999.0))
    live = Live("bell", clock=lambda: next(times))
    quiet = {"quiet": "ON", "window": 3, "message": "gone quiet", "id": "q-1"}
    live.take(quiet)
    since = live.gone_quiet
    live.take(quiet)
    assert live.gone_quiet == since == f"{told(1_790_000_000.0)} gone quiet"
    window = {"window": 3, "score": 9, "ae": 1, "svm": 1}
    live.take({**window, "gone": 1})
    live.take({**window, "gone": 1})
    assert live.gone_quiet == since and len(live.history) == 1
    live.take(window)
    assert live.gone_quiet is None, "the window itself says that it is back"


def test_a_device_that_booted_warms_up_again_whatever_was_raised_before():
    live = Live("bell")
    window = {"score": 1, "ae": 1, "svm": 1, "held": 1}
    live.take({"window": 9, **window})
    assert live.status == "warm-up"
    live.take({"alarm": "ON", "window": 9, "message": "m"})
    live.take({"alarm": "OFF", "window": 9, "message": ""})
    live.take({"window": 10, **window})
    assert live.status == "calm", "held after a clear is no warm-up"
    live.take({"window": 0, **window})
    assert live.status == "warm-up"


def test_every_page_that_is_open_hears_of_every_event_and_keeps_none(monkeypatch):
    monkeypatch.setattr(web, "KEEP_ALIVE_S", 10 * HANGS_S)  # else each looks again by itself
    live = Live("bell")
    with web.Web(live, 0) as page:
        open_pages = [urllib.request.urlopen(page.url + "events", timeout=HANGS_S) for _ in "123"]
        assert {answer.headers["Cache-Control"] for answer in open_pages} == {"no-store"}
        for score in (1, 2):
            for answer in open_pages:
                line = answer.readline().decode()
                assert json.loads(line.removeprefix("data: "))["score"] == score - 1
                assert answer.readline() == b"\n"
            live.take({"window": score, "score": score, "ae": 1, "svm": 1})
            page.update()
        with urllib.request.urlopen(page.url, timeout=HANGS_S) as answer:
            assert answer.headers["Cache-Control"] == "no-store", "of a newer version it is another"
        for answer in open_pages:
            answer.close()
    with web.Web(live, int(page.url.rpartition(":")[2].strip("/"))):
        pass  # its port is free again


def test_a_page_that_went_away_is_noticed_though_nothing_happens(monkeypatch):
    monkeypatch.setattr(web, "KEEP_ALIVE_S", 0.01)
    with web.Web(Live("bell"), 0) as page:
        answer = urllib.request.urlopen(page.url + "events", timeout=HANGS_S)
        assert answer.readline().startswith(b"data: ") and answer.readline() == b"\n"
        assert answer.readline() == b":\n", "a comment"
        answer.close()


def test_red_is_what_is_over_the_threshold():
    assert [terminal.spark([score], 1).spans[0].style for score in (100, 101)] == ["cyan", "red"]
    assert terminal.bar(100, 20).plain.endswith(" 1.0 times the lowest threshold")
    assert terminal.filled([2, 8, 150, 1]).plain == "2 of 8 over 1.5 times: 1 now"
    for count, colour in ((0, "dim"), (1, "yellow"), (2, "red")):
        assert terminal.filled([2, 8, 100, count]).style == colour, count


def test_the_state_follows_the_events():
    noon = 1_790_000_000.0
    live = Live("bell", clock=lambda: noon)
    window = {"ae": 1, "svm": 2, "hot": 0}
    live.take({"online": True})
    assert live.status == "waiting"
    live.take({"window": 0, "score": 10, "held": 1, **window})
    assert live.status == "warm-up", "nothing can be raised yet"
    live.take({"alarm": "ON", "window": 0, "message": "m", "id": "a-1"})
    live.take({"alarm": "ON", "window": 0, "message": "m", "id": "a-1"})
    assert live.status == "alarm" and len(live.alarms) == 1, "one that is sent again is no second"
    live.take({"online": False})
    assert live.status == "offline"
    live.take({"online": True})
    live.take({"alarm": "ON", "window": 4, "message": "more", "id": "a-2", "grows": 1})
    (alarm,) = live.alarms
    assert (alarm["window"], alarm["message"], alarm["grew"]) == (0, "more", noon), (
        "one that grows is the same"
    )
    live.take({"alarm": "OFF", "window": 9, "message": "Calm again", "id": "a-3"})
    assert live.status == "calm" and live.alarms[0]["until"] == noon
    live.take({"quiet": "ON", "window": 9, "message": "gone quiet: bytes received", "id": "a-4"})
    assert live.gone_quiet == f"{told(noon)} gone quiet: bytes received"
    assert live.status == "calm" and told(noon).startswith("2026-")
    live.take({"window": 10, "score": 10, "gone": 1, "horizons": [[2, 8, 100, 1]], **window})
    assert live.gone_quiet and live.snapshot()["horizons"] == [[2, 8, 100, 1]]
    live.take({"quiet": "OFF", "window": 11, "message": "back", "id": "a-5"})
    assert live.gone_quiet is None and len(live.alarms) == 1, "it is no alarm"
    live.take({"window": 5, "score": 10, **window})
    live.take({"window": 1, "score": 20, **window})
    assert list(live.history) == [(1, 20, noon, 0)], "a device that booted again begins anew"
    assert json.loads(json.dumps(live.snapshot()))["score"] == 20
