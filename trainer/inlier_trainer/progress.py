"""Progress bars on the terminal, on standard error, and none for machines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as rich
from rich.console import Console

from inlier_export.printable import printable

# stage, done, total; total 0: nobody knows how long it takes, until the next
# begins
Progress = Callable[[str, int, int], None]


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

    def end_unknown() -> None:
        for task in progress.tasks:
            if task.total is None:
                progress.update(task.id, completed=1, total=1)

    def report(stage: str, done: int, total: int) -> None:
        if not tasks:  # not before: a refusal would stand below an empty line
            progress.start()
        if stage not in tasks:
            end_unknown()
            tasks[stage] = progress.add_task(printable(stage), total=total or None)
        progress.update(tasks[stage], completed=done, total=total or None)

    try:
        yield report
        end_unknown()
    finally:
        if tasks:
            progress.stop()
