"""`inlier record --port`: what a board prints becomes windows; nothing that was
lost goes unmarked.
"""

import contextlib
import json
import os
import pty
import shutil
import time
import tty
import zlib
from dataclasses import replace

import numpy as np
import pytest

from broker import eventually
from inlier.counters import DELTA_MAX
from inlier.line import seal
from inlier.recorder import Recorder
from inlier_boards.build.firmware import FIRMWARE
from inlier_boards.emulators import unix_board
from inlier_boards.serial_line import listen
from inlier_boards.serial_line import record_board as collect
from inlier_boards.serial_line.intake import Intake, Window
from inlier_boards.serial_line.record_board import Part, compare, missing, record
from inlier_export import reference
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.about import About, at
from inlier_trainer.recordings import Recording, read, table
from test_cli import refused

HEAD = seal("~b 1000 sockets a,b")


def window(index, elapsed=1, boot=0):
    return seal(f"~w {boot} {index} {elapsed} 1,2")


def marks(lines, taken=None):
    taken = taken or Intake()
    return [(w.boot, w.index, w.elapsed) for line in lines for w in taken.take(line)]


def test_lines_are_sealed_by_the_crc_32_of_what_they_say():
    assert seal("~w 0 0 1 1,2") == f"~w 0 0 1 1,2 *{zlib.crc32(b'~w 0 0 1 1,2'):08x}"


def test_gaps_and_reboots_are_marked():
    said = [HEAD, window(0), window(1), window(4), window(5, elapsed=3), HEAD, window(0), window(2)]
    # 2 and 3 did not arrive; 5 stands for three windows; then the board began
    # again, and lost its 1
    seen = [(1, 0, 1), (1, 1, 1), (1, 4, 1), (1, 5, 3), (2, 0, 1), (2, 2, 1)]
    assert marks(said) == seen
    kept = Recording(("a",), np.zeros((6, 1), np.int64), marks=np.array(seen))
    assert missing(kept).tolist() == [0, 0, 2, 2, 0, 1]
    assert kept.stretches == [slice(0, 2), slice(2, 4), slice(4, 5), slice(5, 6)]
    numbered = [
        HEAD,
        window(0, boot=777),
        window(3, boot=20),
        window(4, boot=20),
    ]  # only the number tells that it began again
    assert marks(numbered) == [(777, 0, 1), (20, 3, 1), (20, 4, 1)]


def test_a_recording_that_begins_late_misses_nothing_and_waits_for_the_names():
    taken = Intake()
    assert marks([window(30), window(31)], taken) == []
    assert marks([HEAD, window(32)], taken) == [(1, 30, 1), (1, 31, 1), (1, 32, 1)]
    assert (taken.counters, taken.about) == (("a", "b"), About("sockets", 1000))


def test_what_the_board_says_of_itself_is_the_recording_s_and_the_clock_that_of_its_first_window(
    tmp_path,
):
    head = "~b 10000 sockets a,b e6614103 micropython-1.25.0,inlier-0.2.0 "
    said = [
        seal(head + "2026-11-27T16:00:30Z"),
        window(0, elapsed=2, boot=7),
        seal(head + "2026-11-27T16:05:50Z"),  # as before every 32nd window
        window(32, elapsed=0, boot=7),
    ]
    record(said, "/dev/ttyACM0", tmp_path / "w.csv", None, None, lambda *stage: None)
    kept = table(tmp_path / "w.csv").board_recording()
    firmware = "micropython-1.25.0,inlier-0.2.0"
    assert kept.about == About("sockets", 10_000, "e6614103", firmware, "2026-11-27T16:00:10Z")
    assert kept.whole.tolist() == [True, False], "packets were lost in it"
    said = [seal("~b 1000 sockets a,b"), window(33, boot=7)]
    with pytest.raises(BadInput, match="the board: its windows have 1000 ms, what was recorded"):
        record(said, "/dev/ttyACM0", tmp_path / "w.csv", None, None, lambda *stage: None)


