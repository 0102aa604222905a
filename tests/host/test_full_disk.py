"""A disk that fills while a command writes: one sentence, exit code 2, what was
there is whole, and no half file is left beside it.

The disk is this process's limit of the size of files: everybody may lower it,
and a write beyond it fails as on a full disk, at the byte that is wanted.
"""

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from device_of_tests import benign
from inlier.line import seal
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import payload
from inlier_boards.selfcheck import kills
from inlier_export.errors import BadInput
from inlier_host.demo import stages
from inlier_trainer import learn, recordings
from inlier_trainer.about import About
from inlier_trainer.files import check_output, write_atomic
from test_hostile_files import MODEL, WINDOWS, hasty
from test_payload import PICO
from test_pcap import DEVICE, pcap, talk

FORMER = b"former"
TOO_LARGE = "allows no file as large: name another place"
EARLY, LATE = 0, 1024  # bytes: nothing can be written; what check_output tries, and no more


@contextlib.contextmanager
def room(octets):
    """No file grows beyond so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.inlier").write_bytes(MODEL.read_bytes())
    Path("w.csv").write_bytes(WINDOWS.read_bytes())
    Path("key").write_text("00" * 32)
    Path("c.pcap").write_bytes(pcap([*talk(), (5000, talk()[0][1])]))
    Path("fleet").mkdir()
    about = About("sockets", 10_000, "bell1", clock="2026-02-01T00:00:00Z")
    recordings.write(Path("f.csv"), recordings.Recording(Sockets.counters, benign(400), about))
    head = seal(f"~b 1000 sockets {','.join(Sockets.counters)}")
    counted = ",".join("0" * len(Sockets.counters))
    lines = [head, *(seal(f"~w 1 {i} 1 {counted}") for i in range(200))]
    Path("ring.0").write_text("\n".join(lines) + "\n")
    for name in ("out", "also"):
        Path(name).write_bytes(FORMER)
    return tmp_path


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ended(result, expected):
    """Of progress that was shown the last line is the sentence."""
    code, said, error = result
    assert code == 2 and not said, (code, said, error)
    last = error.splitlines()[-1]
    assert last.startswith("inlier: ") and expected in last and "Traceback" not in error, error


TRAIN = ("train", "t.csv", "-o", "out")
COMMANDS = [
    TRAIN,
    (*TRAIN, "--module", "also"),
    ("export", "m.inlier", "--key", "key", "-o", "out"),
    ("export", "m.inlier", "--module", "out"),
    ("export", "m.inlier", "--c-header", "out"),
    ("report", "m.inlier", "--windows", "w.csv", "-o", "out"),
    ("record", "--pcap", "c.pcap", "--device", DEVICE, "-o", "new.csv"),
    ("record", "--pcap", "c.pcap", "--device", DEVICE, "--window", "100ms", "-o", "new.parquet"),
    ("bench", "--board", "qemu_m0", "--table", "out"),
    ("fleet", "ingest", "f.csv", "-o", "fleet", "--type", "bell", "--workers", "0"),
]  # fmt: skip


@pytest.fixture
def quick(monkeypatch, trained):
    """What takes long is done at once: it writes nothing."""
    from inlier_boards.cost import bench, table

    learned = learn.Learned(trained, [], 0, trained.detector)
    monkeypatch.setattr(learn, "learn", lambda *_: learned)
    monkeypatch.setattr(bench, "measure", lambda name, progress: [])
    monkeypatch.setattr(table, "table", lambda *_: "a board\n" * 1000)
    Path("t.csv").write_bytes(Path("f.csv").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_what_was_there_is_whole(inlier, place, quick, command):
    before = files(place)
    with room(LATE):
        ended(inlier(*command), TOO_LARGE)
    assert files(place) == before
    assert inlier(*command)[0] == 0, "with room it does what it was asked for"


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c[0] != "fleet"], ids=lambda command: " ".join(command[:3])
)
def test_a_disk_that_is_full_before_is_said_before_the_work(inlier, place, command, monkeypatch):
    """Nothing is patched, and no test waits for a fit or a bench."""
    Path("t.csv").write_bytes(Path("f.csv").read_bytes())
    before = files(place)
    with room(EARLY):
        code, said, error = inlier(*command)
    assert code == 2 and not said and len(error.splitlines()) == 1, "no progress: no work"
    assert TOO_LARGE in error and files(place) == before


def test_a_demonstration_says_it_before_it_records(inlier, place, monkeypatch):
    monkeypatch.setattr(stages, "interpreter", lambda say: pytest.fail("it began"))
    Path("run").mkdir()
    Path("run/windows.csv").write_bytes(FORMER)
    before = files(place)
    with room(EARLY):
        ended(inlier("demo", "-o", "run"), TOO_LARGE)
    assert files(place) == before


@pytest.mark.parametrize(
    "command",
    [("record", "--window", "10ms", "--count", 2000), ("record", "--ring", "ring")],
    ids=["this machine", "ring"],
)
def test_what_was_recorded_until_then_is_kept_and_said(inlier, place, command):
    before = files(place)
    with room(3 * LATE):
        ended(inlier(*command, "-o", "new.csv"), "windows, which are in new.csv.part")
    left = files(place)
    part = left.pop(place / "new.csv.part")
    assert left == before and len(part) <= 3 * LATE and part.count(b"\n") > 10


def test_a_ring_is_taken_up_where_the_disk_was_full(inlier, place):
    with room(3 * LATE):
        assert inlier("record", "--ring", "ring", "-o", "new.csv")[0] == 2
    assert inlier("record", "--ring", "ring", "-o", "new.csv")[0] == 0
    marks = recordings.table(Path("new.csv")).board_recording().marks
    assert marks.tolist() == [[1, i, 1] for i in range(200)], "each window once"


@pytest.mark.slow
def test_windows_that_were_saved_are_kept_and_counted(inlier, place):
    hasty(Path("here.inlier"))
    with room(2 * LATE):
        code, said, error = inlier("monitor", "here.inlier", "--save", "new.csv", "--count", 500)
    told, sentence = error.splitlines()[-2:]
    assert code == 2 and "Traceback" not in error, error
    assert sentence.startswith("inlier: new.csv: ") and TOO_LARGE in sentence
    rows = Path("new.csv").read_text().splitlines()[2:-1]  # the last one was cut
    assert told.endswith(f"new.csv: {len(rows)} windows, the first of them window 0")
    assert len(rows[0].split(",")) == 3 + len(Procfs.counters)


def test_files_of_a_store_are_read_again_when_there_is_room(inlier, place):
    command = ("fleet", "ingest", "f.csv", "-o", "fleet", "--type", "bell", "--workers", "0")
    with room(LATE):
        assert inlier(*command)[0] == 2
    code, said, error = inlier(*command)
    assert code == 0 and "400 new" in said, said + error


def test_in_parts_too_a_result_is_written_whole_or_not_at_all(place):
    """Such as a recording of gigabytes."""
    with room(LATE), pytest.raises(OSError, match="out"):
        write_atomic(Path("out"), (b"x" * 300 for _ in range(9)))
    assert Path("out").read_bytes() == FORMER
    with room(EARLY), pytest.raises(BadInput, match=f"out: .*{TOO_LARGE}"):
        check_output(Path("out"))


def test_results_that_are_printed_onto_a_full_disk_are_missed(place):
    """As of `inlier evaluate --json > results.json`."""
    command = [sys.executable, "-m", "inlier_host", "verify", "--allow-unsigned", "m.inlier"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("inlier: No space left on device; free")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.micropython
def test_what_is_copied_onto_a_board_needs_no_room_here():
    """Of a file that does not fit mpy-cross writes a part, and says nothing."""
    paths = [payload.FIRMWARE / "inlier/model.py"]
    compiler = payload._compiler(PICO.mpy, lambda step: None)
    if compiler is None:
        pytest.skip("its mpy-cross writes another version")
    whole = payload.compiled(compiler, read_board("pico_w").mpy_arch, paths)
    with room(EARLY):
        assert payload.compiled(compiler, read_board("pico_w").mpy_arch, paths) == whole
    assert whole["inlier/model.mpy"].startswith(b"M\x06")


def test_the_selfcheck_blames_no_runtime_for_a_full_disk(monkeypatch):
    """Of which the folder of temporary files is."""
    written = kills.model_file

    def and_no_more(folder, blob):
        path = written(folder, blob)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(blob), resource.RLIM_INFINITY))
        return path

    monkeypatch.setattr(kills, "model_file", and_no_more)
    monkeypatch.setattr(kills, "KINDS", ("update",))
    monkeypatch.setattr(kills, "LIFE_MS", 1_000_000)  # it ends by itself
    with room(1 << 20), pytest.raises(OSError, match="File too large"):
        kills.run("cpython", 1)
