"""The command line: one sentence and exit 2 for bad input, nothing written;
what was there survives an interrupt.
"""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from inlier.model import VERSION, load
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.leash import leashed
from inlier_trainer import recordings

GOLDEN = os.path.join(os.path.dirname(__file__), "../golden/model.inlier")


def refused(result, expected):
    code, out, error = result
    assert code == 2 and not out
    last = error.splitlines()[-1]  # after the progress bars
    assert last.startswith("inlier: ") and expected in last, "one sentence"


def test_a_bad_recording_writes_nothing(inlier, tmp_path):
    recording = tmp_path / "w.csv"
    recording.write_text("a,b\n1,2\n")
    out = tmp_path / "m.inlier"
    out.write_bytes(b"former")
    refused(
        inlier("train", recording, "-o", out, "--module", tmp_path / "m.py"),
        "misses the counter 'bytes_out'",
    )
    assert out.read_bytes() == b"former" and sorted(p.name for p in tmp_path.iterdir()) == [
        "m.inlier",
        "w.csv",
    ]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--source", "pigeons", "choose one of sockets, procfs"),
        ("--window", "10", "such as 250ms, 10s or 1m"),
        ("--window", "1ms", "from 10ms to 60m"),
        ("--hidden", "16,x", "sizes from 1 to 256"),
        ("--false-alarms", "never", "such as 1/week"),
        ("--allow-constant", "pigeons", "no such counter"),
    ],
)
def test_a_bad_option_is_named(inlier, tmp_path, option, value, expected):
    recording = tmp_path / "w.csv"
    recordings.write(
        recording, recordings.Recording(Sockets.counters, np.arange(400 * 14).reshape(400, 14))
    )
    refused(inlier("train", recording, "-o", tmp_path / "m", option, value), expected)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda blob: blob[:-7], "it was cut or overwritten: copy it again"),
        (
            lambda blob: blob[:500] + bytes([blob[500] ^ 4]) + blob[501:],
            "checksum does not match; copy it again",
        ),
        (
            lambda blob: blob[:4] + bytes([VERSION + 1]) + blob[5:],
            "update the runtime or export the model again",
        ),
        (lambda blob: b"", "not an inlier model"),
        (
            lambda blob: blob,
            "its source 'replay' does not count a whole machine: watch its device by --mqtt",
        ),
    ],
)
def test_a_bad_model_is_refused(inlier, tmp_path, change, expected):
    path = tmp_path / "m.inlier"
    with open(GOLDEN, "rb") as f:
        path.write_bytes(change(f.read()))
    refused(inlier("monitor", path), expected)


@pytest.mark.parametrize(
    ("refused", "arguments", "expected"),
    [
        ("inlier train", (), "issing argument"),
        ("inlier train", ("w.csv", "--seed", -1), "--seed"),
        ("inlier train", ("w.csv", "--pigeons"), "--pigeons"),
        ("inlier fleet simulate", ("F", "--devices", 0), "--devices"),
        ("inlier", ("dove",), "'dove'"),
    ],
)
def test_what_the_parser_refuses_is_one_sentence_too(inlier, refused, arguments, expected):
    code, out, error = inlier(*refused.split()[1:], *arguments)
    assert code == 2 and not out and error.startswith("inlier: ") and expected in error
    assert error.endswith(f"; '{refused} --help' says what there is\n") and error.count("\n") == 1


def test_a_command_alone_and_asked_for_help_says_what_it_takes(inlier):
    code, out, error = inlier("--version")
    assert code == 0 and out.startswith("inlier ") and not error
    code, out, error = inlier("train", "--help")
    assert code == 0 and "--false-alarms" in out and not error
    code, out, error = inlier()
    assert code in (0, 2) and "selfcheck" in out + error, "which of them differs with Typer"
    assert not error.startswith("inlier: ")


@pytest.mark.parametrize("command", ["monitor", "emulate"])
def test_a_replay_of_other_counters_names_them(inlier, tmp_path, command):
    recording = tmp_path / "w.csv"
    recordings.write(recording, recordings.Recording(Procfs.counters, np.ones((3, 14), np.int64)))
    refused(inlier(command, GOLDEN, "--replay", recording), "line 1 misses the counter 'c0'")
    recordings.write(
        recording,
        recordings.Recording((*load(GOLDEN).counters(), "pigeons"), np.ones((3, 15), np.int64)),
    )
    refused(
        inlier(command, GOLDEN, "--replay", recording),
        "has a column that its source does not count, 'pigeons'",
    )


def test_an_unwritable_place_is_named(inlier, tmp_path):
    refused(
        inlier("record", "--window", "10ms", "--count", 1, "-o", tmp_path / "no" / "w.csv"),
        "check the path",
    )


def test_record_then_monitor_this_machine(inlier, tmp_path):
    out = tmp_path / "w.csv"
    code, text, _ = inlier("record", "--window", "10ms", "--count", 5, "-o", out, "--json")
    assert code == 0 and json.loads(text) == {"recording": str(out), "windows": 5}
    assert recordings.read(out, Procfs.counters).windows.shape == (5, 14) and list(
        tmp_path.iterdir()
    ) == [out]


AT_THE_FIRST_PROGRESS = """
import os, signal
from rich.progress import Progress
def update(*bar, **done):
    Progress.update = former
    os.kill(os.getpid(), signal.SIGINT)
former, Progress.update = Progress.update, update
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["record", "train"])
def test_ctrl_c_leaves_the_former_file(tmp_path, command):
    out = tmp_path / "out"
    if command == "train":  # a recording takes no other's place
        out.write_bytes(b"former")
    recording = tmp_path / "w.csv"
    recordings.write(
        recording,
        recordings.Recording(
            Sockets.counters, np.random.default_rng(1).integers(0, 99, (20_000, 14))
        ),
    )
    arguments = {
        "record": ["record", "--window", "10ms", "--count", "9999", "-o", str(out)],
        "train": ["train", str(recording), "-o", str(out), "--accept-anomalies"],
    }[command]
    begun = {"record": "", "train": AT_THE_FIRST_PROGRESS}[command]
    process = subprocess.Popen(
        leashed(
            [sys.executable, "-c", f"{begun}from inlier_host.cli import main; main()", *arguments]
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    if command == "record":
        part = tmp_path / "out.part"
        while not (part.exists() and part.stat().st_size > 500):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert (
        process.returncode == 130 and "inlier: interrupted; " in error and "Traceback" not in error
    )
    if command == "train":
        assert out.read_bytes() == b"former"
    else:
        assert not out.exists()
        assert "windows are in" in error and len(part.read_text().splitlines()) > 3, (
            "what was recorded is kept"
        )


def test_a_full_disk_leaves_the_former_file(tmp_path):
    """/dev/full stands for the disk: every write to it fails with ENOSPC."""
    out = tmp_path / "w.csv"
    (tmp_path / "w.csv.part").symlink_to("/dev/full")
    command = [
        sys.executable,
        "-c",
        "from inlier_trainer import record; record.os.path.lexists = lambda path: False\n",
    ]
    command[-1] += "from inlier_host.cli import main; main()"
    done = subprocess.run(
        [*command, "record", "--window", "10ms", "--count", "99", "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        done.returncode == 2
        and "No space left on device" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert "free some space there" in done.stderr and not out.exists()