def test_a_live_board_without_a_clock_has_the_computer_s(tmp_path):
    lines = [HEAD, window(0), window(1)]
    record(lines, "/dev/ttyACM0", tmp_path / "w.csv", 2, None, lambda *stage: None)
    about = table(tmp_path / "w.csv").about
    assert about.clock and about == About("sockets", 1000, clock=about.clock)


def test_a_live_board_s_first_window_began_when_it_was_not_over_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(collect.time, "time", lambda: 1_790_000_010.0)
    record([HEAD, window(0, elapsed=3)], "port", tmp_path / "w.csv", 1, None, lambda *stage: None)
    assert table(tmp_path / "w.csv").about.clock == at(1_790_000_007)


def test_each_window_is_on_disk_before_the_next_line_is_waited_for(tmp_path):
    """What ends the command by force loses none."""
    part, seen = tmp_path / "w.csv.part", []

    def lines():
        for line in (HEAD, window(0), window(1), window(2)):
            seen.append(len(part.read_text().splitlines()) - 2 if part.exists() else 0)
            yield line

    record(lines(), "port", tmp_path / "w.csv", 3, None, lambda *stage: None)
    assert seen == [0, 0, 1, 2]


def test_a_recording_that_cannot_be_written_is_kept_as_its_part(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collect, "write", full)
    with pytest.raises(OSError, match="No space left"):
        record([HEAD, window(0)], "port", tmp_path / "w.csv", 1, None, lambda *stage: None)
    assert Part(tmp_path / "w.csv").rows == 1


@pytest.mark.parametrize(("waits", "given_up"), [((20, 29), False), ((20, 32), True)])
def test_a_line_is_given_up_half_a_minute_after_its_last_window_was_due(
    waits, given_up, tmp_path, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(collect.time, "monotonic", lambda: now[0])

    def lines():
        yield HEAD
        now[0] += waits[0]
        yield window(0)
        now[0] += waits[1]
        yield ""
        yield window(1)

    recording = lines(), "port", tmp_path / "w.csv", 2, None, lambda *stage: None
    if given_up:
        with pytest.raises(BadInput, match="no window came for 31 s"):
            record(*recording)
    else:
        assert record(*recording).windows == 2


def test_a_board_without_a_number_that_begins_again_after_one_window_has_two_boots():
    assert marks([HEAD, window(0), window(0), window(1)]) == [(1, 0, 1), (2, 0, 1), (2, 1, 1)]


def test_a_clock_that_is_told_behind_windows_is_not_that_of_the_first():
    taken = Intake()
    said = [window(30), seal("~b 1000 sockets a,b - - 2026-11-27T16:00:30Z"), window(31)]
    assert marks(said, taken) == [(1, 30, 1), (1, 31, 1)] and taken.about.clock == ""


def test_of_many_windows_before_their_names_the_newest_are_kept():
    said = [window(i) for i in range(70)]
    assert [index for _, index, _ in marks([*said, HEAD])] == list(range(6, 70))


def test_a_window_that_was_interrupted_is_not_one_that_is_missing():
    kept = Recording(
        ("a",), np.zeros((3, 1), np.int64), marks=np.array([(1, 0, 1), (1, 1, 0), (1, 2, 1)])
    )
    assert missing(kept).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "line",
    [
        seal(f"~w 0 0 1 1,{DELTA_MAX + 1}"),
        seal("~w 0 -1 1 1,2"),
        seal("~b 1000 sockets a,a"),
        seal("~b 0 sockets a,b"),
    ],
)
def test_what_no_recorder_can_have_counted_is_damaged(line):
    taken = Intake()
    assert marks([HEAD, line, window(3)], taken) == [(1, 3, 1)] and taken.damaged == 1


def test_another_length_of_windows_is_refused_from_the_first_on():
    with pytest.raises(BadInput, match="its windows have 2000 ms"):
        marks([HEAD, window(0), seal("~b 2000 sockets a,b")])


