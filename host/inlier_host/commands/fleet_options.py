"""Options that the commands of `inlier fleet` share."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput, Interrupted
from inlier_export.printable import printable

if TYPE_CHECKING:
    from inlier_trainer.fleet.engine import Cluster

Fleet = Annotated[
    str, typer.Argument(help="The fleet: a folder, or an address that fsspec knows, as s3://….")
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0, help="Processes on this machine; 0: all in this one. By default one a core."
    ),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Another Dask cluster's scheduler, tcp://host:port.")
]
REJECTS_SHOWN = 5


@contextmanager
def cluster(workers: int | None, scheduler: str | None) -> Iterator["Cluster"]:
    """Raises BadInput."""
    import os

    from inlier_trainer.fleet import engine

    if scheduler and workers is not None:
        raise BadInput("--workers are this machine's: leave it out, or --scheduler")
    count = (os.cpu_count() or 1) if workers is None else workers
    try:
        with engine.cluster(count, scheduler) as on:
            yield on
    except Interrupted:
        raise Interrupted("what was done is kept; the same command goes on with the rest") from None


def tell_rejected(rejected: Sequence[str]) -> None:
    """On standard error, the first of them in words."""
    for reason in rejected[:REJECTS_SHOWN]:
        print(f"inlier: left out: {printable(reason)}", file=sys.stderr)
    if len(rejected) > REJECTS_SHOWN:
        print(f"inlier: and {len(rejected) - REJECTS_SHOWN} more", file=sys.stderr)
