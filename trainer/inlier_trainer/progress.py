"""Progress bars on the terminal, on standard error, and none for machines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as rich
from rich.console import Console

from inlier_export.printable import printable

Progress = Callable[[str, int, int], None]  # stage, done, total


def quiet(stage: str, done: int, total: int) -> None:
    """A Progress for who wants none."""


@contextmanager
def bars(quiet: bool = False) -> Iterator[Progress]:
    """A function (stage, done, total): each stage gets a bar at its first call."""
    columns = (
        rich.TextColumn("{task.description:<14}", markup=False),
        rich.BarColumn(),
        rich.TextColumn("{task.percentage:>3.0f} %"),
        rich.TimeElapsedColumn(),
    )
    progress = rich.Progress(*columns, console=Console(stderr=True), disable=quiet)
    tasks: dict[str, rich.TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        if not tasks:  # not before: a refusal would stand below an empty line
            progress.start()
        if stage not in tasks:
            tasks[stage] = progress.add_task(printable(stage), total=total)
        progress.update(tasks[stage], completed=done, total=total)

    try:
        yield report
    finally:
        if tasks:
            progress.stop()
