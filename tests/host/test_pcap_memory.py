"""However long a capture is, the memory that it takes stays the same."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from inlier_host import cli
from inlier_trainer import evaluate
from inlier_trainer.pcap import count, reader, tally
from inlier_trainer.recordings import table
from test_pcap import DEVICE, TALK, block, counted, framed, pcap, pcapng, talk

nightly = pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")


def test_windows_come_out_as_they_were_counted_whatever_the_order(monkeypatch):
    monkeypatch.setattr(tally, "BLOCK", 8)
    monkeypatch.setattr(tally, "OPEN_MAX", 2)
    rng = np.random.default_rng(3)
    expected, counts = np.zeros((400, 3), np.int64), tally.Tally(3)
    assert counts.length == 0 and not list(counts.parts()), "no window yet"
    counts.length = 397  # which fills no block
    for _ in range(200):
        window = rng.integers(0, 397, 5)
        column, amounts = int(rng.integers(3)), rng.integers(-(1 << 62), 1 << 62, 5) >> 20
        counts.add(window, column, amounts)
        np.add.at(expected[:, column], window, amounts)
        counts.add(window, slice(None), np.ones((5, 3), np.int64))
        np.add.at(expected, window, 1)
        assert len(counts._open) <= 2, "an open block takes its whole memory"
    assert len(counts._open) == 2
    assert (np.concatenate(list(counts.parts())) == expected[:397]).all()


def test_silence_takes_no_memory():
    counts = tally.Tally(19)
    for at in (0, count.WINDOWS_MAX - 1):
        counts.length = at + 1
        counts.add(np.array([at]), 4, 1)
    assert len(counts._open) + len(counts._packed) == 2, "of a thousand blocks"
    assert sum(int(part[:, 4].sum()) for part in counts.parts()) == 2


def test_busy_windows_that_are_past_take_a_fifth_of_their_memory():
    rng = np.random.default_rng(4)
    counts = tally.Tally(19)
    n = 40 * tally.BLOCK
    for start in range(0, n, tally.BLOCK):
        counts.length = start + tally.BLOCK
        rows = rng.poisson(2, (tally.BLOCK, 19))
        counts.add(np.arange(start, counts.length), slice(None), rows)
    packed = sum(map(len, counts._packed.values()))
    assert len(counts._packed) == 40 - tally.OPEN_MAX
    assert packed < len(counts._packed) * tally.BLOCK * 19 * 8 / 5


def test_a_flood_of_senders_does_not_fill_the_memory_of_who_was_busiest(tmp_path, monkeypatch):
    monkeypatch.setattr(count, "SENDERS_MAX", 3)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 300)
    packets = [(i / 10, bytes(12) + bytes(20)) for i in range(3)]
    packets += [(1 + i / 10, bytes(10) + struct.pack(">H", i) + bytes(20)) for i in range(40)]
    with pytest.raises(BadInput, match="in 43; the busiest") as caught:
        counted(tmp_path, pcap(packets))
    assert "00:00:00:00:00:00 (4 packets)" in str(caught.value)
    assert str(caught.value).count(" (1 packet)") == 2


def test_interfaces_without_end_are_damage(tmp_path):
    one = block("<", 1, struct.pack("<HHI", 1, 0, 0))
    content = pcapng(talk()) + one * reader.INTERFACES_MAX
    result = counted(tmp_path, content)
    assert "an interface beyond 4096" in result.broken and result.packets == 9


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pcap([]), "it holds no packet; capture again"),
        (pcap([(0, bytes(40))])[:-3], "the last packet is cut"),
    ],
)
def test_a_capture_without_packets_says_so_and_no_senders(tmp_path, content, said):
    with pytest.raises(BadInput) as caught:
        counted(tmp_path, content)
    assert said in str(caught.value) and "senders" not in str(caught.value)
    assert str(caught.value).endswith("capture again")


def recorded(path, out, monkeypatch):
    command = ["record", "--pcap", str(path), "--device", DEVICE, "--window", "1s", "-o", str(out)]
    monkeypatch.setattr("sys.argv", ["inlier", *command, "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    return out.read_bytes()


@pytest.mark.parametrize("content", [pcap(talk()), pcap(talk())[:-3]], ids=["whole", "cut"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_recording_that_is_written_in_parts_is_the_same(tmp_path, monkeypatch, content, suffix):
    path = tmp_path / "capture"
    path.write_bytes(content)
    once = recorded(path, tmp_path / f"once.{suffix}", monkeypatch)
    monkeypatch.setattr(tally, "BLOCK", 4)
    parts = recorded(path, tmp_path / f"parts.{suffix}", monkeypatch)
    if suffix == "csv":
        assert parts == once and once.count(b"\n") > 20
    found = [table(tmp_path / f"{name}.{suffix}") for name in ("once", "parts")]
    assert found[0].names == found[1].names and found[0].about == found[1].about
    for once_, parts_ in zip(*(t.columns.values() for t in found), strict=True):
        assert (once_ == parts_).all()


def long_capture(path: Path, packets: int, apart_s: int) -> None:
    """The same talk over and over, windows of silence between."""
    frames = [(seconds, framed(1, packet, sent)) for seconds, packet, sent in TALK]
    with path.open("wb") as file:
        file.write(pcap([]))
        for start in range(0, packets // len(frames), 5000):
            out = io.BytesIO()
            for i in range(start, start + 5000):
                for seconds, data in frames:
                    at = 1_000_000_000 + i * apart_s + int(seconds)
                    out.write(struct.pack("<IIII", at, 0, len(data), len(data)) + data)
            file.write(out.getvalue())


def peak_mib(*arguments) -> float:
    """Of one `inlier`, which must end well."""
    command = [sys.executable, "-m", "inlier_host", *map(str, arguments)]
    process = subprocess.Popen(leashed(command), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


@nightly
@pytest.mark.parametrize(("suffix", "most"), [("csv", 150), ("parquet", 175)])
def test_a_recording_of_five_times_as_many_packets_takes_the_same_memory(tmp_path, suffix, most):
    """A million, then five: 781,250 windows of a minute."""
    path, taken = tmp_path / "long.pcap", []
    for packets in (1_000_000, 5_000_000):
        long_capture(path, packets, 75)
        out = tmp_path / f"{packets}.{suffix}"
        options = ("--device", DEVICE, "--window", "1m", "-o", out)
        taken.append(peak_mib("record", "--pcap", path, *options))
    print([f"{mib:.0f} MiB" for mib in taken])
    assert max(taken) < most and taken[1] - taken[0] < 30


@nightly
def test_an_evaluation_takes_the_memory_of_its_windows_however_many_packets_they_hold(tmp_path):
    """25,000 windows, of a million packets and of five."""
    path, taken = tmp_path / "long.pcap", []
    for packets, window in ((1_000_000, "10s"), (5_000_000, "50s")):
        long_capture(path, packets, 2)
        taken.append(peak_mib("evaluate", f"{path}@{DEVICE}", "--window", window))
    print([f"{mib:.0f} MiB" for mib in taken])
    assert max(taken) < 150 and taken[1] - taken[0] < 30


def test_an_evaluation_holds_windows_in_half_the_memory_and_those_of_long_silence_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tally, "BLOCK", 8)
    path = tmp_path / "capture"
    later = [(seconds + 90_000, packet, sent) for seconds, packet, sent in TALK]
    path.write_bytes(pcap([*talk(), *((s, framed(1, p, sent)) for s, p, sent in later)]))
    whole = count.count(path, DEVICE, 1000)
    found = evaluate.read(path, DEVICE, 1000, lambda *stage: None)
    kept = evaluate.awake(whole.seen, 1000)
    assert found.windows.dtype == np.int32 and (found.windows == whole.windows[kept]).all()
    assert found.left_out == len(whole) - len(kept) > 86_400
