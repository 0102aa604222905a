"""The command that attacks the runtime and counts what breaks."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.libraries import require
from inlier_host.options import Json

if TYPE_CHECKING:
    from inlier_boards.selfcheck.outcome import Outcome

FAILED = {
    "mutations": "crashes",
    "kills": "invalid starts",
    "soak": "digests unlike the reference's",
    "wraps": "false alarms",
}


def selfcheck(
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="cpython, unix (MicroPython), qemu_m0, qemu_m33 or qemu_rv32; may be repeated. "
            "By default all."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option(help="The nightly run's numbers: a million mutations, a thousand kills.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Attack the runtime, and say what broke.

    Mutated models, kills, windows without end, counters that wrap. Exit code 1
    if anything breaks.

    Example: inlier selfcheck --where unix
    """
    from inlier_boards.selfcheck.outcome import is_board
    from inlier_boards.selfcheck.plan import PLACES, lacks, outcomes
    from inlier_trainer.progress import bars

    chosen = where or list(PLACES)
    for place in chosen:
        if place not in PLACES:
            raise BadInput(f"--where {place}: choose one of {', '.join(PLACES)}")
    if any(is_board(place) for place in chosen):
        require("mpremote")
    skipped = [reason for place in chosen if (reason := lacks(place))]
    with bars(quiet=as_json) as progress:
        found = list(outcomes([place for place in chosen if not lacks(place)], full, progress))
    if as_json:
        print(
            json.dumps(
                {"checks": [{**asdict(o), "passed": o.passed} for o in found], "skipped": skipped}
            )
        )
    else:
        _show(found, skipped)
    if not all(outcome.passed for outcome in found):
        raise typer.Exit(1)


def _show(found: "list[Outcome]", skipped: list[str]) -> None:
    for o in found:
        grown = "" if o.grown is None else f", {o.grown} bytes grown"
        print(
            f"{o.check} on {o.where}: {o.tried} tried, {o.failed} {FAILED[o.check]}{grown} "
            f"({o.detail})"
        )
        if o.first_failure:
            print(f"    FAILED: {o.first_failure}")
    for reason in skipped:
        print(f"skipped: {reason}")
