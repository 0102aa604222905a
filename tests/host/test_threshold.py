"""Budgets as they are written, and the threshold of rows."""

import numpy as np
import pytest

from inlier_export.errors import BadInput
from inlier_trainer.threshold import per_week, row_threshold


def test_the_budget_a_week():
    assert [per_week(text) for text in ("1/week", "3/week", "2/day", "1/hour")] == [1, 3, 14, 168]


@pytest.mark.parametrize("text", ["1", "week", "0/week", "-1/week", "1/year", "1e3/week", ""])
def test_a_rate_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadInput, match="such as 1/week"):
        per_week(text)


def test_so_many_rows_of_a_thousand_exceed_their_threshold_and_of_few_none():
    scores = np.random.default_rng(1).permutation(999)
    # 1,000 ranks are equally likely for a new row: at 0.5 % it may take the
    # five above
    assert row_threshold(scores, 0.005) == 994
    assert row_threshold(scores[:100], 0.005) == scores[:100].max()
    # of 1,001 ranks six would be 0.6 %
    assert row_threshold(np.append(scores, 999), 0.005) == 995
