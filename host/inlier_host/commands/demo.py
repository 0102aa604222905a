"""The demonstration, from recording to alarm."""

from pathlib import Path
from typing import Annotated

import typer

from inlier_host.options import Json


def demo(
    seed: Annotated[int, typer.Option(help="Of the doorbell's habits and the training.")] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what it makes.")] = Path(
        "out"
    ),
    as_json: Json = False,
) -> None:
    """Watch a doorbell learn its traffic and catch its infection.

    It runs on MicroPython, with its servers and its infection on loopback
    addresses of this machine.

    Example: inlier demo --out out
    """
    from inlier_host.demo import demo as run

    run(seed, out, as_json)
