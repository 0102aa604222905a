"""Files that are none, never end, are others than they seem, or have names and
cells made to fool: one sentence, exit code 2, and what was there stays.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from broker import HANGS_S
from inlier.procfs import Procfs
from inlier.secure import authentic
from inlier.sockets import Sockets
from inlier_export import os_errors
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer import recordings
from inlier_trainer.files import check_output, check_outputs, write_atomic
from inlier_trainer.progress import bars
from test_cli import GOLDEN, refused

RECORDED = Path(__file__).parent / "recorded"
MODEL, WINDOWS = RECORDED / "doorbell.inlier", RECORDED / "windows.csv"
HEADER = WINDOWS.read_text().splitlines()[0]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a recording, a model and traps, which is the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODEL, "m.inlier")
    Path("w.csv").write_text("\n".join(WINDOWS.read_text().splitlines()[:60]) + "\n")
    os.mkfifo("pipe")
    Path("folder").mkdir()
    try:  # one of our own: root that replaces /dev/full takes it from everybody
        os.mknod("device", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    except PermissionError:
        Path("device").symlink_to("/dev/full")
    Path("to_device").symlink_to("device")
    Path("link").symlink_to("behind")
    return tmp_path


# What is written ---------------------------------------------------------


@pytest.mark.parametrize("out", ["device", "to_device", "pipe", "folder"])
@pytest.mark.parametrize(
    "command",
    [
        ("report", "m.inlier", "--windows", "w.csv"),
        ("train", "w.csv"),
        ("export", "m.inlier", "--key", "key"),
        ("record", "--window", "10ms", "--count", 1),
        ("record", "--port", "/dev/nowhere"),
    ],
)
def test_no_device_pipe_or_folder_is_replaced_by_a_file(inlier, place, command, out):
    Path("key").write_text("00" * 32)
    before = os.stat(out).st_mode
    code, said, error = inlier(*command, "-o", out)
    assert code == 2 and not said and error.startswith(f"inlier: {out}"), error
    assert "name a" in error and len(error.splitlines()) == 1
    assert os.stat(out).st_mode == before


def test_write_atomic_itself_replaces_no_device(place):
    """Whoever calls it without a check before."""
    for out in ("device", "to_device", "pipe", "folder"):
        with pytest.raises(BadInput, match="name a file"):
            write_atomic(Path(out), b"x")
    assert stat.S_ISCHR(os.stat("to_device").st_mode) and stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_through_a_link_the_file_behind_it_is_written(place):
    write_atomic(Path("link"), b"new")
    assert Path("link").is_symlink() and Path("behind").read_bytes() == b"new"
    assert sorted(p.name for p in place.iterdir() if p.name.startswith(".")) == []


def test_somebody_else_s_link_is_not_followed(place, monkeypatch):
    """In a folder that all may write to, it may lead to a file of ours."""
    os.lchown("link", 4321, 4321) if os.getuid() == 0 else pytest.skip("needs root to give away")
    for call in (check_output, lambda path: write_atomic(path, b"x")):
        with pytest.raises(BadInput, match="somebody else's symbolic link"):
            call(Path("link"))


def test_a_recording_is_not_written_over_another(inlier, place):
    before = Path("w.csv").read_bytes()
    for command in (
        ("--pcap", WINDOWS, "--device", "1.2.3.4"),
        ("--window", "10ms", "--count", 1),
        ("--port", "/dev/nowhere"),
    ):
        refused(inlier("record", *command, "-o", "w.csv"), "w.csv is there already: name another")
    assert Path("w.csv").read_bytes() == before


def test_no_result_takes_the_place_of_what_is_read_or_of_another(inlier, place):
    os.link("w.csv", "same.csv")
    refused(inlier("train", "w.csv", "-o", "./w.csv"), "it is read, and would be overwritten")
    refused(inlier("report", "m.inlier", "--windows", "w.csv", "-o", "w.csv"), "it is read")
    refused(inlier("train", "w.csv", "-o", "x", "--module", "folder/../x"), "two results would go")
    with pytest.raises(BadInput, match="it is read"):
        check_outputs([Path("link")], [Path("behind")])


def test_all_that_is_wrong_with_the_options_is_said_before_any_work(inlier, place):
    options = (
        "--false-alarms",
        "never",
        "--hidden",
        "x",
        "--allow-constant",
        "doves",
        "-o",
        "no/m",
    )
    code, said, error = inlier("train", "w.csv", "none.csv", *options)
    assert code == 2 and not said and len(error.splitlines()) == 1, "no progress: no work"
    for expected in (
        "--false-alarms never: give a number",
        "--hidden x: give sizes",
        "--allow-constant doves: no such counter",
        "no/m: No such file or directory; check the path",
        "none.csv: No such file or directory",
    ):
        assert expected in error
    code, _, error = inlier("evaluate", "a.pcap@nobody", "--false-alarms", "x", "--window", "1")
    assert code == 2 and "a.pcap: No such file" in error and "--device nobody" in error
    assert "--window 1: give" in error
    code, _, error = inlier("export", "none", "-o", "no/x", "--number", -1, "--key", "nokey")
    assert code == 2 and error.count("No such file") == 3 and "--number -1" in error


def test_every_constant_column_is_named_at_once(inlier, place):
    rows = np.random.default_rng(1).integers(0, 99, (400, len(Sockets.counters)))
    rows[:, [2, 5, 7]] = 0
    recordings.write(place / "c.csv", recordings.Recording(Sockets.counters, rows))
    names = [Sockets.counters[i] for i in (2, 5, 7)]
    code, _, error = inlier("train", "c.csv", "-o", "out")
    last = error.splitlines()[-1]
    assert code == 2 and "columns 'sends', 'connects_refused', 'accepts' are 0 in all" in last
    assert " ".join(f"--allow-constant {name}" for name in names) in last
    assert "thresholds" not in error and not Path("out").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk: needs root")
def test_a_disk_that_fills_leaves_what_was_there_and_says_what_helps(place):
    """Onto a disk of 64 KiB that holds a former file; in a mount namespace of
    its own, which ends with it. Each command that writes: test_full_disk.py.
    """
    script = """
        mount -t tmpfs -o size=64k tmpfs folder || exit 77
        echo former > folder/r.html; cp m.inlier folder/m; cp folder/r.html folder/s.csv
        head -c 70000 /dev/zero > folder/fill 2>/dev/null
        for command in "$@"; do
            timeout 200 $PYTHON -m inlier_host $command; echo "exit $?" >&2
        done
        cat folder/r.html; cmp folder/m m.inlier; ls -A folder
    """
    commands = [
        "report m.inlier --windows w.csv -o folder/r.html",
        "export m.inlier --key key -o folder/m",
        "record --window 10ms --count 3 -o folder/r.csv",
        "monitor p.inlier --save folder/t.csv --count 3",
        "train w.csv -o folder/m --module folder/mod.py",
    ]
    Path("key").write_text("00" * 32)
    hasty(place / "p.inlier")
    unshare = ["unshare", "--mount", "bash", "-c", script, "bash", *commands]
    done = subprocess.run(
        unshare, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr.split("inlier")[0]:
        pytest.skip(f"no disk of our own: {done.stderr[:80]}")
    said = [line for line in done.stderr.splitlines() if line.startswith(("inlier:", "exit"))]
    assert [line for line in said if line.startswith("exit")] == ["exit 2"] * len(commands), said
    assert sum("No space left on device" in line for line in said) == len(commands), said
    assert sum("free some space there" in line for line in said) == len(commands), said
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[0] == "former" and "differ" not in done.stdout
    left = set(done.stdout.split()[1:]) - {"m", "r.html", "s.csv", "fill"}
    assert left <= {"r.csv.part", "t.csv"}, "nothing half-made"


def hasty(path):
    from dataclasses import replace

    from inlier_export.model_file import pack
    from inlier_export.synthetic import random_detector

    detector = random_detector(3, counters=tuple(Procfs.counters))
    path.write_bytes(pack(replace(detector, source="procfs", window_ms=50)))


def test_an_error_of_the_system_says_what_happened_where_and_what_helps():
    import errno

    cases = [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; free some"),
        (FileNotFoundError(2, "No such file", b"a\xff"), "a\udcff: No such file; check the path"),
        (PermissionError(13, "Permission denied", "x"), "x: Permission denied; ask its owner"),
        (OSError("odd"), "odd; check the path"),
    ]
    for error, expected in cases:
        assert os_errors.said(error).startswith(expected), os_errors.said(error)
        assert ":;" not in os_errors.said(error)
    told = os_errors.said(PermissionError(13, "Permission denied", "x"), "the folder")
    assert told.startswith("the folder: Permission denied"), "who calls knows better where"


# What is read ------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_name_is_a_name_and_no_pattern(place, suffix):
    """Polars takes a path for one: other files were scored, without a word."""
    ours, theirs = np.full((3, 2), 7), np.full((9, 2), 1)
    recordings.write(place / f"x1{suffix}", recordings.Recording(("a", "b"), theirs))
    recordings.write(place / f"x[12]{suffix}", recordings.Recording(("a", "b"), ours))
    assert recordings.read(place / f"x[12]{suffix}", ("a", "b")).windows.tolist() == ours.tolist()
    recordings.write(place / "folder" / f"x{suffix}", recordings.Recording(("a", "b"), theirs))
    for name in ("folder", f"x*{suffix}", f"x?{suffix}"):
        with pytest.raises(BadInput, match="it is a folder|No such file"):
            recordings.read(place / name, ("a", "b")).windows


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("monitor", "m.inlier", "--replay", "folder"), "folder: it is a folder: name a recording"),
        (("train", "folder"), "folder: it is a folder: name a recording in it"),
        (("train", "/dev/zero"), "/dev/zero: it is a device or a socket: name a recording"),
        (("report", "nope"), "nope: No such file or directory; check the path"),
        (("report", "m.inlier", "--windows", "nope"), "nope: No such file or directory"),
        (("monitor", "nope", "--web"), "nope: No such file or directory; check the path"),
        (("monitor", GOLDEN, "--web"), "its source 'replay' does not count a whole"),
        (
            ("monitor", GOLDEN, "--source", "procfs", "--web"),
            "model is for source 'replay', this device counts 'procfs'",
        ),
        (("demo", "-o", "w.csv"), "w.csv: File exists; something else has that name"),
        (("bench", "--board", "pico_w"), "--board pico_w: choose one of qemu_m0, qemu_m3, qemu"),
        (
            ("emulate", "m.inlier", "--replay", "w.csv", "--board", "unix"),
            "--board unix: choose one of qemu_m0, qemu_m3, qemu_m33, qemu_rv32, pico, pico_w",
        ),
        (("deploy", "m.inlier", "--board", "pigeon"), "no board 'pigeon': choose one of"),
        (
            ("verify", "nope"),
            "no key: give --key or set INLIER_KEY, or say --allow-unsigned to check",
        ),
        (("verify", "nope"), "; and nope: No such file or directory; check the path"),
        (("verify", "--allow-unsigned", "/dev/zero"), "/dev/zero: it is a device or a socket"),
        (
            ("verify", "m.inlier", "--key", "/dev/zero"),
            "a device or a socket: name a key file",
        ),
        (("export", "/dev/zero", "-o", "x", "--key", "key"), "it is a device"),
        (("deploy", "/dev/zero"), "it is a device or a socket: name a model"),
        (("emulate", "folder", "--replay", "w.csv"), "it is a folder: name a model in it"),
        (("record", "--pcap", "/dev/zero", "--device", "1.2.3.4"), "it is a device"),
        (("record", "--port", "/dev/x", "--model", "/dev/zero"), "it is a device"),
        (("monitor", "m.inlier", "--replay", "head.csv"), "head.csv: it holds no window"),
        (("deploy", "m.inlier", "--replay", "head.csv"), "head.csv: it holds no window"),
        (("train", "head.csv"), "head.csv: it holds no window; record again"),
        (("monitor", "m.inlier", "--replay", "w.csv.gz"), "it is compressed: unpack it first"),
        (("monitor", "big"), "no model of inlier's has more than 64 MiB"),
    ],
)
def test_what_is_no_file_of_that_kind_is_refused_in_a_sentence(inlier, place, command, expected):
    Path("head.csv").write_text(HEADER + "\n")
    Path("key").write_text("00" * 32)
    Path("w.csv.gz").write_bytes(b"\x1f\x8b" + bytes(30))
    with open("big", "wb") as big:
        big.truncate(5 << 30)  # takes no room
    code, said, error = inlier(*command)
    assert code == 2 and not said and expected in error, error
    assert len(error.strip().splitlines()) == 1, "no progress, and no page's address before it"


def test_a_few_bytes_of_parquet_do_not_take_all_memory(place, monkeypatch):
    pl.DataFrame({"a": pl.zeros(100_000, pl.Int64, eager=True)}).write_parquet("bomb.parquet")
    monkeypatch.setattr(recordings, "ROWS_MAX", 50_000)
    with pytest.raises(BadInput, match="100000 windows, at most 50000 are read"):
        recordings.read(place / "bomb.parquet", ("a",)).windows


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_without_a_writer_is_waited_for_with_a_word_and_given_up(place, number):
    command = [sys.executable, "-m", "inlier_host", "monitor", "m.inlier", "--replay", "pipe"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert "pipe: a pipe: waiting for what is written" in process.stderr.readline()
        process.send_signal(number)
        _, error = process.communicate(timeout=HANGS_S)
    finally:
        process.kill()
    assert process.returncode == 130 and error.startswith("inlier: interrupted")


def test_what_comes_through_a_pipe_is_read_as_a_file_is(inlier, place):
    expected = inlier("monitor", "m.inlier", "--replay", "w.csv", "--json")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(Path("w.csv").read_bytes()))
    writer.start()
    assert inlier("monitor", "m.inlier", "--replay", "pipe", "--json") == expected
    writer.join(HANGS_S)
    Path("key").write_text("00" * 32)
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(MODEL.read_bytes()))
    writer.start()  # once: a model that is read twice would wait for ever
    assert inlier("export", "pipe", "-o", "signed", "--key", "key")[0] == 0
    writer.join(HANGS_S)
    signed = Path("signed").read_bytes()
    writer = threading.Thread(target=lambda: Path("pipe").write_text("00" * 32))
    writer.start()  # once, too
    number = str(authentic.number(signed))
    done = inlier("export", MODEL, "-o", "again", "--key", "pipe", "--number", number)
    assert done[0] == 0 and Path("again").read_bytes() == signed
    writer.join(HANGS_S)


@pytest.mark.slow
def test_a_file_name_that_is_no_text_works_in_every_command(place):
    raw = os.fsencode(place) + b"/w\xff.csv"
    shutil.copy("w.csv", raw)
    commands = [
        [b"monitor", b"m.inlier", b"--replay", raw],
        [b"report", b"m.inlier", b"--windows", raw, b"-o", b"r\xff.html"],
        [b"verify", b"--allow-unsigned", b"m\xff"],
        [b"train", raw, b"-o", b"o\xff"],
    ]
    shutil.copy("m.inlier", b"m\xff")
    for command in commands:
        for environment in ({}, {"PYTHONUTF8": "0", "LC_ALL": "C"}):
            done = subprocess.run(
                [sys.executable, "-m", "inlier_host", *command],
                env={**os.environ, **environment},
                capture_output=True, timeout=HANGS_S, check=False,
            )  # fmt: skip
            expected = 2 if command[0] == b"train" else 0  # 59 windows are too few
            assert done.returncode == expected and b"Traceback" not in done.stderr, done.stderr
    assert os.path.exists(b"r\xff.html")


def test_cells_headers_and_names_reach_the_terminal_escaped(inlier, place):
    rows = Path("w.csv").read_text().splitlines()
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    Path("cell.csv").write_text("\n".join([*rows[:3], evil + rows[3]]) + "\n")
    Path("head.csv").write_text("\n".join([rows[0] + f",{evil}", rows[1] + ",1"]) + "\n")
    Path(f"{evil}[red].csv").write_text("a\n1\n")
    for name in ("cell.csv", "head.csv", f"{evil}[red].csv"):
        code, out, error = inlier("monitor", "m.inlier", "--replay", name)
        assert code == 2 and not out
        assert error.removesuffix("\n").isprintable(), repr(error)
    shutil.copy("m.inlier", f"{evil}.inlier")
    code, out, _ = inlier("verify", "--allow-unsigned", f"{evil}.inlier")
    assert code == 0 and out.removesuffix("\n").isprintable(), repr(out)


def test_a_file_s_name_is_no_markup_of_the_progress(capsys):
    with bars() as progress:
        progress("[red]x.pcap", 1, 1)
    assert "[red]x.pcap" in capsys.readouterr().err


def test_printable_text_stays_as_it_is_and_nothing_else_does():
    assert printable("Tür 3: 20 % – ok 漢字") == "Tür 3: 20 % – ok 漢字"
    assert printable("a\x1b[31m\n\ud800\u202e\x9b") == r"a\x1b[31m\n\ud800\u202e\x9b"
    assert printable("a" * 50, 40) == "a" * 40 + "…"
    assert printable("a" * 40, 40) == "a" * 40


# Options -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("record", "--port", "p", "--pcap", "x"), "--port makes nothing of --pcap"),
        (("record", "--model", "m.inlier"), "without --port nothing is made of --model"),
        (("record", "--ring", "r", "--restart"), "--ring makes nothing of --restart"),
        (("record", "--device", "1.2.3.4"), "without --pcap nothing is made of --device"),
        (("record", "--pcap", "x", "--device", "a", "--count", 3), "--pcap makes nothing of --cou"),
        (("record", "--port", "p", "--window", "1s"), "--port makes nothing of --window"),
        (("record", "--port", "p", "--ring", "r", "--count", 3), "--ring makes nothing of --count"),
        (("monitor", "m.inlier", "--port", 80), "without --web nothing is made of --port"),
        (("monitor", "--serial", "p", "--source", "x"), "--serial makes nothing of --source"),
        (("monitor", "m.inlier", "--replay", "w.csv", "--source", "x"), "--replay makes nothing"),
    ],
)
def test_no_option_wins_silently_over_another(inlier, place, command, expected):
    code, said, error = inlier(*command)
    assert code == 2 and not said and expected in error and len(error.splitlines()) == 1


def test_a_replay_ends_after_so_many_windows(inlier, place):
    code, out, _ = inlier("monitor", "m.inlier", "--replay", "w.csv", "--json", "--count", 5)
    assert code == 0 and [json.loads(line)["index"] for line in out.splitlines()] == list(range(5))


def test_a_model_whose_metadata_is_none_is_refused_in_a_sentence(inlier, place):
    from inlier.model import crc32

    golden = Path(GOLDEN).read_bytes()
    at = golden.rindex(b"\0", 0, -4) + 1
    body = golden[:at] + b"[" * (len(golden) - 4 - at)
    Path("odd").write_bytes(body + crc32(body).to_bytes(4, "little"))
    Path("key").write_text("00" * 32)
    for command in (("export", "odd", "-o", "x", "--key", "key"),
                    ("emulate", "odd", "--replay", "w.csv")):  # fmt: skip
        refused(inlier(*command), "odd: model's training metadata is no JSON object")


@pytest.mark.filterwarnings("error")
def test_lines_that_hold_nothing_are_refused_without_a_warning_before(place):
    """NumPy's, of a table that begins with a line without a cell."""
    for text in ("a\n\n", "a\n\r\n\r\n", "a,b\n\n\n"):
        Path("blank.csv").write_text(text, newline="")
        with pytest.raises(BadInput, match="line 2, column 'a' is empty"):
            recordings.read(place / "blank.csv", tuple(text.split("\n")[0].split(","))).windows


def test_a_refusal_stays_a_sentence_whatever_is_in_the_table(place):
    Path("long.csv").write_text("\n" + "a" * 3000 + '\n"')
    with pytest.raises(BadInput, match="not a readable table") as refusal:
        recordings.read(place / "long.csv", ("a", "b")).windows
    assert len(str(refusal.value)) < 500
