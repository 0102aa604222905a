"""Counts what the runtime costs on the emulated boards."""

import json
from pathlib import Path
from typing import Annotated

import typer

from inlier_host.options import Json


def bench(
    board: Annotated[
        list[str] | None, typer.Option(help="Emulated board; may be repeated. By default all.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Also write the table (Markdown).")] = None,
    as_json: Json = False,
) -> None:
    """Count instructions, heap and flash on the emulated boards.

    Example: inlier bench --board qemu_m0
    """
    from inlier_boards.catalogue import names
    from inlier_boards.cost.bench import measure, show
    from inlier_boards.cost.bench import table as markdown
    from inlier_trainer.files import check_outputs, write_atomic
    from inlier_trainer.progress import bars

    check_outputs([table], [])
    chosen = board or names(emulated=True)
    with bars(quiet=as_json) as progress:
        results = [result for name in chosen for result in measure(name, progress)]
    if table:
        write_atomic(table, markdown(results).encode())
    if as_json:
        print(json.dumps({"boards": [result.summary() for result in results]}))
    else:
        show(results)
