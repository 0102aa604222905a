"""Slower proofs, for `make nightly`: a million windows, and ten demonstrations."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from inlier.alarm import TELL_AFTER
from inlier.sockets import Sockets
from inlier_boards.catalogue import names, read_board
from inlier_boards.emulators import emulator
from inlier_export import reference
from inlier_export.model_file import read_file
from inlier_trainer import recordings

pytestmark = pytest.mark.skipif(
    "INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"
)


def test_a_million_windows_train_within_1200_megabytes(tmp_path):
    rng = np.random.default_rng(1)
    busy = rng.poisson(2, (1_000_000, 1))
    rows = rng.poisson(1, (1_000_000, len(Sockets.counters))) + busy * rng.integers(
        0, 300, len(Sockets.counters)
    )
    recordings.write(tmp_path / "w.csv", recordings.Recording(Sockets.counters, rows))
    del rows
    start = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "inlier_host",
        "train",
        str(tmp_path / "w.csv"),
        "-o",
        str(tmp_path / "m"),
        "--json",
    ]
    command.append("--accept-anomalies")  # random windows connect to new hosts all the time
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - start
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{seconds:.0f} s, {gigabytes:.2f} GB")
    assert gigabytes < 1.2


def test_what_was_added_alarms_no_more_and_the_attacks_still_do(tmp_path):
    recorded = Path(__file__).parent / "recorded"
    recording = recordings.read(recorded / "windows.csv", Sockets.counters).windows
    # bytes_in: it fetches its new firmware
    update = recording[100:130] + np.eye(14, dtype=np.int64)[1] * 200_000
    recordings.write(tmp_path / "update.csv", recordings.Recording(Sockets.counters, update))
    attacked = recordings.read(recorded / "monitored.csv", Sockets.counters).windows
    told, false = [], []
    for options in ([], ["--add", str(tmp_path / "update.csv")]):
        command = [sys.executable, "-m", "inlier_host", "train", str(recorded / "windows.csv")]
        command += ["-o", str(tmp_path / "m.inlier"), "--json", "--window", "100ms"]
        command += ["--false-alarms", "30/hour", "--allow-constant", "all", *options]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        model = read_file(tmp_path / "m.inlier").detector
        told.append(np.flatnonzero(reference.run(model, attacked).event > 0))
        together = np.concatenate([recording, update, recording[-300:]])
        false.append(int((reference.run(model, together).event == 1).sum()))
    assert false == [1, 0]
    # a scan and a beacon that are raised, and between them a flood by which the
    # scan's alarm grows
    assert len(told[0]) == len(told[1]) == 3 and np.abs(told[0] - told[1]).max() <= TELL_AFTER


@pytest.mark.parametrize("seed", range(1, 11))
def test_demonstration(seed, tmp_path):
    command = [
        sys.executable,
        "-m",
        "inlier_host",
        "demo",
        "--seed",
        str(seed),
        "--out",
        str(tmp_path),
        "--json",
    ]
    run = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=400).stdout)
    print(
        [(s["name"], s["alarms"], s["delay_windows"]) for s in run["stages"]],
        run["parity"],
        run["model"],
    )
    for stage in run["stages"]:
        if stage["kind"] == "benign":
            assert stage["alarms"] == 0
        else:
            assert stage["alarms"] and stage["delay_windows"] <= (
                20 if stage["name"] == "beacon" else 3
            )
    assert run["parity"]["mismatches"] == 0 and run["model"]["bytes"] <= 4096


@pytest.mark.parametrize("name", names(emulated=True))
def test_a_model_is_deployed_onto_every_emulated_board(name, tmp_path):
    model = Path(__file__).parent / "recorded/doorbell.inlier"
    with emulator.plugged(read_board(name), stock=True) as there:
        command = [
            sys.executable,
            "-m",
            "inlier_host",
            "deploy",
            model,
            "--port",
            there.port,
            "--json",
        ]
        said = json.loads(
            subprocess.run(command, check=True, capture_output=True, timeout=300).stdout
        )
    print(said)
    assert said["board"] == name and said["main"] == "copied"
    assert (
        said["self_test"]["kernel"] == read_board(name).kernel and said["self_test"]["windows"] > 20
    )
