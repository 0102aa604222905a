"""Weeks of real devices, at three false alarms a week: none in the test part,
and each attack of the table in time. Slow: for `make nightly`.
"""

import os

import numpy as np
import pytest

from inlier_export import reference
from inlier_trainer import evaluate, overlays
from inlier_trainer.evaluate import split
from inlier_trainer.train import train
from test_pcap import DATA, REAL, needs_captures

pytestmark = [
    needs_captures,
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
]
CAPTURES = {
    "lockly-hub-01": REAL["lockly-hub-01"],
    "blink-cam-02": "f4:b8:5e:35:67:b0",
}
# What the median of the starts must not exceed, in seconds: the hub's, the
# camera's
WITHIN_S = {
    "real scan": (20, 20),
    "scan 0.1/s": (60, 60),
    "scan 1/s": (20, 20),
    "scan 5/s": (20, 20),
    "beacon 9/min": (120, 120),
    "beacon 1/min": (1020, 1020),
    "UDP flood 1000/s": (20, 20),
    "theft 1 KB/s": (240, 240),
    "theft 10 KB/s": (20, 300),
    "theft 100 KB/s": (20, 60),
}
WINDOW_MS = 10_000


def ignore(stage, done, total):
    pass


@pytest.fixture(scope="module", params=CAPTURES)
def measured(request):
    """Of one device: what was trained, its test part, what evaluate says."""
    path = DATA / f"{request.param}.pcap.gz"
    capture = evaluate.read(path, CAPTURES[request.param], WINDOW_MS, ignore)
    base, test = (capture.windows[part] for part in split(len(capture.windows)))
    trained = train([base], evaluate.settings(WINDOW_MS, "3/week", 1), capture.name)
    attacks = overlays.infected(
        DATA / "infected-pi-scan.pcap.gz", REAL["infected-pi-scan"], WINDOW_MS
    )
    attacks += overlays.synthetic(WINDOW_MS)
    lead = base[-evaluate.LEAD_IN :]
    result = evaluate._test(trained, capture, lead, test, attacks, ignore)
    print(result)  # the figures of the nightly run
    return list(CAPTURES).index(request.param), trained, test, result


def test_no_false_alarm_and_every_attack_in_time(measured):
    device, _, _, result = measured
    assert result.alarm_episodes == 0
    delays = {laid.name.split(",")[0]: laid for laid in result.overlays}
    for name, limits in WITHIN_S.items():
        laid = delays[name]
        assert laid.detected, f"{name}: seen at {laid.detected_starts} of {laid.starts} starts"
        assert laid.delay_s <= limits[device], f"{name}: {laid.delay_s} s"


def test_what_it_was_chosen_by_is_within_the_budget(measured):
    _, trained, _, result = measured
    assert trained.choice.met and result.novel_per_week <= 3
    assert len(trained.blob) <= 4096


def test_an_outage_of_any_day_is_no_infection(measured):
    """Seven hours of silence, from eight moments of the test part on."""
    _, trained, test, _ = measured
    for at in np.linspace(1000, len(test) - 1, 8).astype(int):
        before = test[max(0, at - evaluate.LEAD_IN) : at]
        silent = np.zeros((2500, test.shape[1]), np.int64)
        trace = reference.run(trained.detector, np.concatenate([before, silent]))
        assert not (trace.event[len(before) :] == 1).any(), at
        assert not trace.svm[len(before) + 1000 :].any(), at
