"""The demonstration, from recording to alarm."""

from pathlib import Path
from typing import Annotated

import typer

from inlier_host.libraries import require
from inlier_host.options import Json, Seed


def demo(
    seed: Seed = 1,
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
    require("scipy", "altair", "jinja2", "vl_convert")
    from inlier_host.demo import demo as run

    run(seed, out, as_json)
