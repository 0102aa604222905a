"""`inlier record`: this machine's own windows, counted by the runtime under
CPython.
"""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inlier import recorder
from inlier_export.errors import BadInput, Interrupted
from inlier_trainer.figures import are

from .about import MARKS, About, told
from .progress import Progress


def record(counting: Any, window_ms: int, count: int, out: Path, progress: Progress) -> None:
    """Write `count` windows of a source to the CSV `out`.

    They gather in `<out>.part`, which takes the place of `out` when it is
    whole: an interrupt or a full disk leaves the former file, and what was
    recorded in the part. Raises BadInput, OSError.
    """
    part = out.with_name(out.name + ".part")
    if os.path.lexists(part):
        raise BadInput(
            f"{part}: an interrupted recording is there; use it, move it away or delete it, then "
            f"record again"
        )
    done = 0
    try:
        with part.open("w") as file:
            file.write(about_this_machine(counting.name, window_ms).comment())
            file.write(",".join((*MARKS, *counting.counters)) + "\n")

            def keep(deltas: Iterable[int], elapsed: int) -> None:
                nonlocal done
                file.write(",".join(map(str, (1, done, elapsed, *deltas))) + "\n")
                file.flush()
                done += 1
                progress("recording", done, count)

            asyncio.run(recorder.record(counting, window_ms, count=count, keep=keep))
    except Interrupted:
        if done:
            raise Interrupted(
                f"{done} of {count} windows {are(done)} in {part}, {out} was not written"
            ) from None
        part.unlink(missing_ok=True)
        raise
    except OSError as error:  # such as of a full disk: of the part, or of a source
        raise OSError(
            error.errno,
            f"{error.strerror} after {done} of {count} windows, which are in {part}",
            error.filename,
        ) from None
    part.replace(out)


def about_this_machine(source: str, window_ms: int) -> About:
    """Of a recording that begins now."""
    device, clock = told(recorder.device()), told(recorder.clock())
    return About(source, window_ms, device, recorder.firmware(), clock)