def test_the_files_of_a_ring_are_read_in_the_order_of_their_numbers(tmp_path):
    for number in (9, 10, 11):
        (tmp_path / f"ring.{number}").write_text(f"{number}\n")
    (tmp_path / "ring.boot").write_text("7")
    assert list(listen.kept(str(tmp_path / "ring"))) == ["9", "10", "11"]


def test_what_else_is_printed_and_what_is_damaged_is_left_out():
    taken = Intake()
    said = [
        HEAD,
        "temperature ~ 21",
        "~",
        "door: " + window(0) + "\r",
        window(1).replace("1,2", "1,3"),
        window(2),
    ]
    assert marks(said, taken) == [(1, 0, 1), (1, 2, 1)] and taken.damaged == 1


def test_a_line_behind_one_that_a_power_cut_tore_is_whole():
    assert marks([window(0, boot=7)[:9] + HEAD, window(0, boot=8)]) == [(8, 0, 1)]


def test_a_ring_counts_its_boots_and_is_read_from_its_beginning():
    ring = [HEAD, window(0, boot=7), window(1, boot=7), HEAD, window(0, boot=9)]
    taken = Intake(ring=True)
    assert marks(ring, taken) == [(7, 0, 1), (7, 1, 1), (9, 0, 1)]
    assert marks([*ring, window(1, boot=9)], taken) == [(9, 1, 1)], "the rest was recorded before"


def test_other_counters_are_not_mixed():
    with pytest.raises(
        BadInput,
        match="the board counts a,c, what was recorded before is a,b: record into another file",
    ):
        marks([HEAD, seal("~b 1000 sockets a,c")])


def test_a_part_is_gone_on_with_but_for_a_line_that_was_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "SILENT_S", -0.95)
    out = tmp_path / "w.csv"
    with pytest.raises(BadInput, match=r"2 windows are in .*w.csv.part, record again to go on"):
        record(
            silent([HEAD, window(0), window(1)]), "/dev/ttyACM0", out, 4, None, lambda *stage: None
        )
    with (tmp_path / "w.csv.part").open("a") as part:
        part.write("1,2,1,1")
    done = record([window(2), window(5)], "/dev/ttyACM0", out, 4, None, lambda *stage: None)
    assert (done.windows, done.boots, done.gaps, done.missed) == (4, 1, 1, 2)
    kept = table(out).board_recording()
    counters, marks, rows = kept.counters, kept.marks, kept.windows
    assert counters == ("a", "b") and marks.tolist() == [[1, 0, 1], [1, 1, 1], [1, 2, 1], [1, 5, 1]]
    assert rows.tolist() == [[1, 2]] * 4 == read(out, ("a", "b")).windows.tolist(), (
        "training takes it as it is"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["w.csv"]


def test_a_ring_adds_what_is_new_to_what_was_fetched_before(tmp_path):
    out = tmp_path / "w.parquet"
    ring = [HEAD, window(0, boot=7), window(1, boot=7)]
    record(ring, "/dev/ttyACM0", out, None, None, lambda *stage: None)
    del ring[1]  # the oldest file is gone
    done = record(
        [*ring, window(2, boot=7), window(0, boot=8)],
        "/dev/ttyACM0",
        out,
        None,
        None,
        lambda *stage: None,
    )
    assert (done.windows, done.boots, done.missed) == (4, 2, 0)
    assert table(out).board_recording().marks.tolist() == [
        [7, 0, 1],
        [7, 1, 1],
        [7, 2, 1],
        [8, 0, 1],
    ]
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        BadInput,
        match="other.csv: it is no recording of a board, which begins with boot,window,elapsed",
    ):
        record(ring, "/dev/ttyACM0", tmp_path / "other.csv", None, None, lambda *stage: None)
    (tmp_path / "marks.csv").write_text("boot,window,elapsed\n1,0,1\n")
    with pytest.raises(BadInput, match="marks.csv: it holds no counter"):
        record(ring, "/dev/ttyACM0", tmp_path / "marks.csv", None, None, lambda *stage: None)


