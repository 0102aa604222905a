"""A file that a command is told to read is a file, or a pipe once something is
in it, and no longer than such a file may be.
"""

import os
import re
import threading
import time
from pathlib import Path

import pytest

from broker import HANGS_S
from inlier_export import inputs
from inlier_export.errors import BadInput
from inlier_export.inputs import check_input, open_input, read_input

LIMIT = 3 * 1024 * 1024


@pytest.fixture
def sized(tmp_path):
    def make(size):
        path = tmp_path / "w.csv"
        with path.open("wb") as file:
            file.truncate(size)  # takes no room
        return path

    return make


def test_a_file_may_be_as_long_as_the_limit_and_not_a_byte_longer(sized):
    assert len(read_input(sized(LIMIT), LIMIT)) == LIMIT
    assert inputs.MIB == 1024 * 1024
    path = sized(LIMIT + 1)
    too_long = f"{path}: no model of inlier's has more than 3 MiB: name another one"
    with pytest.raises(BadInput, match=re.escape(too_long)):
        open_input(path, LIMIT, "model")
    with open_input(path, None) as file:  # a capture is as long as it is
        assert len(file.read()) == LIMIT + 1


@pytest.fixture
def pipe(tmp_path):
    """write(before): a pipe, into which a thread writes after `before`
    returned.
    """
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writers = []

    def write(before=lambda: None):
        def run():
            before()
            path.write_bytes(b"content")

        writers.append(threading.Thread(target=run, daemon=True))
        writers[0].start()
        return path

    yield write
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a writer that found none goes on
    for writer in writers:
        writer.join(HANGS_S)
    os.close(reader)


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        (inputs.MODEL_MAX, "model of inlier's has more than 64 MiB"),
        (inputs.RECORDING_MAX, "recording of inlier's has more than 1024 MiB"),
        (inputs.TEXT_MAX, "summary of inlier's has more than 16 MiB"),
    ],
)
def test_how_long_each_kind_may_be_is_said(sized, limit, what):
    with pytest.raises(BadInput, match=what):
        open_input(sized(limit + 1), limit, what.split()[0])


@pytest.mark.filterwarnings("error")
def test_a_file_that_is_refused_is_closed(sized):
    with pytest.raises(BadInput):
        open_input(sized(11), 10)


def test_a_size_that_shows_only_while_it_is_read_is_bounded(pipe):
    """/proc says of its files that they have no bytes, as a pipe does."""
    with pytest.raises(BadInput, match="has more than 0 MiB"):
        read_input(pipe(), len(b"content") - 1)
    path = Path("/proc/version")
    content = path.read_bytes()
    assert read_input(path, len(content)) == content
    with pytest.raises(BadInput, match="has more than 0 MiB"):
        read_input(path, len(content) - 1)


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "w.csv"
    path.write_bytes(b"x")
    check_input(path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    monkeypatch.setattr(os, "open", None)
    for name, why in (
        (path, "Permission denied; ask its owner"),
        (tmp_path, "it is a folder: name a model in it"),
        (Path("/dev/zero"), "it is a device or a socket: name a model"),
        (tmp_path / "none", "No such file or directory; check the path"),
        (Path("a\0b"), "no file can have that name; check the path"),
    ):
        for refuses in (check_input, lambda path, what: open_input(path, LIMIT, what)):
            with pytest.raises(BadInput, match=f"^{re.escape(str(name))}: {why}"):
                refuses(name, "model")


def test_what_became_a_device_after_it_was_looked_at_is_refused_too(monkeypatch):
    monkeypatch.setattr(inputs, "check_input", lambda path, what: None)
    with pytest.raises(BadInput, match="it is a device"):
        open_input(Path("/dev/null"), LIMIT)
    with pytest.raises(BadInput, match="No such file or directory"):
        open_input(Path("/no/such"), LIMIT)


def test_a_file_that_can_not_be_read_says_what_helps():
    with pytest.raises(BadInput, match=r"^/proc/self/mem: Input/output error; the disk or"):
        read_input(Path("/proc/self/mem"), LIMIT)  # nothing lies at its byte 0


def test_of_a_pipe_whose_writer_is_there_nothing_is_said(pipe, capsys):
    with open_input(pipe(), LIMIT) as file:
        assert os.get_blocking(file.fileno()), "what comes later is waited for"
        assert file.read() == b"content"
    assert capsys.readouterr() == ("", "")


def test_a_pipe_without_a_writer_is_waited_for_with_a_word(pipe, monkeypatch):
    said, told = [], threading.Event()

    class Terminal:
        def write(self, text):
            said.append(text)
            told.set()

    monkeypatch.setattr(inputs.sys, "stderr", Terminal())
    monkeypatch.setattr(inputs, "WAIT_S", 0.01)

    def late():
        told.wait(HANGS_S)
        time.sleep(0.1)  # who does not wait has read nothing by now

    assert read_input(pipe(late), LIMIT) == b"content"
    assert "pipe: a pipe: waiting for what is written into it; Ctrl-C ends" in "".join(said)
