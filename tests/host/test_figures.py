"""What commands say of numbers."""

import pytest

from inlier_trainer.figures import are, number_of, rate, span


def test_one_is_not_several():
    assert [number_of(n, "alarm") for n in (0, 1, 2)] == ["0 alarms", "1 alarm", "2 alarms"]
    assert [number_of(n, "day") for n in ("1", "0.25", "1,000")] == [
        "1 day",
        "0.25 days",
        "1,000 days",
    ]
    assert [are(n) for n in (0, 1, 2)] == ["are", "is", "are"]


def test_a_rate_has_two_digits_and_no_exponent_that_a_reader_must_undo():
    assert [rate(x) for x in (0.0123, 0.8, 1.0, 13.7, 137.4)] == ["0.012", "0.8", "1", "14", "140"]


@pytest.mark.parametrize(
    "weeks, said",
    [
        (150, "150 weeks"),
        (2, "2 weeks"),
        (1.99, "14 days"),
        (2 / 7, "2 days"),
        (1 / 84, "2 hours"),
        (1e-5, "0.1 minutes"),
    ],
)
def test_a_span_is_in_the_largest_unit_of_which_there_are_two(weeks, said):
    assert span(weeks) == said
