"""What a person sees while a command works, and before it refuses."""

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
