"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from inlier_export.errors import BadInput

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Key = Annotated[
    Path | None,
    typer.Option(help="File with the key; by default the environment variable INLIER_KEY."),
]


def milliseconds(text: str) -> int:
    """'250ms', '10s' or '1m' in milliseconds."""
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60_000)):
        number = text.removesuffix(unit)
        if number != text and number.isdecimal() and 10 <= int(number) * factor <= 3_600_000:
            return int(number) * factor
    raise BadInput(f"--window {text}: give a length from 10ms to 60m, such as 250ms, 10s or 1m")


def layer_sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 256 for part in parts):
        raise BadInput(f"--hidden {text}: give sizes from 1 to 256, such as 16,4,16")
    return tuple(int(part) for part in parts)
