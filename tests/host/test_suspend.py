"""`inlier monitor` on a machine that is suspended, whose process is stopped,
whose clocks step and whose kernel's counters begin again: windows go on, one
after the other, and none of it looks like traffic.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from inlier import ticker
from inlier.pipeline import Pipeline
from inlier.procfs import Procfs
from inlier_boards.leash import leashed
from inlier_export.model_file import read_model
from inlier_host import this_machine
from inlier_trainer import record
from inlier_trainer.recordings import read
from test_hostile_files import hasty

WINDOW_MS = 50  # of hasty's model
A_DAY_S = 86_400
RATE = 1000  # bytes a window, so that the mean of any number of them is that
SNMP = "Tcp: ActiveOpens\nTcp: %d\n"


class Machine:
    """Clocks and /proc/net of a machine that sends RATE bytes and begins one
    connection a window, while it is awake.

    happens: number of a sleep -> what happens in it.
    """

    def __init__(self, folder, monkeypatch, happens):
        self.folder, self.happens = folder, happens
        self.monotonic_ms, self.wall_s = 1_000_000, 1_800_000_000.0
        self.sleeps = 0
        self.dev = {"eth0": 5_000_000.0}  # counted before the monitor began
        self.connections = 70_000
        self.write()
        clocks = {
            "monotonic_ns": lambda: int(self.monotonic_ms) * 1_000_000,
            "time": lambda: self.wall_s,  # whoever reads it is found out
        }
        monkeypatch.setattr(ticker, "time", SimpleNamespace(**clocks))
        monkeypatch.setattr(ticker, "sleep_ms", self.sleep_ms)
        monkeypatch.setattr(time, "time", clocks["time"])

    def write(self):
        lines = [
            f"{name}: {int(n)} {int(n) // 100} 0 0 0 0 0 0 9 9\n" for name, n in self.dev.items()
        ]
        (self.folder / "dev").write_text("".join(lines))
        (self.folder / "snmp").write_text(SNMP % self.connections)

    def passes(self, ms):
        self.monotonic_ms += ms
        self.wall_s += ms / 1000
        for name in self.dev:
            self.dev[name] += RATE * ms / WINDOW_MS
        self.connections += ms // WINDOW_MS
        self.write()

    def sleep_ms(self, ms):
        self.sleeps += 1
        self.passes(ms)
        self.happens.get(self.sleeps, lambda machine: None)(self)
        return asyncio.sleep(0)


def stopped(machine):
    """SIGSTOP, a debugger, a machine that swaps: 20 windows without us."""
    machine.passes(20 * WINDOW_MS)


def suspended(machine):
    """To RAM: neither CLOCK_MONOTONIC nor a counter goes on; the wall clock
    does.
    """
    machine.wall_s += A_DAY_S / 3


def suspended_where_the_clock_goes_on(machine):
    """As a virtual machine that is paused, or moved to another host."""
    machine.monotonic_ms += 3_600_000
    machine.wall_s += 3600


def set_back(machine):
    machine.wall_s -= 400 * A_DAY_S


def set_ahead(machine):
    machine.wall_s += 400 * A_DAY_S


def counters_reset(machine):
    """A driver that is loaded again, and a network namespace that is left."""
    machine.dev["eth0"] = 0.0
    machine.connections = 0
    machine.write()


def interface_gone(machine):
    del machine.dev["eth0"]
    machine.write()


def interface_back(machine):
    """With all that it has ever counted."""
    machine.dev["eth0"] = 9_000_000_000.0
    machine.write()


def unreadable(machine):
    """Until the next sleep is over."""
    (machine.folder / "snmp").unlink()


def machine_of(folder, monkeypatch, happens):
    folder.mkdir()
    return Machine(folder, monkeypatch, happens)


def watched(model, machine, count):
    """Of each window what it counted, (bytes in, connections), and the scores."""
    source = Procfs(str(machine.folder))
    pipeline = Pipeline(read_model(model, source.name, source.counters), source)
    counted, scored = [], []

    def each(window):
        counted.append((pipeline.deltas[0], pipeline.deltas[4]))
        scored.append(window)

    this_machine.live((pipeline, source), count, each)
    return counted[:count], scored[:count]  # time that takes none runs ahead


CALM = (RATE, 1)


@pytest.mark.parametrize(
    ("happens", "odd"),
    [
        ({5: stopped}, {}),  # a mean window
        ({5: suspended}, {}),
        ({5: suspended, 6: suspended, 9: stopped}, {}),
        ({5: suspended_where_the_clock_goes_on}, {4: (0, 0)}),  # an hour's mean, and no burst
        ({5: set_back, 9: set_ahead}, {}),
        ({5: set_ahead, 9: set_back}, {}),
        # What it had counted when it was reset is unknown: of an interface it
        # is nothing, of the rest what the window before had.
        ({5: counters_reset}, {4: (0, 1)}),
        ({5: interface_gone, 8: interface_back}, dict.fromkeys((4, 5, 6, 7), (0, 1))),
        ({5: unreadable}, {}),  # waited for: the mean of two
    ],
)
def test_windows_go_on_and_nothing_looks_like_traffic(tmp_path, monkeypatch, happens, odd):
    hasty(tmp_path / "m")
    counted, scored = watched(
        tmp_path / "m", machine_of(tmp_path / "net", monkeypatch, happens), 12
    )
    assert counted == [odd.get(i, CALM) for i in range(12)]
    assert [window["index"] for window in scored] == list(range(12))
    if not odd:
        calm = machine_of(tmp_path / "calm", monkeypatch, {})
        assert scored == watched(tmp_path / "m", calm, 12)[1], "to the integer"


def test_a_source_that_cannot_be_read_is_said_once(tmp_path, monkeypatch, capsys):
    hasty(tmp_path / "m")
    happens = {5: unreadable, 8: unreadable}
    watched(tmp_path / "m", machine_of(tmp_path / "net", monkeypatch, happens), 12)
    assert capsys.readouterr().err.count("source failed") == 1


@pytest.mark.parametrize(
    ("happens", "elapsed"),
    [({3: stopped}, [1, 1, 23, 1, 1, 1]), ({3: suspended, 4: set_back}, [1] * 6)],
)
def test_a_recording_says_which_window_is_a_mean(tmp_path, monkeypatch, happens, elapsed):
    machine = machine_of(tmp_path / "net", monkeypatch, happens)
    source = Procfs(str(machine.folder))
    record.record(source, WINDOW_MS, 6, tmp_path / "w.csv", lambda *_: None)
    recorded = read(tmp_path / "w.csv", Procfs.counters)
    assert recorded.marks[:, 2].tolist() == elapsed
    assert recorded.windows[:, 0].tolist() == [RATE] * 6


@pytest.mark.slow
def test_a_process_that_is_stopped_goes_on_where_it_was(tmp_path):
    """SIGSTOP for real: how long is no matter, and nothing is missing."""
    hasty(tmp_path / "m")
    command = [sys.executable, "-m", "inlier_host", "monitor", str(tmp_path / "m")]
    process = subprocess.Popen(
        leashed([*command, "--json", "--count", "20"]), stdout=subprocess.PIPE, text=True
    )
    said = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGSTOP)
    time.sleep(10 * WINDOW_MS / 1000)
    process.send_signal(signal.SIGCONT)
    said += process.stdout.read().splitlines()
    assert process.wait() == 0
    assert [json.loads(line)["index"] for line in said] == list(range(20))
