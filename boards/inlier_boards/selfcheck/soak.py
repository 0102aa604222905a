"""Windows without end, held against the NumPy reference all along, see
device/soak.py.
"""

import tempfile
from collections.abc import Callable

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_export import reference
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector, with_thresholds
from inlier_trainer.progress import Progress, quiet

from .outcome import (
    LIMIT_S,
    Outcome,
    device_path,
    is_board,
    lines_of,
    model_file,
    on_board,
)

with device_path():
    import soak as device  # type: ignore[import-not-found]


def run(where: str, count: int, every: int, progress: Progress = quiet) -> Outcome:
    """Digests of all integers are compared every `every` windows, of which
    `count` is cut to a multiple. Raises BadInput.
    """
    label = f"soak, {where}"
    progress(label, 0, count)
    every = min(every, count)
    count -= count % every
    detector = random_detector(22, (16,))
    deltas = _windows(count, len(detector.counters))
    trace = reference.run(detector, deltas)
    # Half of the windows hot: a wrong comparison or a wrong alarm must show.
    detector = with_thresholds(detector, trace)
    expected = _digests(reference.run(detector, deltas), every)
    blob = pack(detector)
    if is_board(where):
        lines = _on_board(where, blob, count, every, lambda done: progress(label, done, count))
    else:
        with tempfile.TemporaryDirectory() as folder:
            lines = lines_of(where, "soak.py", model_file(folder, blob), count, every)
    progress(label, count, count)
    heaps = [int(line.split()[1]) for line in lines if line.startswith("heap")]
    digests = [int(line) for line in lines if line[:1].isdigit()]
    differing = [i for i, (a, b) in enumerate(zip(digests, expected, strict=True)) if a != b]
    failure = (
        f"integers differ from the reference's before window {(differing[0] + 1) * every}"
        if differing
        else ""
    )
    grown = max(0, heaps[-1] - heaps[0]) if heaps[0] else None
    return Outcome(
        "soak",
        where,
        count,
        len(differing),
        failure,
        grown,
        f"{len(digests)} digests equal the reference's",
    )


def _on_board(
    where: str, blob: bytes, count: int, every: int, done: Callable[[int], None]
) -> list[str]:
    lines = []
    with on_board(where, "soak.py", blob) as board:
        board.execute("import soak; s = soak.Soak(soak.load('/model'))")
        for i in range(count // every):
            lines += board.execute(f"s.run({every})", limit_s=LIMIT_S).splitlines()
            if i == 0:
                lines += board.execute("s.heap()").splitlines()
            done((i + 1) * every)
        lines += board.execute("s.heap()").splitlines()
    return lines


def _windows(count: int, counters: int) -> reference.Ints:
    """What the runtime makes of the source's readings: the first one is where
    it begins.
    """
    source = device.Wrapping(tuple(map(str, range(counters))))
    row = [0] * counters
    source.fill(row)
    out = np.empty((count, counters), np.int64)
    for i in range(count):
        source.fill(row)
        out[i] = row
    return np.minimum(out, DELTA_MAX)


def _digests(trace: reference.Trace, every: int) -> list[int]:
    digest, found = 0, []
    for i, x in enumerate(trace.x):
        integers = int(trace.ae[i]), int(trace.svm[i]), bool(trace.hot[i]), int(trace.event[i])
        digest = device.add(digest, x.tobytes(), *integers)
        if (i + 1) % every == 0:
            found.append(digest)
    return found
