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


def test_a_span_lies_evenly_in_each_block_of_the_recording():
    """Of 1,000 windows the first 100 settle, and four blocks of 225 follow. Of
    windows that are added there must be 5: one span of 3 in each block, two of
    1.
    """
    recording = np.arange(1000)[:, None]
    for cut in (None, 437, 438, 500):
        runs = [recording] if cut is None else [recording[:cut], recording[cut:]]
        for span, places in (
            ([-1, -2, -3], (212, 437, 662, 887)),
            ([-1], (175, 250, 400, 475, 625, 700, 850, 925)),
        ):
            woven = weave(runs, [np.array(span)[:, None]])
            whole = np.concatenate(woven)[:, 0]
            starts = np.flatnonzero(whole == -1)
            assert starts.tolist() == [at + len(span) * i for i, at in enumerate(places)]
            assert whole[whole >= 0].tolist() == list(range(1000))
            if cut:  # what lies where a run begins is of that run
                assert woven[1][0, 0] == (-1 if cut in places else cut)


def test_two_spans_at_one_place_follow_each_other():
    both = weave([np.arange(1000)[:, None]], [np.full((3, 1), -1), np.full((3, 1), -9)])[0][:, 0]
    assert both[212:218].tolist() == [-1] * 3 + [-9] * 3 and both[218] == 212


def test_the_windows_that_were_interrupted_are_no_part_of_a_span(tmp_path):
    path = tmp_path / "w.csv"
    marks = np.stack([np.ones(10), np.arange(10), np.ones(10)], axis=1).astype(np.int64)
    marks[4, 2] = 0
    marks[7:, 0] = 2  # it booted again
    windows = np.arange(30).reshape(10, 3)
    recordings.write(path, recordings.Recording(COUNTERS, windows, marks=marks))

    def firsts(text):
        return [run[:, 0].tolist() for run in marked(text).runs(COUNTERS)]

    assert firsts(str(path)) == [[0, 3, 6, 9], [15, 18], [21, 24, 27]]
    assert firsts(f"{path}@2:8") == [[6, 9], [15, 18], [21]]
    assert firsts(f"{path}@3:5") == [[9]]
    with pytest.raises(BadInput, match="@4:5: there are no such windows"):
        firsts(f"{path}@4:5")


def test_thresholds_rise_to_what_a_span_and_the_calm_after_it_reach_and_others_stay():
    """A score is 16 times log2(1 + events)."""
    zero = np.zeros(1, np.int64)
    horizons = ((2, 8, 40), (3, 8, 20), (4, 8, 10))
    detector = reference.Detector(
        "replay", 1000, reference.Schema(("a",), (0,), (), zero + 8, zero), zero, zero, zero, zero,
        zero, np.array([[1, 0, 0]]), [], horizons,
    )  # fmt: skip
    recording = np.zeros((3 * LEAD_IN, 1), np.int64)
    recording[:-LEAD_IN] = 1023  # what lies before is no calm to lay it into
    recording[-LEAD_IN] = 15
    recording[-1] = 63

    def limits(*spans):
        quiet = keep_quiet(detector, recording, [np.array(span)[:, None] for span in spans])
        assert [h[:2] for h in quiet.horizons] == [h[:2] for h in horizons]
        return [limit for _, _, limit in quiet.horizons]

    assert limits() == [40, 20, 10]
    assert limits([1]) == [40, 20, 10], "16 and, in the calm after it, 64: two of them reach 16"
    assert limits([7]) == [48, 20, 10], "48 and 64"
    assert limits([3, 3]) == [40, 32, 10], "32, 32 and 64"
    assert limits([3, 3], [7]) == [48, 32, 10], "each by itself"
    assert limits([1, 1, 1]) == [40, 20, 16]


def alarms(detector, recording, span):
    calm = recording[-LEAD_IN:]
    event = reference.run(detector, np.concatenate([calm, span, calm])).event
    return int((event == 1).sum())


@pytest.mark.slow
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
    assert len(marked(f"{path}@0:10").runs(COUNTERS)[0]) == 10, "its end is left out"
    for text, expected in (
        (f"{path}@2", "give FILE or FILE@START:END"),
        (f"{path}@a:b", "give FILE or FILE@START:END"),
        (f"{path}@2-4", "give FILE or FILE@START:END"),
        (f"{path}@:4", "give FILE or FILE@START:END"),
        (f"{path}@2:", "give FILE or FILE@START:END"),
        (f"{path}@4:4", "has the windows 0 to 10"),
        (f"{path}@0:0", "has the windows 0 to 10"),
        (f"{path}@4:11", "has the windows 0 to 10"),
        (str(tmp_path / "no.csv"), "check the path"),
    ):
        with pytest.raises(BadInput, match=expected):
            marked(text).runs(COUNTERS)
