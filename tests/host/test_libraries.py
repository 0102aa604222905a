"""A library that is missing is told in one sentence, before the work begins,
with the extra that brings it; what a recording can't be written as, too.
"""

import sys
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"
BENIGN, MODEL = str(RECORDED / "windows.csv"), str(RECORDED / "doorbell.inlier")
TRAIN = ["train", BENIGN, "--source", "sockets", "--window", "100ms"]


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """What a command says where modules are missing, and does nothing."""
    from inlier_host import cli

    def run(arguments, *missing):
        monkeypatch.chdir(tmp_path)
        for module in missing:
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setattr(sys, "argv", ["inlier", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, error = capsys.readouterr()
        assert end.value.code == 2 and not out and not list(tmp_path.iterdir())
        (line,) = error.splitlines()  # neither a traceback nor a progress bar
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "missing", "extras"),
    [
        (["report", MODEL, "--windows", BENIGN], ["vl_convert"], "report"),
        (["monitor", "--mqtt", "mqtt://h/a/b"], ["paho"], "live"),
        (["monitor", "--serial", "/dev/x"], ["serial"], "boards"),
        (["record", "--port", "auto"], ["serial", "mpremote"], "boards"),
        (["deploy", MODEL], ["mpremote"], "boards"),
        (["emulate", MODEL, "--replay", BENIGN], ["mpremote"], "boards"),
        (["bench"], ["mpremote"], "boards"),
        (["selfcheck"], ["mpremote"], "boards"),
        (["demo"], ["scipy", "altair"], "train,report"),
        ([*TRAIN, "--backend", "keras"], ["keras"], "keras"),
        ([*TRAIN, "--tflite", "m.tflite"], ["tensorflow"], "keras"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(refused, arguments, missing, extras):
    said = refused(arguments, *missing)
    assert f"pip install 'inlier[{extras}]'" in said and missing[-1] in said


def test_a_report_needs_nothing_of_the_boards(monkeypatch, tmp_path, capsys):
    from inlier_host import cli

    for module in ("mpremote", "scipy", "sklearn", "polars", "serial"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in [name for name in sys.modules if name.startswith("inlier_boards.")]:
        monkeypatch.delitem(sys.modules, module)  # imported anew, by what is left
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["inlier", "report", MODEL, "--windows", BENIGN])
    cli.app(standalone_mode=False)
    assert "800 windows" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["record", "-o", "w.parquet"], ["monitor", MODEL, "--save", "w.parquet"]]
)
def test_what_is_written_by_lines_is_no_parquet(refused, arguments):
    assert "w.parquet: what is recorded window by window is a CSV" in refused(arguments)


def test_parquet_without_polars_is_refused_before_a_capture_is_read(refused, monkeypatch):
    import inlier_trainer

    monkeypatch.delattr(inlier_trainer, "parquet", raising=False)  # imported before
    arguments = ["record", "--pcap", BENIGN, "--device", "10.0.0.1", "-o", "w.parquet"]
    said = refused(arguments, "polars", "inlier_trainer.parquet")
    assert "Parquet needs polars: pip install 'inlier[parquet]'" in said
