"""Gone quiet: far below usual for so many windows in a row, back after others;
its own state, beside the alarm.
"""

from array import array

import golden

from inlier.alarm import Quiet
from inlier.pipeline import Pipeline


class Rule:
    threshold_quiet = 10
    quiet_after = 4
    clear_after = 2


def states(silent):
    """The event of each window; x: over the threshold, =: equal to it."""
    sums = [0, 0]
    quiet = Quiet(Rule, sums)
    found = []
    for c in silent:
        sums[1] = {"x": 11, "=": 10, ".": 0}[c]
        quiet.step()
        found.append(quiet.event)
    return found


def test_it_is_quiet_after_four_windows_in_a_row_and_back_after_two():
    assert states("xxxx..") == [0, 0, 0, 1, 0, -1]
    assert states("xxx.xxx.") == [0] * 8, "in a row"
    assert states("xxxx.x.x..") == [0, 0, 0, 1, 0, 0, 0, 0, 0, -1]


def test_a_score_that_equals_the_threshold_is_not_quiet():
    assert states("====") == [0] * 4
    assert states("xxxx==") == [0, 0, 0, 1, 0, -1]


def test_what_is_calm_from_the_start_or_again_need_not_be_taken():
    sums = [0, 0]
    quiet = Quiet(Rule, sums)
    assert quiet.idle, "no window yet speaks against it"
    idle = []
    for score in (0, 11, 0, 11, 11, 11, 11, 11, 0, 0, 0):
        sums[1] = score
        quiet.step()
        idle.append(quiet.idle)
    assert idle == [True, False, True] + [False] * 7 + [True], "not while it is quiet"


def test_each_change_is_told_once():
    assert states("xxxx" + "x" * 50).count(1) == 1
    assert states("xxxx......xxxx...") == [0, 0, 0, 1, 0, -1] + [0] * 7 + [1, 0, -1, 0]


def test_it_raises_no_alarm_and_the_alarm_does_not_hide_it():
    model = golden.model()
    pipeline = Pipeline(model, golden.Source(model.counters()))
    silence = array("i", [0] * len(model.counters()))
    pipeline.alarm.hold = 1 << 20  # as if it cooled down for ever
    events = []
    for _ in range(200):
        assert pipeline.score(silence) == 0
        events.append(pipeline.quiet.event)
    assert sum(events) == 1 and pipeline.quiet.active and not pipeline.alarm.active
    assert pipeline.quiet.score > model.threshold_quiet
    pipeline = Pipeline(model, golden.Source(model.counters()))
    pipeline.alarm.active = True
    for _ in range(200):
        pipeline.score(silence)
    assert pipeline.quiet.active


def test_rows_without_an_order_are_never_quiet_and_score_on_both_sides():
    from inlier.model import FLAG_ROWS, Model

    blob = bytearray(golden.blob())
    blob[5] |= FLAG_ROWS
    rows = Model(golden.sealed(blob[:-4]))
    in_order = golden.model()
    silence = array("i", [0] * len(rows.counters()))
    by_rows = Pipeline(rows, golden.Source(rows.counters()))
    by_time = Pipeline(in_order, golden.Source(rows.counters()))
    for _ in range(100):
        by_rows.score(silence)
        by_time.score(silence)
        assert by_rows.svm == by_time.svm + by_time.quiet.score and by_time.quiet.score > 0
    assert not by_rows.quiet.active and by_time.quiet.active
