"""How a stage's work is cut, and when it counts as done."""

import subprocess
import sys

import pytest

from inlier_boards.leash import leashed
from inlier_trainer.fleet import engine
from inlier_trainer.fleet.store import Store


def batches(items, workers, each_s):
    """Sizes, of items that take this long each."""
    cut = engine.Cut(items, workers)
    found = []
    while batch := cut.next():
        assert batch.start == sum(found)
        found.append(len(batch))
        cut.took(each_s)
    return found


@pytest.mark.parametrize(
    ("items", "workers", "each_s", "first", "most"),
    [
        (10_000, 2, 0.005, 1, 200),  # a day of a device each: a second of work
        (10_000, 2, 0.0, 1, 2500),  # no time at all: still cut among the workers
        (4, 2, 30.0, 1, 1),  # a fit of a type each
        (1, 8, 1.0, 1, 1),
    ],
)
def test_a_batch_is_a_second_of_work_and_less_towards_the_end(items, workers, each_s, first, most):
    sizes = batches(items, workers, each_s)
    assert sum(sizes) == items and sizes[0] == first and max(sizes) <= most
    assert sizes[-1] == 1, "all workers end together"
    if each_s == 0.005:
        assert max(sizes) == most and len(sizes) < 120


def test_no_item_makes_no_batch():
    assert not engine.Cut(0, 2).next()


def test_what_was_done_is_done_again_only_where_its_result_is_gone_or_was_emptied(tmp_path):
    """As a power cut leaves it, which nothing waits for; and so what it told."""
    store, times = Store(str(tmp_path)), []

    def work():
        times.append(1)
        store.write("result", b"all of it", settled=False)
        return {"told": 7}

    def once(key="key"):
        return engine.once(store, "stage", "name", key, work, "result")

    assert once() == {"told": 7} and once() == {"told": 7, "again": True}
    (tmp_path / "result").write_bytes(b"")
    assert once() == {"told": 7} and store.read("result") == b"all of it"
    (tmp_path / "result").unlink()
    once()
    (tmp_path / "done/stage/name.json").write_bytes(b"")
    once()
    once("another key")
    assert len(times) == 5 and once("another key")["again"]


DIES_WRITING = """
import os, sys, time
from inlier_trainer.fleet.store import Store
os.fsync = lambda descriptor: (print("writing", flush=True), time.sleep(86_400))
Store(sys.argv[1]).write("models/bell.sample", b"half of it")
"""


def test_what_a_killed_process_was_writing_is_no_file_of_the_store(tmp_path):
    command = leashed([sys.executable, "-c", DIES_WRITING, tmp_path])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"writing\n"
        killed.kill()
    store = Store(str(tmp_path))
    left = [path.name for path in (tmp_path / "models").iterdir()]
    assert len(left) == 1 and left[0].startswith(".") and store.names("models") == []
    store.write("models/bell.sample", b"all of it")
    assert store.names("models") == ["bell.sample"]
