"""The demonstration, from recording to alarm."""

from pathlib import Path
from typing import Annotated

import typer

from inlier_host.options import Json, Seed


def demo(
    seed: Seed = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what it makes.")] = Path(
        "out"
    ),
    as_json: Json = False,
) -> None:
    """Watch a doorbell on MicroPython learn its own traffic and catch its own
    infection, all on loopback addresses.
    """
    from .demo import demo as run

    run(seed, out, as_json)
