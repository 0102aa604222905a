"""Counts what the runtime costs on the emulated boards."""

import json
from pathlib import Path
from typing import Annotated

import typer

from inlier_host.libraries import require
from inlier_host.options import Json, one_of


def bench(
    board: Annotated[
        list[str] | None,
        typer.Option(
            help="Emulated board, or 'xtensa': the kernel alone on the ESP32's instruction set; "
            "may be repeated. By default all."
        ),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Also write the table (Markdown).")] = None,
    as_json: Json = False,
) -> None:
    """Count instructions, heap and flash on the emulated boards.

    Example: inlier bench --board qemu_m0
    """
    require("mpremote")
    from inlier_boards.build.micropython import check_system
    from inlier_boards.catalogue import names, read_board
    from inlier_boards.cost import xtensa
    from inlier_boards.cost.bench import alone_summary, measure
    from inlier_boards.cost.table import show
    from inlier_boards.cost.table import table as markdown
    from inlier_trainer.files import check_outputs, write_atomic
    from inlier_trainer.progress import bars

    choices = (*names(emulated=True), xtensa.NAME)
    chosen = [one_of("--board", name, choices) for name in board or choices]
    check_system()
    check_outputs([table], [])
    boards = [read_board(name) for name in chosen if name != xtensa.NAME]
    with bars(quiet=as_json) as progress:
        alone = xtensa.measure() if xtensa.NAME in chosen else None
        results = [result for place in boards for result in measure(place.name, progress)]
    if table:
        write_atomic(table, markdown(results, alone).encode())
    if as_json:
        rows = [result.summary() for result in results]
        print(json.dumps({"boards": [*rows, alone_summary(alone)] if alone else rows}))
    else:
        show(results, alone)
