"""Mutated model files against the loader, see device/mutate.py."""

from typing import Any

from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.progress import Progress, quiet

from .outcome import Outcome, in_parts

PER_CALL = 500  # on a board: each call must answer in time
PER_PROCESS = 20_000


def run(where: str, count: int, seed: int = 1, progress: Progress = quiet) -> Outcome:
    """Raises BadInput when the interpreter itself dies or hangs."""
    small = pack(random_detector(21, (5, 3), tuple("abcde"), (0,), (5,)))
    told: list[dict[str, Any]] = []
    prepare, call = "import mutate; blob = open('/model', 'rb').read()", "mutate.run(blob, {}, {})"
    for part in in_parts(where, "mutate", small, prepare, call, seed, count, PER_CALL, PER_PROCESS):
        told.append(part)
        progress(f"mutations, {where}", sum(part["mutations"] for part in told), count)
    crashes = [crash for part in told for crash in part["crashes"]]
    loaded, replays = (sum(part[key] for part in told) for key in ("loaded", "replays"))
    most = max(part["most_bytes"] for part in told)
    kernel = told[0]["kernel"]
    return Outcome(
        "mutations",
        where,
        tried=sum(part["mutations"] for part in told),
        failed=len(crashes),
        first_failure=crashes[0] if crashes else "",
        detail=f"{loaded} loaded, scored in bounds by {kernel}; {replays} replay files between"
        + (f"; a load took at most {most} bytes of heap" if most else ""),
    )
