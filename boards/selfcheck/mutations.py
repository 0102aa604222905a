"""Mutated model files against the loader, see device/mutate.py."""

import json
import tempfile
from typing import Any

from export.blob import pack
from export.synthetic import random_detector

from .outcome import LIMIT_S, Outcome, Progress, is_board, lines_of, model_file, on_board, quiet, steps

PER_CALL = 500  # on a board: each call must answer in time
PER_PROCESS = 20_000


def run(where: str, count: int, seed: int = 1, progress: Progress = quiet) -> Outcome:
    """Raises BadInput when the interpreter itself dies or hangs."""
    small = pack(random_detector(21, (5, 3), (0, 63), tuple("abcde"), (0, 2)))
    told: list[dict[str, Any]] = []

    def told_more(lines: list[str]) -> None:
        told.extend(json.loads(line) for line in lines)
        progress(f"mutations, {where}", sum(part["mutations"] for part in told), count)

    if is_board(where):
        with on_board(where, "mutate.py", small) as device:
            device.execute("import mutate; blob = open('/model', 'rb').read()")
            for i, n in enumerate(steps(count, PER_CALL)):
                told_more(device.execute(f"mutate.run(blob, {seed + i}, {n})", limit_s=LIMIT_S).splitlines())
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = model_file(folder, small)
            for i, n in enumerate(steps(count, PER_PROCESS)):
                told_more(lines_of(where, "mutate.py", path, seed + i, n))
    crashes = [crash for part in told for crash in part["crashes"]]
    loaded, replays = (sum(part[key] for part in told) for key in ("loaded", "replays"))
    most = max(part["most_bytes"] for part in told)
    return Outcome(
        "mutations",
        where,
        tried=sum(part["mutations"] for part in told),
        failed=len(crashes),
        first_failure=crashes[0] if crashes else "",
        detail=f"{loaded} loaded, scored in bounds; {replays} replay files between"
        + (f"; a load took at most {most} bytes of heap" if most else ""),
    )
