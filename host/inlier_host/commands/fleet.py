"""`inlier fleet …`: many devices of some types, one budget, on Dask."""

import typer

from .fleet_judge import calibrate, drift, rank, report, score
from .fleet_rollout import rollout
from .fleet_windows import ingest, simulate, train

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """Serve thousands of devices: one store, one budget, on Dask.

    Example: inlier fleet simulate FLEET --devices 100
    """


for command in (simulate, ingest, train, calibrate, score, rank, drift, rollout, report):
    app.command()(command)
