"""`inlier train --add`: a false alarm's windows become benign, and what is no
part of them stays outlying.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import read
from inlier_trainer import recordings
from inlier_trainer.added import SHARE, keep_quiet, read_marked, weave
from inlier_trainer.evaluate import LEAD_IN
from inlier_trainer.train import time_folds

COUNTERS = ("bytes_in", "connects", "peers_new")


def test_each_part_of_a_recording_gets_the_windows_in_their_order():
    recording = np.arange(1000)[:, None]
    span = np.array([[-1], [-2], [-3]])
    woven = weave(recording, [span])[:, 0]
    assert woven[woven >= 0].tolist() == list(range(1000)), (
        "nothing of the recording is lost or moved"
    )
    starts = np.flatnonzero(woven == -1)
    assert all(woven[at : at + 3].tolist() == [-1, -2, -3] for at in starts)
    fit, calibrated, tested = (woven[part] for part in recordings.split(len(woven)))
    folds = [fit[fold] for fold in time_folds(np.arange(len(fit)))]
    assert [int((part == -1).sum()) for part in (*folds, calibrated, tested)] == [1] * 6


def test_in_a_week_a_short_span_comes_often_enough_to_be_within_the_benign_range():
    woven = weave(np.zeros((60_480, 1), np.int64), [np.ones((4, 1), np.int64)])
    assert (
        SHARE <= woven.sum() / 60_480 < 1.2 * SHARE
        and woven[: int(0.6 * len(woven))].sum() > 0.002 * 36_288
    )


def test_thresholds_rise_just_so_far_that_what_was_added_is_quiet():
    recorded = Path(__file__).parent / "recorded"
    detector = read(recorded / "doorbell.inlier")
    recording = recordings.read_windows(recorded / "windows.csv", detector.counters)
    update = (
        recording[100:130] + np.eye(14, dtype=np.int64)[1] * 20_000
    )  # bytes_in: it fetches its new firmware

    def alarms(d, span):
        return int(
            (
                reference.run(
                    d, np.concatenate([recording[-LEAD_IN:], span, recording[-LEAD_IN:]])
                ).event
                == 1
            ).sum()
        )

    quiet = keep_quiet(detector, recording, [update])
    assert alarms(detector, update) and not alarms(quiet, update)
    raised = {"threshold_ae": quiet.threshold_ae, "threshold_svm": quiet.threshold_svm}
    for name, limit in raised.items():
        if limit > getattr(detector, name):
            assert alarms(replace(quiet, **{name: limit - 1}), update), "no further than need be"
    assert raised != {
        "threshold_ae": detector.threshold_ae,
        "threshold_svm": detector.threshold_svm,
    }
    assert keep_quiet(detector, recording, [recording[100:130]]) == detector, (
        "what is quiet already changes nothing"
    )


def test_marked_windows_are_read_from_a_span_of_a_file(tmp_path):
    path = tmp_path / "w.csv"
    recordings.write_windows(path, COUNTERS, np.arange(30).reshape(10, 3))
    assert read_marked(str(path), COUNTERS).shape == (10, 3)
    assert read_marked(f"{path}@2:4", COUNTERS).tolist() == [[6, 7, 8], [9, 10, 11]]
    for text, expected in (
        (f"{path}@2", "give FILE or FILE@START:END"),
        (f"{path}@a:b", "give FILE or FILE@START:END"),
        (f"{path}@4:4", "has the windows 0 to 10"),
        (f"{path}@4:11", "has the windows 0 to 10"),
        (str(tmp_path / "no.csv"), "check the path"),
    ):
        with pytest.raises(BadInput, match=expected):
            read_marked(text, COUNTERS)
