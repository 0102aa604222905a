"""`inlier train --add`: a false alarm's windows become benign, and what is no
part of them stays outlying.
"""

from dataclasses import replace

import numpy as np
import pytest

from device_of_tests import AT, benign
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_trainer import recordings
from inlier_trainer.added import SHARE, keep_quiet, marked, weave
from inlier_trainer.evaluate import LEAD_IN
from inlier_trainer.folds import plan

COUNTERS = ("bytes_in", "connects", "peers_new")


def test_each_part_of_a_recording_gets_the_windows_in_their_order():
    recording = np.arange(1000)[:, None]
    span = np.array([[-1], [-2], [-3]])
    woven = weave([recording], [span])[0][:, 0]
    assert woven[woven >= 0].tolist() == list(range(1000)), (
        "nothing of the recording is lost or moved"
    )
    starts = np.flatnonzero(woven == -1)
    assert all(woven[at : at + 3].tolist() == [-1, -2, -3] for at in starts)
    assert len(starts) == len(plan([1000]).blocks)
    # the longer one's folds: none is the first to see it
    cut = plan([len(woven)])
    for out in range(cut.folds):
        assert -1 in woven[cut.inside(frozenset([out]))].tolist()


def test_in_a_week_a_short_span_comes_often_enough_to_be_within_the_benign_range():
    woven = weave([np.zeros((60_480, 1), np.int64)], [np.ones((4, 1), np.int64)])[0]
    assert SHARE <= woven.sum() / 60_480 < 1.2 * SHARE
    parts = np.array_split(woven[:, 0], 16)
    assert min(part.sum() for part in parts) >= 4, "in each block of each fold"


def alarms(detector, recording, span):
    calm = recording[-LEAD_IN:]
    event = reference.run(detector, np.concatenate([calm, span, calm])).event
    return int((event == 1).sum())


def test_thresholds_rise_just_so_far_that_what_was_added_is_quiet(trained):
    detector, recording = trained.detector, trained.benign
    update = benign(30, 8)
    update[:, AT["bytes_in"]] += 4_000_000  # it fetches its new firmware
    update[:, AT["receives"]] += 2_000
    quiet = keep_quiet(detector, recording, [update])
    assert alarms(detector, recording, update) and not alarms(quiet, recording, update)
    assert replace(quiet, horizons=detector.horizons) == detector, "thresholds alone"
    moved = 0
    for h, (before, after) in enumerate(zip(detector.horizons, quiet.horizons, strict=True)):
        assert after[:2] == before[:2] and after[2] >= before[2]
        if after[2] > before[2]:
            moved += 1
            lower = list(quiet.horizons)
            lower[h] = (*after[:2], after[2] - 1)
            assert alarms(replace(quiet, horizons=tuple(lower)), recording, update), (
                "no further than need be"
            )
    limits = [limit for _, _, limit in quiet.horizons]
    assert moved and limits == sorted(limits, reverse=True), "as the loader demands"
    assert keep_quiet(detector, recording, [recording[100:130]]).horizons == detector.horizons, (
        "what is quiet already changes nothing"
    )


def test_marked_windows_are_read_from_a_span_of_a_file(tmp_path):
    path = tmp_path / "w.csv"
    recordings.write(path, recordings.Recording(COUNTERS, np.arange(30).reshape(10, 3)))
    assert marked(str(path)).runs(COUNTERS)[0].shape == (10, 3)
    assert np.array(marked(f"{path}@2:4").runs(COUNTERS)).tolist() == [[[6, 7, 8], [9, 10, 11]]]
    for text, expected in (
        (f"{path}@2", "give FILE or FILE@START:END"),
        (f"{path}@a:b", "give FILE or FILE@START:END"),
        (f"{path}@4:4", "has the windows 0 to 10"),
        (f"{path}@4:11", "has the windows 0 to 10"),
        (str(tmp_path / "no.csv"), "check the path"),
    ):
        with pytest.raises(BadInput, match=expected):
            marked(text).runs(COUNTERS)
