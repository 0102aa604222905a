"""`inlier reproduce nbaiot DIR`: the published experiment with this project's
detectors; a table, or JSON.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """Repeat a published experiment with this project's detectors.

    Example: inlier reproduce nbaiot N-BaIoT
    """


@app.command()
def nbaiot(
    folder: Annotated[
        Path, typer.Argument(help="N-BaIoT: a folder a device, as UCI has it, or the sample.")
    ],
    device: Annotated[str, typer.Option(help="Only devices whose name begins so.")] = "",
    seeds: Annotated[
        int, typer.Option(min=1, help="How many splits and trainings of each device.")
    ] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for machines.")
    ] = False,
) -> None:
    """Repeat the experiment on N-BaIoT.

    Trains on benign rows of each device, tests on the others and on Mirai and
    Gafgyt; int8 as MicroPython scores it.

    Example: inlier reproduce nbaiot N-BaIoT
    """
    from inlier_boards.build.micropython import find_or_build
    from inlier_export.errors import BadInput
    from inlier_host.reproduce.nbaiot import read
    from inlier_host.reproduce.protocol import run
    from inlier_host.reproduce.report import show
    from inlier_trainer.progress import bars

    with bars(quiet=as_json) as progress:
        interpreter = find_or_build(lambda step: progress(step, 0, 0))
        devices = (d for d in read(folder) if d.name.startswith(device))
        results = list(run(devices, interpreter, progress, tuple(range(1, seeds + 1))))
    if not results:
        raise BadInput(f"--device {device}: no device in {folder} has a name that begins so")
    if as_json:
        print(json.dumps({"devices": [result.summary() for result in results]}))
    else:
        show(results)
