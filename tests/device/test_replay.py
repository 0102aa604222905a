"""A replay of recorded windows: CSV or numbers, refused where a row is no
window, and its totals stay small.
"""

from inlier.replay import Replay


def reading(source):
    values = [None] * len(source.counters)
    source.read(values)
    return values


def test_rows_of_a_csv_file_and_of_numbers_become_counters():
    text = Replay(["a,b\n", "5,0\n", " 3,1 \n"])
    assert text.counters == ("a", "b") and reading(text) == [0, 0]
    numbers = Replay([(5, 0), (3, 1)], ["a", "b"])
    for source in (text, numbers):
        assert source.advance() is True and reading(source) == [5, 0]
        assert source.advance() is True and reading(source) == [8, 1]
        assert source.advance() is False and reading(source) == [8, 1]
    assert Replay([]).counters == ("",), "an empty file names no counters"


def test_a_row_that_is_no_window_is_refused_with_what_it_holds():
    for row, expected in (
        ("1", "a row holds 1 numbers, not 2"),
        ("1,2,3", "a row holds 3 numbers, not 2"),
        ("1,-1", "a row holds -1"),
        ("1,x", ""),
    ):
        source = Replay(["a,b", row])
        try:
            source.advance()
            raise AssertionError(row)
        except ValueError as error:
            assert str(error) == expected or not expected, row


def test_totals_begin_anew_above_two_to_the_twenty_ninth_where_a_delta_still_shows_it():
    quarter = 1 << 28
    source = Replay([(quarter,)] * 6 + [(3 << 28,)] * 2, ("a",))
    seen = []
    while source.advance():
        seen.append(reading(source)[0] // quarter)
    assert seen == [1, 2, 3, 1, 2, 3, 6, 3], (
        "small ints as far as the deltas are; one not less than the total would pass for a count"
    )
