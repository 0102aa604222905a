"""A recording knows itself: source, window length, device and interruptions go
into the file and come out of it; what contradicts it is refused.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from device_of_tests import AT, SETTINGS, benign
from inlier.packet_counters import Packets
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.serial_line.record_board import Part
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import unpack
from inlier_trainer import autoencoder, recordings, scored, train, trainer
from inlier_trainer.about import NOTHING, About, before, parsed
from inlier_trainer.figures import number_of
from inlier_trainer.folds import plan
from inlier_trainer.recordings import Recording, read, table, write
from test_cli import refused

ABOUT = About(
    "sockets", 1000, "bell=1 #2", "micropython-1.25.0,inlier-0.2.0", "2026-11-27T16:00:00Z"
)
COUNTERS = Sockets.counters


def marks(*rows):
    return np.array(rows, np.int64)


def marked(n, interrupted=(), boots=()):
    """Marks of n windows: these are interrupted, before those it booted."""
    index = np.arange(n)
    boot = 1 + np.searchsorted(np.asarray(boots, np.int64), index, "right")
    return np.stack([boot, index, ~np.isin(index, interrupted)], axis=1).astype(np.int64)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("about", [ABOUT, About("sockets"), NOTHING])
def test_what_it_says_of_itself_comes_back(tmp_path, suffix, about):
    path = tmp_path / f"w.{suffix}"
    recording = Recording(("a", "b"), marks((1, 2), (3, 4)), about, marks((1, 0, 1), (2, 0, 3)))
    write(path, recording)
    back = read(path, ("a", "b"))
    assert back.about == about and back.counters == ("a", "b")
    assert back.windows.tolist() == [[1, 2], [3, 4]]
    assert back.marks.tolist() == [[1, 0, 1], [2, 0, 3]]


def test_the_comment_is_one_that_people_read_and_write(tmp_path):
    path = tmp_path / "w.csv"
    write(path, Recording(("a",), marks((5,)), About("sockets", 100, "bell")))
    assert path.read_text() == "# inlier source=sockets window_ms=100 device=bell\na\n5\n"
    path.write_text("# mine\n# inlier window_ms=100 colour=green\n# of May\na\n5\nx\n")
    assert table(path).about == About(window_ms=100), "what a later version says is left out"
    with pytest.raises(BadInput, match="line 6, column 'a' holds 'x'"):
        read(path, ("a",))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("window_ms=0", "says window_ms=0; a window has from 1 to 3600000 milliseconds"),
        ("window_ms=x", "says window_ms=x"),
        ("window_ms=3600001", "says window_ms=3600001"),
        ("source=a source=b", "holds 'source=b' twice"),
        ("sockets", "holds 'sockets'; it must hold each key=value once"),
        ("device=%1b[31m", None),
    ],
)
def test_what_is_no_such_line_is_refused_in_one(tmp_path, line, expected):
    path = tmp_path / "w.csv"
    path.write_text(f"# inlier {line}\na\n5\n")
    if expected is None:
        assert table(path).about.device == r"\x1b[31m"
        return
    with pytest.raises(BadInput) as caught:
        table(path)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_of_marks_without_the_others_is_refused(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("boot,a\n1,5\n")
    with pytest.raises(BadInput, match="has the column 'boot' without the others of boot,window"):
        read(path, ("a",))
    path.write_text("boot,window,elapsed,a\n1,0,0,5\n")
    with pytest.raises(BadInput, match="each window in it was interrupted"):
        read(path, ("a",))


def test_a_recording_of_the_form_before_says_so_and_what_to_do(inlier, tmp_path):
    former = tmp_path / "w.csv"
    former.write_text(f"boot,window,missed,{','.join(COUNTERS)}\n1,0,0{',1' * len(COUNTERS)}\n")
    expected = "w.csv: it is a recording of inlier 0.2.0 or before, which began with boot,window,"
    refused(inlier("train", former, "-o", tmp_path / "m.inlier"), expected)
    ingest = inlier("fleet", "ingest", former, "--type", "t", "-o", tmp_path, "--workers", "0")
    assert expected in ingest[2], "a fleet takes in what else there is"
    for read_it in (lambda: read(former, COUNTERS), lambda: table(former).board_recording()):
        with pytest.raises(BadInput, match="record again; or take those three columns out"):
            read_it()
    former.rename(tmp_path / "w.csv.part")
    with pytest.raises(BadInput, match=r"w\.csv\.part: it is a recording of inlier 0\.2\.0"):
        Part(former)


@pytest.mark.parametrize(
    ("rows", "stretches"),
    [
        (None, [(0, 4)]),
        ([(1, 0, 1), (1, 1, 1), (1, 2, 5), (1, 3, 1)], [(0, 4)]),  # a mean is a window
        ([(1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1)], [(0, 2), (2, 4)]),  # a reboot
        ([(1, 0, 1), (1, 1, 1), (2, 2, 1), (2, 3, 1)], [(0, 2), (2, 4)]),
        ([(1, 0, 1), (1, 5, 1), (1, 6, 1), (1, 7, 1)], [(0, 1), (1, 4)]),  # lost lines
        ([(1, 0, 1), (1, 1, 0), (1, 2, 1), (1, 3, 0)], [(0, 1), (2, 3)]),  # interrupted
    ],
)
def test_stretches_are_whole_windows_that_follow_each_other(rows, stretches):
    recording = Recording(("a",), np.zeros((4, 1), np.int64), marks=rows and marks(*rows))
    assert [(s.start, s.stop) for s in recording.stretches] == stretches


# Contradictions ----------------------------------------------------------


def written(path, about, n=20, counters=COUNTERS):
    rows = np.arange(n * len(counters)).reshape(n, -1) % 97
    write(path, Recording(counters, rows, about))
    return path


@pytest.mark.parametrize(
    ("files", "options", "expected"),
    [
        ([About("sockets", 100)], ["--window", "10s"], "has 100 ms, --window says 10000 ms"),
        ([About("sockets", 100)], ["--source", "procfs"], "'sockets' counted it, --source says"),
        ([About(window_ms=100)], ["--window", "1s"], "have 100 ms, --window says 1000 ms"),
        ([About("sockets", 100), About("sockets", 200)], [], "w1.csv: its windows have 200 ms"),
        ([About("sockets"), About("procfs")], [], "w1.csv: source 'procfs' counted it"),
        ([NOTHING, About("sockets", 200), NOTHING, About(window_ms=10)], [], "w3.csv: its windows"),
        ([About("pigeons", 100)], [], "no source 'pigeons': choose one of"),
    ],
)
def test_training_refuses_what_contradicts_a_recording(inlier, tmp_path, files, options, expected):
    paths = [written(tmp_path / f"w{i}.csv", about) for i, about in enumerate(files)]
    result = inlier("train", *paths, *options, "-o", tmp_path / "m.inlier")
    refused(result, expected.replace("has 100", "have 100"))
    assert not (tmp_path / "m.inlier").exists()


def test_windows_that_are_added_are_held_against_the_recording_too(inlier, tmp_path):
    path = written(tmp_path / "w.csv", About("sockets", 100), 400)
    other = written(tmp_path / "o.csv", About("sockets", 1000))
    refused(
        inlier("train", path, "--add", f"{other}@1:4", "-o", tmp_path / "m.inlier"),
        "o.csv: its windows have 1000 ms",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (About("sockets", 100), "its windows have 100 ms, the model has 1000 ms: take a recording"),
        (About("procfs", 1000), "source 'procfs' counted it, the model has 'sockets'"),
    ],
)
def test_a_model_refuses_a_recording_of_another_kind(inlier, trained, tmp_path, about, expected):
    model, path = tmp_path / "m.inlier", written(tmp_path / "w.csv", about)
    model.write_bytes(trained.blob)
    for command in (
        ("monitor", model, "--replay", path),
        ("monitor", model, "--replay", path, "--json"),
        ("report", model, "--windows", path, "-o", tmp_path / "r.html"),
        ("report", model, "--benign", path, "-o", tmp_path / "r.html"),
        ("emulate", model, "--replay", path),
        ("deploy", model, "--replay", path),
    ):
        refused(inlier(*command), expected)


@pytest.mark.slow
def test_a_recording_says_what_the_options_need_not(inlier, tmp_path, monkeypatch):
    """100 ms windows were trained as 10 s without a word."""
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    path, out = tmp_path / "w.csv", tmp_path / "m.inlier"
    write(path, Recording(COUNTERS, benign(400), About("sockets", 100)))
    bare = tmp_path / "bare.csv"
    write(bare, Recording(COUNTERS, benign(400)))
    for arguments, window_ms in (
        ((path,), 100),
        ((path, "--window", "100ms", "--source", "sockets"), 100),
        ((bare, "--window", "100ms"), 100),
        ((bare,), 10_000),
    ):
        code, _, error = inlier("train", *arguments, "-o", out, "--detectors", "svm", "--json")
        assert code == 0, error
        assert unpack(out.read_bytes()).window_ms == window_ms


# Interruptions -----------------------------------------------------------


@pytest.mark.slow
def test_what_was_interrupted_is_never_trained_on(monkeypatch):
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    windows = benign(800)
    burst = windows.copy()
    burst[500] = 1 << 20
    kept = [
        Recording(COUNTERS, rows, marks=marked(800, interrupted=[500])) for rows in (windows, burst)
    ]
    one, other = (train.train(r.runs, SETTINGS, "w.csv", unit=[0, 0]).blob for r in kept)
    assert one == other, "whatever stands there"
    assert one != train.train([windows], SETTINGS, "w.csv").blob, "and what follows begins anew"


def test_each_stretch_is_trained_from_boot_as_the_device_begins():
    runs = [benign(400, 1), benign(500, 2)]
    made = trainer.Trainer(runs, SETTINGS, unit=[0, 0])
    assert made.plan.windows == plan([900]).windows, "one unit of 900 windows"
    whole = trainer.Trainer([np.concatenate(runs)], SETTINGS)
    assert (made.f[:400] == whole.f[:400]).all() and (made.f[400] != whole.f[400]).any()
    again = trainer.Trainer([runs[1], runs[0]], SETTINGS, unit=[0, 0])
    assert (made.f[400:] == again.f[:500]).all(), "whatever came before"


def test_no_block_goes_across_an_interruption():
    cut = plan([100, 250, 650], [0, 0, 0])
    whole = plan([1000])
    assert (np.concatenate(cut.blocks) == np.concatenate(whole.blocks)).all()
    assert (cut.folds, cut.horizons, cut.scales) == (whole.folds, whole.horizons, whole.scales)
    for block in cut.blocks:
        assert (np.diff(block) == 1).all() and not {100, 350} & set(block[1:].tolist())
    of = {int(i): fold for block, fold in zip(cut.blocks, cut.fold, strict=True) for i in block}
    for block, fold in zip(whole.blocks, whole.fold, strict=True):
        assert {of[int(i)] for i in block} == {fold}, "of the same fold as without"


def attacked():
    """Windows of a device that scans from 600 on, boots at 620, and loses 640."""
    windows = benign(700, seed=9)
    windows[600:660, AT["peers_new"]] += 40
    windows[600:660, AT["connects_failed"]] += 40
    windows[640] = 0
    return Recording(COUNTERS, windows, About("sockets", 1000), marked(700, [640], [620]))


def test_a_reboot_begins_as_the_device_does_and_what_was_interrupted_scores_nothing(
    inlier, trained, tmp_path
):
    recording = attacked()
    path, model = tmp_path / "w.csv", tmp_path / "m.inlier"
    write(path, recording)
    model.write_bytes(trained.blob)
    code, said, error = inlier("monitor", model, "--replay", path, "--json")
    assert code == 0, error
    told = [json.loads(line) for line in said.splitlines()]
    assert [window["index"] for window in told] == list(range(700))
    assert told[640] == {"index": 640, "interrupted": True}
    trace = scored.run(trained.detector, recording)
    for begin, end in ((0, 620), (620, 640), (641, 700)):
        alone = reference.run(trained.detector, recording.windows[begin:end])
        assert [window["svm"] for window in told[begin:end]] == alone.svm.tolist()
        assert [window["event"] for window in told[begin:end]] == alone.event.tolist()
        assert (trace.svm[begin:end] == alone.svm).all()
        assert (trace.event[begin:end] == alone.event).all()
    assert (trace.event[600:620] == 1).any(), "seen before the reboot"
    assert trace.svm[640] == 0 and trace.event[640] == 0 and not trace.hot[640]
    code, said, error = inlier("monitor", model, "--replay", path)
    assert "window 640 was interrupted: it is not scored" in said
    assert "window 619: alarm cleared" in said, "the device that booted knows of no alarm"
    alarms = said.count(": ALARM: ")
    assert alarms and said.endswith(f"{path}: 699 windows scored, {number_of(alarms, 'alarm')}\n")
    calm = tmp_path / "calm.csv"
    write(calm, Recording(recording.counters, recording.windows[:500], recording.about))
    code, said, error = inlier("monitor", model, "--replay", calm)
    assert said == f"{calm}: 500 windows scored, 0 alarms\n", "who sees nothing would ask why"


def test_a_report_ends_an_alarm_where_the_device_booted(trained, tmp_path):
    from inlier_host.report import story, subject

    path, model = tmp_path / "w.csv", tmp_path / "m.inlier"
    write(path, attacked())
    model.write_bytes(trained.blob)
    shown = subject.of_model(model, path, None, None, lambda *_: None)
    first = story.alarms(shown)[0]
    assert 600 <= first.index < 620 and first.cleared == 619 and first.reached
    attack, calm = subject.masks(shown.scored, trained.detector, [subject.Attack("s", 600, 650)])
    warmup = trained.detector.warmup
    assert not attack[640] and not calm[640]
    assert not calm[641 : 641 + warmup].any() and not calm[:warmup].any() and calm[warmup]


def test_windows_that_are_added_leave_out_what_was_interrupted(tmp_path):
    from inlier_trainer.added import marked as added

    path = tmp_path / "w.csv"
    write(path, Recording(("a",), np.arange(8)[:, None], marks=marked(8, [3], [6])))
    spans = [run[:, 0].tolist() for run in added(f"{path}@1:8").runs(("a",))]
    assert spans == [[1, 2], [4, 5], [6, 7]]
    with pytest.raises(BadInput, match="there are no such windows"):
        added(f"{path}@3:4").runs(("a",))


# Recorders ---------------------------------------------------------------


def test_this_machine_s_recording_knows_itself(inlier, tmp_path):
    from inlier import recorder

    out = tmp_path / "w.csv"
    code, _, error = inlier("record", "--window", "10ms", "--count", 3, "-o", out)
    assert code == 0, error
    there = read(out, Procfs.counters)
    assert replace(there.about, clock="") == About(
        "procfs", 10, recorder.device(), recorder.firmware()
    )
    assert parsed(out, there.about.line()) == there.about and there.about.clock.startswith("20")
    assert there.marks[:, :2].tolist() == [[1, 0], [1, 1], [1, 2]] and there.whole.all()


def test_the_time_before_is_told_in_seconds():
    assert before("2026-01-01T00:00:09Z", 10_000) == "2025-12-31T23:59:59Z"
    assert before("", 10_000) == ""


def test_a_capture_that_breaks_off_leaves_its_last_window_interrupted(inlier, tmp_path):
    from test_pcap import DEVICE, pcap, talk

    whole, cut = tmp_path / "whole.pcap", tmp_path / "cut.pcap"
    whole.write_bytes(pcap(talk()))
    cut.write_bytes(pcap(talk())[:-3])
    for path, last in ((whole, True), (cut, False)):
        out = tmp_path / f"{path.stem}.csv"
        code, _, error = inlier("record", "--pcap", path, "--device", DEVICE, "-o", out)
        assert code == 0, error
        there = recordings.read(out, Packets.counters)
        assert (there.about.source, there.about.window_ms) == ("packets", 10_000)
        assert there.about.device == DEVICE and there.about.clock.endswith("Z")
        assert there.whole.tolist() == [True] * (len(there.windows) - 1) + [last]
