"""Which check runs where, and how often: the small numbers of CI, the full ones
of the nightly run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from inlier_boards.catalogue import read_board
from inlier_trainer.progress import Progress, quiet

from . import kills, mutations, soak, wraps
from .outcome import CPYTHON, UNIX, Outcome, interpreter, is_board

PLACES = (CPYTHON, UNIX, "qemu_m0", "qemu_m33", "qemu_rv32")
SOAK_EVERY = 1000


def _soak(where: str, count: int, progress: Progress) -> Outcome:
    return soak.run(where, count, min(SOAK_EVERY, max(1, count // 10)), progress=progress)


@dataclass(frozen=True)
class Planned:
    """small, full: how often it is tried, by place."""

    run: Callable[..., Outcome]
    small: dict[str, int]
    full: dict[str, int]


CHECKS = {
    "mutations": Planned(
        mutations.run,
        {CPYTHON: 2_000, UNIX: 10_000, "qemu_m0": 500, "qemu_m33": 500, "qemu_rv32": 500},
        {
            CPYTHON: 100_000,
            UNIX: 1_000_000,
            "qemu_m0": 20_000,
            "qemu_m33": 20_000,
            "qemu_rv32": 20_000,
        },
    ),
    "kills": Planned(kills.run, {UNIX: 60}, {CPYTHON: 100, UNIX: 1_000}),
    "soak": Planned(
        _soak,
        {CPYTHON: 1_000, UNIX: 20_000, "qemu_m0": 300},
        {CPYTHON: 100_000, UNIX: 1_000_000, "qemu_m0": 20_000},
    ),
    "wraps": Planned(
        wraps.run,
        {CPYTHON: 200, UNIX: 2_000, "qemu_m0": 40},
        {CPYTHON: 10_000, UNIX: 100_000, "qemu_m0": 2_000},
    ),
}


def lacks(where: str) -> str:
    """What the place needs and this machine does not have, or nothing. Raises
    BadInput for a place that nobody knows.
    """
    if not is_board(where):
        interpreter(where)
        return ""
    packages = read_board(where).missing_packages()
    return f"{where} needs: apt-get install {' '.join(packages)}" if packages else ""


def outcomes(places: list[str], full: bool, progress: Progress = quiet) -> Iterator[Outcome]:
    """Of each check at each place that it is planned for. Raises BadInput when
    an interpreter dies or hangs.
    """
    for planned in CHECKS.values():
        counts = planned.full if full else planned.small
        for where in places:
            if where in counts:
                yield planned.run(where, counts[where], progress=progress)
