"""The runtime attacked in small numbers; INLIER_NIGHTLY=1, which `make nightly`
sets, takes the full ones.
"""

import json
import os

import pytest

from inlier_boards.selfcheck import kills, outcome, plan, soak
from inlier_boards.selfcheck.outcome import Outcome
from inlier_export.errors import BadInput
from test_cli import refused

FULL = "INLIER_NIGHTLY" in os.environ


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "where"), [(check, where) for check, p in plan.CHECKS.items() for where in p.small]
)
def test_nothing_breaks(check, where):
    if where in ("qemu_m33", "qemu_rv32") and not FULL:
        pytest.skip("their kernels' golden vectors run in test_device; run `make nightly`")
    planned = plan.CHECKS[check]
    count = (planned.full if FULL else planned.small)[where]
    done = planned.run(where, count, progress=nothing)
    print(done)  # the figures of the nightly run
    assert done.passed and done.tried == count, done
    assert check != "mutations" or " 0 loaded" not in done.detail, (
        "mutations that are all refused attack no kernel"
    )
    assert check != "soak" or where == "cpython" or done.grown == 0, (
        "MicroPython can tell what its heap holds"
    )


def test_what_breaks_is_said_and_ends_in_exit_code_1(monkeypatch, inlier):
    def breaks(where, count, progress):
        return Outcome(
            "kills", where, count, 1, "update: 7 were finished, the next start found None"
        )

    monkeypatch.setattr(
        plan, "CHECKS", {"kills": plan.Planned(breaks, {"cpython": 3}, {"cpython": 9})}
    )
    code, out, _ = inlier("selfcheck", "--full", "--where", "cpython")
    assert (
        code == 1
        and "kills on cpython: 9 tried, 1 invalid starts" in out
        and "FAILED: update: 7" in out
    )
    code, out, _ = inlier("selfcheck", "--where", "cpython", "--json")
    told = json.loads(out)
    assert code == 1 and told["skipped"] == []
    assert told["checks"][0]["tried"] == 3 and told["checks"][0]["passed"] is False


def nothing(label, done, total):
    pass


def test_an_interpreter_that_a_signal_ended_has_not_passed(monkeypatch):
    """A kernel that wrote where it must not: the code of its end is negative."""
    monkeypatch.setattr(outcome, "command", lambda *args: ["sh", "-c", "kill -SEGV $$"])
    with pytest.raises(BadInput, match="soak.py on cpython: exit -11"):
        outcome.lines_of("cpython", "soak.py")


def test_each_part_has_a_seed_of_its_own_and_together_they_are_as_many_as_asked(monkeypatch):
    assert list(outcome.steps(5, 2)) == [2, 2, 1] and list(outcome.steps(4, 2)) == [2, 2]
    asked = []

    def lines_of(where, script, path, seed, count):
        asked.append((seed, count))
        return ["{}"]

    monkeypatch.setattr(outcome, "lines_of", lines_of)
    told = list(outcome.in_parts("cpython", "wraps", b"", "", "", 7, 5, 1, 2))
    assert asked == [(7, 2), (8, 2), (9, 1)] and told == [{}] * 3


def test_the_number_that_a_kill_cut_off_was_not_said(monkeypatch):
    says = ["sh", "-c", r"printf '1\n2\n34'; exec sleep 600"]
    monkeypatch.setattr(kills, "command", lambda *args: says)
    life = kills._Life("unix", "update", "folder", "model")
    assert life.first() == 1
    assert life.end(0) == 2 and not life.complaint, "of 34 nobody knows the rest"


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        ((0, 5, 6), 0),  # 6: the kill came between the write and the word
        ((0, 4, 5), 1),  # of five one is lost
        ((0, 7, 7), 1),  # one that was not begun
        ((0, None, 5), 1),
    ],
)
def test_after_a_kill_nothing_that_was_finished_is_missing(found, failed, monkeypatch):
    starts, ends = iter(found), iter((5, None, None))

    class Life:
        complaint = ""

        def __init__(self, *args):
            pass

        def first(self):
            return next(starts)

        def end(self, life_s):
            return next(ends)

    monkeypatch.setattr(kills, "_Life", Life)
    monkeypatch.setattr(kills, "KINDS", ("update",))
    assert kills.run("unix", 3, progress=nothing).failed == failed


@pytest.mark.parametrize(
    ("heap", "digests", "passed"),
    [((100, 100), (7, 9), True), ((100, 108), (7, 9), False), ((100, 100), (7, 8), False)],
)
def test_windows_without_end_keep_their_heap_and_their_integers(heap, digests, passed, monkeypatch):
    lines = [str(digests[0]), f"heap {heap[0]}", str(digests[1]), f"heap {heap[1]}"]
    monkeypatch.setattr(soak, "lines_of", lambda *args: lines)
    monkeypatch.setattr(soak, "_digests", lambda trace, every: [7, 9])
    done = soak.run("unix", 2, 1, progress=nothing)
    assert (done.passed, done.grown) == (passed, heap[1] - heap[0])


def test_an_unknown_place_is_refused(inlier):
    refused(inlier("selfcheck", "--where", "moon"), "choose one of cpython, unix, qemu_m0")
