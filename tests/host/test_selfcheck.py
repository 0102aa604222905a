"""The runtime attacked in small numbers; INLIER_NIGHTLY=1, which `make nightly`
sets, takes the full ones.
"""

import json
import os

import pytest

from inlier_boards.selfcheck import plan
from inlier_boards.selfcheck.outcome import Outcome
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
    outcome = planned.run(where, count, progress=lambda label, done, total: None)
    print(outcome)  # the figures of the nightly run
    assert outcome.passed and outcome.tried == count, outcome
    assert check != "mutations" or " 0 loaded" not in outcome.detail, (
        "mutations that are all refused attack no kernel"
    )
    assert check != "soak" or where == "cpython" or outcome.grown == 0, (
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


def test_an_unknown_place_is_refused(inlier):
    refused(inlier("selfcheck", "--where", "moon"), "choose one of cpython, unix, qemu_m0")