def silent(lines):
    yield from lines
    time.sleep(0.1)
    yield ""


def test_a_part_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "w.csv.part").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="it is no recording of a board: move it away"):
        Part(tmp_path / "w.csv")
    assert (tmp_path / "w.csv.part").read_text() == "a,b\n1,2\n"


def test_an_interrupt_keeps_the_part(tmp_path):
    def interrupted():
        yield from (HEAD, window(0))
        raise Interrupted("")

    with pytest.raises(Interrupted, match="1 window is in .*w.csv.part, record again to go on"):
        record(interrupted(), "/dev/ttyACM0", tmp_path / "w.csv", 9, None, lambda *stage: None)
    assert (tmp_path / "w.csv.part").read_text().splitlines()[2:] == ["1,0,1,1,2"]


def test_scores_are_compared_from_each_boot_up_to_a_gap():
    detector = random_detector(5)
    rows = np.random.default_rng(1).integers(0, 50, (40, len(detector.counters)))
    t = reference.run(detector, rows)

    def scored(i, boot=1, wrong=0):
        scores = (int(t.ae[i]), int(t.svm[i]) + wrong, int(t.hot[i]), int(t.event[i]))
        return Window(boot, i, 1, tuple(map(int, rows[i])), scores)

    said = [scored(i) for i in range(40)] + [scored(i, 2, wrong=i == 7) for i in range(20)]
    assert compare(pack(detector), said) == (60, 1)
    assert compare(pack(detector), said[5:40]) == (0, 0), "its means are unknown"
    del said[10]
    assert compare(pack(detector), said[:39]) == (10, 0), "behind a gap its means are others"
    said[5] = replace(said[5], elapsed=0)
    assert compare(pack(detector), said[:9]) == (5, 0), "what was interrupted it did not score"


