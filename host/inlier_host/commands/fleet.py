"""`inlier fleet …`: many devices of some types, one budget, on Dask."""

import typer

from .fleet_judge import calibrate, drift, rank, score
from .fleet_windows import simulate, train

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """Serve thousands of devices: one store, one budget, on Dask.

    Example: inlier fleet simulate FLEET --devices 100
    """


for command in (simulate, train, calibrate, score, rank, drift):
    app.command()(command)
