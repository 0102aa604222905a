"""How a command ends, and what it has said by then: exit codes, sentences,
figures in their units.
"""

import signal
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
import typer

from inlier.model import Model, ModelError
from inlier.pipeline import Pipeline
from inlier.secure import selftest
from inlier.sinks import Sink
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import pack
from inlier_export.reference import run
from inlier_export.synthetic import COUNTERS, extreme_windows, random_detector, with_thresholds
from inlier_host import cli, this_machine
from inlier_host.commands import evaluate, fleet_judge, fleet_options, fleet_windows
from inlier_trainer.fleet import parts
from inlier_trainer.recordings import Recording
from test_cli import refused
from test_export import GOLDEN, KEY


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (None, 0, ""),
        (1, 1, ""),
        (typer.Abort(), 130, "inlier: nothing was answered, and nothing was replaced\n"),
        (BadInput("w.csv: no window"), 2, "inlier: w.csv: no window\n"),
        (BadInput("\x1b[2J.csv: no\nwindow"), 2, "inlier: \\x1b[2J.csv: no\\nwindow\n"),
        (Interrupted("9 windows are kept"), 130, "inlier: interrupted; 9 windows are kept\n"),
        (BrokenPipeError(), 1, ""),  # who read it has gone: `| head`
        (MemoryError(), 2, "inlier: there is not enough memory"),
        (ModuleNotFoundError("", name="polars"), 2, "inlier: this command needs polars"),
    ],
)
def test_an_end_has_its_exit_code_and_one_sentence(problem, code, said, monkeypatch, capsys):
    handled = []

    def app(**options):
        handled.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))
        if isinstance(problem, int):
            return problem  # what a command that ends itself by typer.Exit gives
        if problem:
            raise problem
        return None

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(cli, "app", app)
    try:
        cli.main()
        ended = 0
    except SystemExit as end:
        ended = end.code
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    error = capsys.readouterr().err
    assert ended == code and (error.startswith(said) if said else not error), error
    assert handled == [cli._interrupt] * 2, "what ends it keeps what there is"


@pytest.fixture
def signed(inlier, tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    assert inlier("export", GOLDEN, "-o", tmp_path / "m", "--key", key)[0] == 0
    return tmp_path / "m", key


def test_a_signature_that_nobody_checked_is_not_called_authentic(inlier, signed, monkeypatch):
    monkeypatch.delenv("INLIER_KEY", raising=False)
    model, key = signed
    code, out, _ = inlier("verify", model, "--allow-unsigned")
    assert code == 0 and ": signed, not checked, number " in out
    assert ": signed with this key, number " in inlier("verify", model, "--key", key)[1]
    code, out, _ = inlier("verify", model, "--allow-unsigned", "--json")
    assert '"signed": true, "signature_checked": false' in out


def test_a_model_whose_scores_are_others_is_not_verified(inlier, signed, monkeypatch):
    def other(model, content):
        raise ModelError("its self-test gives other scores")

    monkeypatch.setattr(selftest, "check", other)
    refused(inlier("verify", signed[0], "--key", signed[1]), "its self-test gives other scores")


class Counting:
    """Counts one event more each time it is read."""

    name = "sockets"
    counters = tuple(COUNTERS)
    bits = 30

    def __init__(self):
        self.live = array("i", [0] * len(COUNTERS))

    def read(self, values):
        for i in range(len(values)):
            values[i] = self.live[i] = self.live[i] + 1


def watched():
    detector = random_detector(3)
    detector.window_ms = 10
    return Pipeline(Model(pack(detector)), source := Counting()), source


def test_so_many_windows_of_this_machine_are_scored_as_were_asked_for():
    seen = []
    this_machine.live(watched(), 3, seen.append)
    assert [window["index"] for window in seen] == [0, 1, 2]


def test_who_takes_no_more_windows_ends_it():
    """A device's monitor would go on."""

    def gone(window):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        this_machine.live(watched(), -1, gone)


def test_an_alarm_is_cleared_where_its_device_began_again():
    deltas = extreme_windows(5, 300)
    detector = random_detector(3)
    detector = with_thresholds(detector, run(detector, deltas))
    told = run(detector, deltas)
    at = int(np.flatnonzero(told.event == 1)[0]) + 1  # an alarm is on
    row = np.arange(300)
    marks = np.stack([1 + (row >= at), np.where(row < at, row, row - at), row * 0 + 1], axis=1)
    said = []

    class Told(Sink):
        def on_alarm(self, pipeline, features):
            said.append("ON")

        def on_clear(self, pipeline):
            said.append("OFF")

        def on_window(self, pipeline):
            said.append(pipeline.index)

    list(
        this_machine.replayed(Model(pack(detector)), Recording(COUNTERS, deltas, marks=marks), Told)
    )
    begun = said.index(at)  # the first window of the next boot
    assert said[begun - 1] == "OFF" and "ON" in said[:begun]


def test_no_more_than_five_that_were_left_out_are_named(capsys):
    fleet_options.tell_rejected([f"file {i}" for i in range(7)])
    told = capsys.readouterr().err.splitlines()
    assert told[4:] == ["inlier: left out: file 4", "inlier: and 2 more"]


def test_a_device_that_has_no_name_is_told_by_its_line(tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text("device,type\nb1,bell\n../etc,bell\n")
    with pytest.raises(BadInput, match=r"devices.csv: line 3: device"):
        fleet_windows._types(path)
    path.write_text("device,type\nb1,bell\n")
    assert fleet_windows._types(path) == {"b1": "bell"}


def test_what_ends_at_midnight_is_of_the_day_before():
    midnight = parts.ms_of("2026-02-02")
    assert [fleet_judge._date(midnight + ms) for ms in (0, 1)] == ["2026-02-01", "2026-02-02"]


def test_windows_that_went_unseen_are_told_in_per_cent(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    laid = SimpleNamespace(
        name="scan", delay_s=20.0, worst_delay_s=None, detected_starts=3, starts=4, unseen=0.25
    )
    evaluate._show(
        SimpleNamespace(
            overlays=[laid], novel_interval=(0.1, 2.0), name="hub", alarm_episodes=1, days=2.0,
            novel_alarms=1, novel_days=7.0, novel_per_week=1.0, model_bytes=9,
            silent_windows_left_out=0,
        )
    )  # fmt: skip
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "scan" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "scan", "3 of 4 starts", "20", "", "25 %",
    ]  # fmt: skip
