"""What nothing can be learned from is refused."""

from inlier_export.errors import BadInput
from inlier_export.reference import Counts
from inlier_trainer.figures import are, number_of

FEW = 3  # constant counters that are allowed by name; more of them together


def check_constant(allowed: set[str], counters: tuple[str, ...]) -> None:
    """Raises BadInput for names that are no counters."""
    if unknown := sorted(allowed - set(counters)):
        raise BadInput(
            f"--allow-constant {', '.join(unknown)}: no such counter; choose from "
            f"{', '.join(counters)}"
        )


def check(
    windows: Counts, counters: tuple[str, ...], origin: str, minimum: int, allow_constant: set[str]
) -> None:
    """Refuse windows that nothing can be learned from. Raises BadInput."""
    if len(windows) < minimum:
        raise BadInput(
            f"{origin}: {number_of(len(windows), 'window')}, at least {minimum} are needed; record "
            f"{minimum - len(windows)} more"
        )
    check_constant(allow_constant, counters)
    still = (windows == windows[0]).all(axis=0)
    if still.all():
        raise BadInput(
            f"{origin}: no counter changes in all {len(windows)} windows: there is nothing to "
            f"learn; were its program and its network on? record again"
        )
    constant = [
        (name, int(windows[0, i]))
        for i, name in enumerate(counters)
        if name not in allow_constant and still[i]
    ]
    if constant:
        values = dict.fromkeys(value for _, value in constant)
        columns = ", ".join(_constant(constant, value) for value in values)
        few = len(constant) <= FEW
        options = " ".join(f"--allow-constant {name}" for name, _ in constant if few)
        options = options or "--allow-constant all"
        raise BadInput(
            f"{origin}: {columns} in all {len(windows)} windows; record until "
            f"{'it changes' if len(constant) == 1 else 'they change'}, or say {options} if "
            f"{'it never does' if len(constant) == 1 else 'they never do'} on this device"
        )


def _constant(columns: list[tuple[str, int]], value: int) -> str:
    names = [f"'{name}'" for name, constant in columns if constant == value]
    return f"{'columns' if names[1:] else 'column'} {', '.join(names)} {are(len(names))} {value}"
