"""One run of the demonstration, whole: real servers, MicroPython, training,
infection. About two and a half minutes.
"""

import json
import os
import subprocess
import sys
from array import array

import numpy as np
import pytest

from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.sockets import Sockets
from inlier_boards.leash import leashed
from inlier_trainer import recordings, train, trainer

pytestmark = [pytest.mark.micropython, pytest.mark.slow]
SEED = os.environ.get("INLIER_DEMO_SEED", "1")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [
        sys.executable,
        "-m",
        "inlier_host",
        "demo",
        "--seed",
        SEED,
        "--out",
        str(folder),
        "--json",
    ]
    done = subprocess.run(leashed(command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_no_benign_window_alarms_and_every_attack_does(demo):
    stages = {stage["name"]: stage for stage in demo[1]["stages"]}
    assert [s["kind"] for s in stages.values()] == [
        "benign",
        "attack",
        "benign",
        "attack",
        "benign",
        "attack",
    ]
    assert all(
        s["alarms"] == 0 and s["delay_windows"] is None
        for s in stages.values()
        if s["kind"] == "benign"
    )
    for name, most in (("scan", 3), ("flood", 3), ("beacon", 10)):
        assert stages[name]["alarms"] >= 1 and stages[name]["delay_windows"] <= most
    assert any(name.startswith(("connects", "peers")) for name in stages["scan"]["top_features"])
    assert any(
        name.startswith(("datagrams_out", "bytes_out")) for name in stages["flood"]["top_features"]
    )
    assert stages["beacon"]["top_features"][0].startswith("peers_new")


def test_device_and_reference_agree_on_every_window(demo):
    parity = demo[1]["parity"]
    assert (
        parity["mismatches"] == 0
        and parity["vectors"] == sum(s["windows"] for s in demo[1]["stages"]) > 400
    )


def test_model_is_at_most_4_kb(demo):
    folder, summary = demo
    assert summary["model"]["bytes"] == (folder / "doorbell.inlier").stat().st_size <= 4096


def test_picture_and_recording_are_written(demo):
    folder, summary = demo
    scored = recordings.read(folder / "monitored.csv", Sockets.counters).windows
    about = recordings.table(folder / "windows.csv").about
    assert (about.source, about.window_ms, about.device) == ("sockets", 100, "doorbell")
    assert len(scored) == summary["parity"]["vectors"], "what `inlier report` shows"
    assert "3 of 3" in (folder / "report.html").read_text()
    assert (folder / "scores.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "run.json").read_text()) == summary


def alarms(blob, recording):
    pipeline = Pipeline(Model(blob), Replay((), Sockets.counters))
    return sum(pipeline.score(array("i", row.tolist())) == 1 for row in recording)


def test_another_device_s_model_alarms_on_these_benign_windows(demo):
    folder, _ = demo
    recording = recordings.read(folder / "windows.csv", Sockets.counters).windows
    rng = np.random.default_rng(3)
    # one small datagram now and then, and nothing else
    thermometer = np.zeros((1200, len(Sockets.counters)), np.int64)
    column = {name: i for i, name in enumerate(Sockets.counters)}
    sent = rng.random(1200) < 0.1
    for name, value in (("datagrams_out", 1), ("bytes_out", 40), ("peers", 1), ("ports", 1)):
        thermometer[:, column[name]] = sent * value
    settings = trainer.Settings("sockets", Sockets.counters, 100, allow_constant=Sockets.counters)
    other = train.train([thermometer], settings, "thermometer").blob
    assert alarms((folder / "doorbell.inlier").read_bytes(), recording[64:]) == 0
    assert alarms(other, recording[64:]) >= 1
