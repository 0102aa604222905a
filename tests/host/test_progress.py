"""What a person sees while a command works, and before it refuses."""

import contextlib

from inlier_export.errors import BadInput
from inlier_trainer.progress import bars


def test_a_refusal_before_any_work_begins_with_no_empty_line(capsys):
    with bars():
        pass
    assert capsys.readouterr().err == ""


def test_each_stage_has_a_bar_of_its_own(capsys):
    with bars() as progress:
        progress("firmware", 0, 1)
        progress("windows", 3, 3)
    shown = capsys.readouterr().err
    assert not shown.startswith("\n") and "firmware" in shown and "100 %" in shown


def test_a_step_of_unknown_length_ends_where_the_next_begins(capsys):
    with contextlib.suppress(BadInput), bars() as progress:
        progress("fetching", 0, 0)
        progress("building", 0, 0)
        raise BadInput("gcc is missing")
    fetching, building = capsys.readouterr().err.splitlines()[-2:]
    assert fetching.startswith("fetching") and "100 %" in fetching
    assert building.startswith("building") and "100 %" not in building, "it did not end"
