"""`inlier record`: this machine's own windows, counted by the runtime under
CPython.
"""

import asyncio
from pathlib import Path

from inlier import recorder
from inlier_export.errors import BadInput, Interrupted

from .progress import Progress
from .sources import open_source


def record(source: str, window_ms: int, count: int, out: Path, progress: Progress) -> None:
    """Write `count` windows to the CSV `out`.

    They gather in `<out>.part`, which takes the place of `out` when it is
    whole: an interrupt or a full disk leaves the former file, and what was
    recorded in the part. Raises BadInput, OSError.
    """
    part = out.with_name(out.name + ".part")
    if part.exists():
        raise BadInput(
            f"{part}: an interrupted recording is there; use it, move it away or delete it, then "
            f"record again"
        )
    done = 0

    def on_window(deltas: object) -> None:
        nonlocal done
        done += 1
        progress("recording", done, count)

    try:
        asyncio.run(recorder.record(str(part), open_source(source), window_ms, count, on_window))
    except Interrupted:
        if done:
            raise Interrupted(
                f"{done} of {count} windows are in {part}, {out} is as it was"
            ) from None
        part.unlink(missing_ok=True)
        raise
    part.replace(out)
