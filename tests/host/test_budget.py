"""The most watchful rung that keeps the budget, of made-up counts: posterior,
interval, and how much more to record.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gamma

from inlier_trainer.budget import (
    LADDER,
    MEASURED_WEEKS,
    OTHER,
    PRIOR_WEEKS,
    choose,
    prior_rate,
)

WEEK = 60_480  # windows of 10 s
NONE = [0] * len(LADDER)


def rate(rung, count, weeks):
    prior_weeks = PRIOR_WEEKS * min(1, weeks / MEASURED_WEEKS)
    return (PRIOR_WEEKS * prior_rate(rung) + count) / (prior_weeks + weeks)


def test_the_rate_is_what_other_devices_showed_and_what_its_own_folds_do():
    found = choose(NONE, 2 * WEEK, 10_000, 1.0)
    assert found.weeks == pytest.approx(2) and found.met and found.weeks_more == 0
    assert found.per_week == pytest.approx(rate(found.rung, 0, 2))
    shape = PRIOR_WEEKS * prior_rate(found.rung)
    ends = gamma.ppf((0.1, 0.9), shape, scale=1 / (PRIOR_WEEKS + 2))
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.low < found.per_week < found.high


def test_the_most_watchful_rung_that_meets_it_and_the_one_before_does_not():
    for per_week in (0.3, 1.0, 3.0, 7.0):
        for weeks in (0.2, 1, 4):
            found = choose(NONE, int(weeks * WEEK), 10_000, per_week)
            at = LADDER.index(found.rung)
            assert rate(found.rung, 0, found.weeks) <= per_week
            assert at == 0 or rate(LADDER[at - 1], 0, found.weeks) > per_week


def test_a_rate_that_is_just_what_was_asked_for_meets_it():
    for rung in LADDER:
        found = choose(NONE, WEEK, 10_000, rate(rung, 0, 1))
        assert found.met and found.rung == rung


def test_each_rung_answers_for_its_own_alarms():
    """The more watchful, the more of them: what the first raised is not the
    last one's.
    """
    counts = list(range(len(LADDER)))[::-1]
    for per_week in (0.5, 1.0, 2.0):
        found = choose(counts, 4 * WEEK, 10_000, per_week)
        at = LADDER.index(found.rung)
        assert found.counted == counts[at]
        assert found.per_week == pytest.approx(rate(found.rung, counts[at], 4))
        assert rate(LADDER[at - 1], counts[at - 1], 4) > per_week


def test_a_larger_budget_or_a_calmer_recording_is_never_less_watchful():
    calm = [choose(NONE, WEEK, 10_000, budget).rung for budget in (0.2, 0.5, 1, 2, 3, 7, 50)]
    assert calm == sorted(calm, reverse=True) and calm[-1] == LADDER[0]
    rungs = []
    for alarms in range(6):
        counts = np.minimum(alarms, np.arange(len(LADDER))[::-1]).tolist()
        rungs.append(choose(counts, WEEK, 10_000, 1.0).rung)
    assert rungs == sorted(rungs) and rungs[0] < rungs[-1]
    longer = [choose(NONE, int(weeks * WEEK), 10_000, 1.0).rung for weeks in (0.1, 1, 2, 8)]
    assert longer == sorted(longer, reverse=True), "silence for longer says more"


def test_a_lucky_rung_is_not_believed():
    """A more patient one that alarmed more often says what luck it was."""
    counts = list(NONE)
    counts[LADDER.index(1.4)] = 4
    found = choose(counts, WEEK, 10_000, 1.0)
    assert found.rung > 1.4
    assert choose(NONE, WEEK, 10_000, 1.0).rung < 1.4


def test_a_budget_that_no_rung_meets_says_how_much_more_to_record():
    found = choose([9] * len(LADDER), WEEK, 10_000, 1.0)
    assert not found.met and found.rung == LADDER[-1] and found.counted == 9
    assert found.per_week > 1
    # with so many weeks more, and no further alarm, it is met
    weeks = found.weeks + found.weeks_more
    assert rate(found.rung, 9, weeks) == pytest.approx(1.0)
    more = choose([9] * len(LADDER), int(weeks * WEEK) + 1, 10_000, 1.0)
    assert more.met and found.weeks_more > 0


@pytest.mark.parametrize("alarms", [0, 1])
def test_a_short_recording_promises_as_much_less_as_it_is_shorter(alarms):
    """An hour has not seen what a day shows: six devices, trained on an hour at
    a rung of 1.2, raised 14 to 48 alarms in the week after it.
    """
    counts = [alarms] * len(LADDER)
    day, hour = (choose(counts, windows, 10_000, 1e9) for windows in (8640, 360))
    assert day.rung == hour.rung and hour.per_week == pytest.approx(24 * day.per_week)
    assert hour.low < hour.per_week < hour.high
    asked = choose(counts, 360, 10_000, 1.0)
    assert not asked.met and asked.rung == LADDER[-1] and asked.per_week > 1
    # what it says to record does
    longer = int((asked.weeks + asked.weeks_more) * WEEK) + 1
    assert choose(counts, longer, 10_000, 1.0).met
    assert not choose(counts, int(0.98 * longer), 10_000, 1.0).met


def test_a_long_recording_says_no_more_than_the_six_did():
    """What they showed rests on some days; after a year it is no better known."""
    assert rate(1, 0, 0.5) == pytest.approx(4 * 1.3 / 4.5)
    found = choose(NONE, int(0.5 * WEEK), 10_000, 1.2)
    assert found.rung == 1.0 and found.per_week == pytest.approx(4 * 1.3 / 4.5, rel=1e-3)


def test_windows_of_another_length_are_as_much_time():
    tenths = choose(NONE, 10 * WEEK, 1_000, 1.0)
    assert tenths == choose(NONE, WEEK, 10_000, 1.0)


def test_what_the_six_were_trained_on_and_what_is_said_beside_are_what_pages_tell():
    page = " ".join((Path(__file__).parents[2] / "docs/how_it_decides.md").read_text().split())
    assert f"({round(7 * MEASURED_WEEKS, 1)} days)" in page
    assert OTHER == 3, "a summary's delay_windows_at_3_times"