def test_events_are_those_of_the_alarm():
    """Recorder sees no event, only that the alarm is active or not: both must
    say the same.
    """
    from inlier.model import Model
    from inlier.pipeline import Pipeline
    from inlier.replay import Replay

    detector = replace(random_detector(5), clear_after=3, cooldown=2, warmup=4)
    rows = [[int(i // 9 % 2) * 4000] * len(detector.counters) for i in range(80)]
    t = reference.run(detector, np.array(rows))
    detector = replace(detector, horizons=((2, 4, int(np.median(t.svm))),))
    source = Replay(rows, detector.counters)
    pipeline = Pipeline(Model(pack(detector)), source)
    lines = []
    recorder = Recorder(source, 1000, lines.append)
    while source.advance():
        pipeline.step()
        recorder.scored(pipeline)
    taken = Intake()
    windows = [w for line in lines for w in taken.take(line)]
    assert {w.scores[3] for w in windows} == {-1, 0, 1, 2}
    assert compare(pack(detector), windows) == (80, 0)


MAIN = """
import asyncio
from inlier import recorder, ring
class Counting:
    name = "test"
    counters = ("a", "b")
    bits = 30
    total = 0
    def read(self, values):
        self.total += 1
        values[0] = values[1] = 1000 * self.total  # of several windows the mean is kept
asyncio.run(recorder.record(Counting(), 20, {ring}))
"""


@pytest.fixture
def flash(tmp_path):
    """Of a board with the runtime."""
    flash = tmp_path / "flash"
    (flash / "lib").mkdir(parents=True)
    shutil.copytree(
        FIRMWARE / "inlier", flash / "lib/inlier", ignore=shutil.ignore_patterns("*.pyc")
    )
    return flash


@pytest.mark.slow
@pytest.mark.micropython
def test_windows_come_over_the_line_and_go_on_after_a_cable_was_pulled(inlier, flash, tmp_path):
    (flash / "main.py").write_text(MAIN.format(ring=None))
    out = tmp_path / "windows.parquet"
    part = tmp_path / "windows.parquet.part"
    with contextlib.ExitStack() as cable:
        port = cable.enter_context(unix_board.plugged(flash))

        def pulled():
            for line in listen.live(port, restart=True):
                yield line
                if part.exists() and len(part.read_text().splitlines()) == 22:
                    cable.close()

        with pytest.raises(
            BadInput,
            match=f"{port}: it was unplugged, or stopped answering .* then repeat the command",
        ):
            record(pulled(), port, out, 60, None, lambda *stage: None)
    with unix_board.plugged(flash) as port:
        code, said, error = inlier("record", "--port", port, "-o", out, "--count", 60, "--json")
    assert code == 0, error
    assert json.loads(said)["boots"] == 2 and json.loads(said)["windows"] == 60
    kept = table(out).board_recording()
    counters, marks, rows = kept.counters, kept.marks, kept.windows
    assert counters == ("a", "b") and (marks[:, 0] == marks[0, 0]).sum() >= 20
    assert (rows > 0).all()
    assert not part.exists()


@pytest.mark.slow
@pytest.mark.micropython
def test_a_ring_keeps_the_newest_windows_through_boots_and_is_read_whole(inlier, flash, tmp_path):
    (flash / "main.py").write_text(MAIN.format(ring="ring.Ring('kept', 3, 500, 100)"))
    out = tmp_path / "windows.csv"
    with unix_board.plugged(flash) as port:
        eventually((flash / "kept.4").exists)
        refused(
            inlier("record", "--port", port, "-o", out, "--ring", "other"),
            "there is no ring of windows 'other': name it",
        )
        code, said, error = inlier("record", "--port", port, "-o", out, "--ring", "kept", "--json")
        assert code == 0, error
        eventually(lambda: int((flash / "kept.boot").read_text() or 0) >= 2)
    files = sorted(path.name for path in flash.glob("kept.*"))
    assert "kept.boot" in files and "kept.0" not in files and len(files) <= 4, (
        "the newest three, and the number of the boot"
    )
    assert json.loads(said)["boots"] >= 1 and json.loads(said)["damaged"] == 0
    kept = table(out).board_recording()
    marks, rows = kept.marks, kept.windows
    boot, index, _ = marks[-1]
    newest = marks[marks[:, 0] == boot, 1]
    assert (rows > 0).all() and (np.diff(newest) >= 1).all()


def test_a_ring_on_this_machine_is_read_without_a_port(inlier, tmp_path):
    """Such as that of an application under CPython on a Raspberry Pi."""
    (tmp_path / "kept.10").write_text(window(1, boot=7) + "\n")
    (tmp_path / "kept.9").write_text(HEAD + "\n" + window(0, boot=7) + "\n")
    (tmp_path / "kept.boot").write_text("7")
    out = tmp_path / "w.csv"
    code, said, error = inlier("record", "--ring", tmp_path / "kept", "-o", out, "--json")
    assert code == 0, error
    assert json.loads(said)["windows"] == 2 and json.loads(said)["source"] == "sockets"
    assert table(out).board_recording().marks.tolist() == [[7, 0, 1], [7, 1, 1]]
    (tmp_path / "young.boot").write_text("1")
    refused(
        inlier("record", "--ring", tmp_path / "young", "-o", out),
        "holds no window yet: they are written a kilobyte at a time, some twelve together; fetch "
        "them later, and seldom: what a board has not written yet is lost",
    )
    refused(
        inlier("record", "--ring", tmp_path / "nothing/kept", "-o", out),
        "there is no ring of windows",
    )


def test_a_port_that_says_nothing_is_given_up_with_a_way_out(inlier, monkeypatch, tmp_path):
    monkeypatch.setattr(collect, "SILENT_UNKNOWN_S", 0.1)
    board, line = pty.openpty()
    tty.setraw(board)
    result = inlier("record", "--port", os.ttyname(line), "-o", tmp_path / "w.csv")
    refused(
        result,
        "no window came for 0.1 s: does its program print them (inlier.recorder)? --restart begins "
        "it again",
    )
    assert not list(tmp_path.iterdir())
