"""Options that several commands share, and what is checked of them before any
work.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from inlier.model import WINDOW_MS_MAX
from inlier_export.errors import BadInput
from inlier_export.printable import printable

ModelFile = Annotated[Path, typer.Argument(help="The model file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Key = Annotated[
    Path | None,
    typer.Option(help="File with the key; by default the environment variable INLIER_KEY."),
]
Interface = Annotated[
    str | None,
    typer.Option(
        help="Whose packets --source packets counts, such as wlan0; without it that of the "
        "default route."
    ),
]

Module = Annotated[
    Path | None, typer.Option(help="Also write a Python module of bytes, for freezing.")
]
FalseAlarms = Annotated[str, typer.Option(help="False alarms accepted.")]
Detectors = Annotated[
    str, typer.Option(help="Whose part of the score counts: svm, autoencoder or both.")
]
NUMBER_MAX = (1 << 32) - 1  # of a model: its header has four bytes for it
Seed = Annotated[
    int, typer.Option(min=0, max=(1 << 31) - 2000, help="Of all that is drawn by chance.")
]


def milliseconds(text: str) -> int:
    """'250ms', '10s' or '1m' in milliseconds."""
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60_000)):
        number = text.removesuffix(unit)
        if number != text and number.isdecimal() and 10 <= int(number) * factor <= WINDOW_MS_MAX:
            return int(number) * factor
    raise BadInput(f"--window {text}: give a length from 10ms to 60m, such as 250ms, 10s or 1m")


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise BadInput(f"{option} {value}: choose one of {', '.join(choices)}")
    return value


def together(*checks: Callable[[], Any]) -> list[Any]:
    """What each check gives; what several find wrong is said in one sentence.
    Raises BadInput.
    """
    wrong: list[str] = []
    given: list[Any] = []
    for check in checks:
        try:
            given.append(check())
        except BadInput as error:
            wrong.append(str(error))
    if wrong:
        raise BadInput("; and ".join(dict.fromkeys(wrong)))
    return given


def given(context: typer.Context, *names: str) -> list[str]:
    """Those of the parameters that were given to this command, as one writes
    them.
    """
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        # as a name: which module has the type differs with typer's version
        and getattr(context.get_parameter_source(parameter.name), "name", "DEFAULT") != "DEFAULT"
    ]


def goes_without(context: typer.Context, what: str, *names: str) -> None:
    """Raises BadInput where options were given that `what` makes nothing of."""
    if found := given(context, *names):
        raise BadInput(f"{what} makes nothing of {' and '.join(found)}: leave out one or the other")


def needs(context: typer.Context, what: str, *names: str) -> None:
    """Raises BadInput where options were given that only `what` makes use of."""
    if found := given(context, *names):
        raise BadInput(
            f"without {what} nothing is made of {' and '.join(found)}: add it or leave "
            f"out the other"
        )


def say(*lines: str) -> None:
    """Prints what may hold names of others, each line one line."""
    for line in lines:
        print(printable(line), flush=True)
