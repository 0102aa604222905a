"""The command that writes a report."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.libraries import require
from inlier_host.options import Json, say, together
from inlier_trainer.figures import number_of

if TYPE_CHECKING:
    from inlier_host.report.subject import Attack


def report(
    what: Annotated[
        Path,
        typer.Argument(help="A model file, or the folder of a run, as `inlier demo` leaves it."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    windows: Annotated[
        Path | None, typer.Option(help="Of a model: the windows to score, CSV or Parquet.")
    ] = None,
    benign: Annotated[
        Path | None, typer.Option(help="Of a model: the recording that it was trained on.")
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(help="Known attacks in the windows, NAME=START:END; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write an HTML page on what a model saw.

    Score, thresholds, alarms in words, ROC, cost on each board.

    Example: inlier report out
    """
    require("altair", "jinja2", "vl_convert")
    from inlier_export.inputs import check_input
    from inlier_host.report import page, subject
    from inlier_trainer.files import check_outputs, write_atomic
    from inlier_trainer.progress import bars

    if not what.is_dir():
        check_input(what, "model, or the folder of a run")
    attacks = [_attack(text) for text in attack] if attack else None
    together(
        lambda: check_outputs([out], [what, windows, benign]),
        *(partial(check_input, path, "recording") for path in (windows, benign) if path),
    )
    with bars(quiet=as_json) as progress:
        if what.is_dir():
            if windows or benign or attack:
                raise BadInput(
                    f"{what}: a run's folder has its own windows: leave out --windows, --benign "
                    f"and --attack"
                )
            shown = subject.of_run(what, progress)
        else:
            scored = windows or benign
            if scored is None:
                raise BadInput(
                    f"{what}: say which windows it shall score: --windows FILE, or --benign with "
                    f"its recording"
                )
            shown = subject.of_model(what, scored, benign, attacks, progress)
        content = page.page(shown, progress).encode()
    write_atomic(out, content)
    alarms = int((shown.trace.event == 1).sum())
    if as_json:
        print(
            json.dumps(
                {
                    "report": str(out),
                    "bytes": len(content),
                    "windows": len(shown.windows),
                    "alarms": alarms,
                }
            )
        )
    else:
        say(
            f"{out}: {number_of(len(shown.windows), 'window')}, "
            f"{number_of(alarms, 'alarm')}; open it in a browser"
        )


def _attack(text: str) -> "Attack":
    from inlier_host.report.subject import Attack

    name, _, span = text.rpartition("=")
    start, _, end = span.partition(":")
    if not name or not start.isdecimal() or not end.isdecimal():
        raise BadInput(f"--attack {text}: give a name and its windows, such as scan=300:340")
    return Attack(name, int(start), int(end))
