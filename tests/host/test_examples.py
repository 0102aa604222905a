"""Every program of examples/ runs as it stands on Unix MicroPython, and raises
its alarm; those of the pages are Python.
"""

import ast
import json
import os
import re
import subprocess
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from broker import HANGS_S, PASSWORD, USER, Broker, Subscriber, eventually, free_port
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.build import umqtt
from inlier_boards.build.micropython import find_or_build
from inlier_boards.leash import leashed
from inlier_export.model_file import pack
from inlier_export.reference import NEVER
from inlier_export.synthetic import random_detector
from tools_missing import needs_tool

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KEY = b"k" * 32
pytestmark = pytest.mark.micropython


def hasty(source):
    """A detector of `source` that takes every window for an outlier: below what
    it says was the least.
    """
    d = random_detector(3, (8,), tuple(source.counters))
    n = d.features
    return replace(
        d,
        source=source.name,
        window_ms=50,
        high=np.zeros(n, np.int64),
        low=np.full(n, 288),
        weights=np.array([[1, 1, 0]] * n),
        by_rows=True,
        threshold_ae=NEVER,
        horizons=((2, 8, 200),),
        threshold_quiet=NEVER,
    )


class Running:
    """An example in a folder of its own, which holds the model, until the block
    ends.
    """

    def __init__(self, name, folder, source=Sockets, path=(), model=True):
        if model:
            (folder / "model.inlier").write_bytes(pack(hasty(source)))
        places = [str(p) for p in (ROOT / "firmware", EXAMPLES, *path)]
        self._process = subprocess.Popen(
            leashed([find_or_build(), EXAMPLES / name]),
            cwd=folder,
            env={**os.environ, "MICROPYPATH": os.pathsep.join([*places, ".frozen"])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self, pattern):
        """The next line that has it."""
        said = []
        for line in self._process.stdout:
            said.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError("".join(said))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.communicate()


ALARM = r"^window \d+ is not like this device: \[\('"


@pytest.mark.parametrize("name", ["minimal.py", "while_true.py"])
def test_an_example_raises_its_alarm(name, tmp_path):
    with Running(name, tmp_path) as example:
        example.line(ALARM)


@pytest.mark.parametrize(
    ("name", "source"), [("main_sockets.py", Sockets), ("main_procfs.py", Procfs)]
)
def test_what_deploy_sends_prints_windows_and_its_alarm(name, source, tmp_path):
    with Running(name, tmp_path, source) as example:
        example.line(r"^~w ")
        example.line(r"^alarm in window \d+: ")


def test_a_replay_needs_no_network(tmp_path):
    rows = [",".join(Sockets.counters), *[",".join("0" * len(Sockets.counters))] * 40]
    (tmp_path / "windows.csv").write_text("\n".join(rows) + "\n")
    with Running("main_replay.py", tmp_path) as example:
        example.line(r"^alarm in window \d+: ")


def test_the_doorbell_is_watched(tmp_path):
    d = hasty(Sockets)
    (tmp_path / "doorbell.inlier").write_bytes(pack(d))
    with Running("main_doorbell.py", tmp_path) as example:
        example.line(r"^alarm in window \d+: ")


def test_the_first_hour_s_device_records_and_then_sees_its_pretended_infection(tmp_path):
    """As docs/first_hour_pico_w.md has it, in fast motion: nobody answers it."""
    config = {"server": "127.0.0.1", "port": 1, "second_ms": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with Running("first_hour.py", tmp_path, model=False) as example:
        example.line(r"^~w ")
    with Running("first_hour.py", tmp_path) as example:
        example.line("watched")
        example.line(r"^ALARM in window \d+, because of")
        example.line("now pretending an infection")
        example.line("the infection is over")


def test_the_first_hour_says_what_is_missing(tmp_path):
    with Running("first_hour.py", tmp_path, model=False) as example:
        example.line("config.json is missing, or no JSON: write it")
    config = {"server": "127.0.0.1", "port": 1, "second_ms": 2, "ssid": "home", "password": "no"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "network.py").write_text(NETWORK.replace("self.tries > 1", "False"))
    wrong = (EXAMPLES / "first_hour.py").read_text().replace("asyncio.sleep(1)", "asyncio.sleep(0)")
    (tmp_path / "hasty.py").write_text(wrong)
    with Running(tmp_path / "hasty.py", tmp_path, path=[tmp_path], model=False) as example:
        for expected in ("joining home", "try 1 with no", "no Wi-Fi: are ssid and password"):
            assert expected in example.line("."), "and no window: there is nothing to record"
    (tmp_path / "network.py").unlink()
    with Running("first_hour.py", tmp_path, model=False) as example:
        example.line("127.0.0.1:1 does not answer: does its http.server run?")


# In place of a board's own: no machine here has MicroPython and Wi-Fi.
NETWORK = """
STA_IF = 0
class WLAN:
    joined = tries = 0
    def __init__(self, kind): pass
    def active(self, on): pass
    def isconnected(self): return self.joined
    def connect(self, ssid, password):
        self.tries += 1
        print("try", self.tries, "with", password)
        self.joined = self.tries > 1
    def disconnect(self): pass
    def ifconfig(self): return ("10.0.0.2",)
"""


def test_wifi_is_tried_until_it_is_joined(tmp_path):
    (tmp_path / "network.py").write_text(NETWORK)
    (tmp_path / "wifi.json").write_text('{"ssid": "home", "password": "secret"}')
    with Running("wifi.py", tmp_path, path=[tmp_path]) as example:
        example.line("joining home")
        example.line("try 1 with secret")
        example.line(ALARM)


def test_home_assistant_s_device_says_what_it_has_no_connection_to(tmp_path):
    paths = [tmp_path, umqtt.folder()]
    with Running("home_assistant.py", tmp_path, path=paths) as example:
        example.line("mqtt.json is missing, or no JSON: write it, and copy it onto the board")
    (tmp_path / "network.py").write_text(NETWORK)
    (tmp_path / "wifi.json").write_text('{"ssid": "home", "password": "secret"}')
    (tmp_path / "mqtt.json").write_text('{"host": "127.0.0.1", "port": 1}')
    with Running("home_assistant.py", tmp_path, path=paths) as example:
        said = [example.line("joining home|try 1 with secret|^mqtt: ") for _ in range(3)]
        assert any("cannot be reached" in line and "check address" in line for line in said)


def test_the_web_server_says_how_it_is(tmp_path):
    microdot = pytest.importorskip("microdot", reason="pip install microdot")
    program, port = (EXAMPLES / "web_server.py").read_text(), free_port()
    assert "port=8081" in program  # which somebody else may have here
    (tmp_path / "main.py").write_text(program.replace("port=8081", f"port={port}"))
    folder = Path(microdot.__file__).parent
    with Running(tmp_path / "main.py", tmp_path, path=[folder]) as example:
        example.line(ALARM)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=HANGS_S) as answer:
            health = json.load(answer)
        assert health["windows"] > 5 and health["alarm"] is True


@needs_tool("mosquitto")
def test_home_assistant_is_told(tmp_path):
    with Broker(tmp_path) as broker, Subscriber(broker) as house:
        options = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password": PASSWORD}
        (tmp_path / "mqtt.json").write_text(json.dumps(options))
        with Running("home_assistant.py", tmp_path, path=[umqtt.folder()]):
            eventually(
                lambda: any(
                    topic == "inlier/doorbell1/alarm" and json.loads(text)["alarm"] == "ON"
                    for topic, text, _ in house.messages
                )
            )
        assert any(topic.startswith("homeassistant/device/") for topic, *_ in house.messages)


def test_only_signed_updates_run(tmp_path):
    (tmp_path / "fleet.key").write_text(KEY.hex())
    (tmp_path / "models").mkdir()
    (tmp_path / "update.inlier").write_bytes(pack(replace(hasty(Sockets), number=2), KEY))
    with Running("signed.py", tmp_path) as example:
        example.line("a new model runs")
        example.line(ALARM)
    (tmp_path / "update.inlier").write_bytes(pack(replace(hasty(Sockets), number=3), b"x" * 32))
    with Running("signed.py", tmp_path) as example:
        example.line("update refused, the former model runs on")
        example.line(ALARM)


def test_no_example_is_without_a_test():
    text = Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert example.name in text or example.stem == "doorbell", example.name


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("boards/*/README.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_programs_of_a_page_are_python(page):
    for program in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        ast.parse(program)


def test_the_readme_s_program_that_records_fills_its_ring(tmp_path):
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[0]
    assert "10_000" in program
    (tmp_path / "main.py").write_text(program.replace("10_000", "5"))
    kept = tmp_path / "windows.0"
    window = re.compile(r"^~w 1 \d+ \d+ [\d,]+ \*", re.M)  # on a busy machine the first is the 15th
    with Running(tmp_path / "main.py", tmp_path, model=False):
        eventually(lambda: kept.exists() and window.search(kept.read_text()))


def test_the_readme_s_programs_are_those_that_run():
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    minimal = (EXAMPLES / "minimal.py").read_text().partition('"""\n\n')[2]
    assert minimal in programs


@pytest.mark.slow
def test_the_notebook_runs_as_it_stands():
    nbformat = pytest.importorskip("nbformat", reason="pip install 'inlier[dev]'")
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", 4)
    NotebookClient(notebook, resources={"metadata": {"path": EXAMPLES}}).execute()
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert "benign windows with an alarm on: 0" in said and "alarm in window 20" in said
