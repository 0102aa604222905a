"""kill -9 at random moments of a model update, a state write and a recording,
see device/killed.py.

After each kill the process starts again, where the last one left its files, and
says what it found there: nothing that it had said to be finished may be
missing, and nothing may be there that was not begun.
"""

import contextlib
import random
import select
import subprocess
import tempfile
from pathlib import Path

from inlier_boards.leash import leashed
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer.files import check_room
from inlier_trainer.progress import Progress, quiet

from .outcome import Outcome, command, environment, model_file

KINDS = ("update", "state", "recording")
ANSWER_S = 300  # what has not answered by then hangs; a busy machine is slow
ROOM = 1 << 16  # bytes that no life writes
LIFE_MS = 30  # at most, after its start is found valid: a few dozen writes


class _Life:
    """One process from start to kill."""

    def __init__(self, where: str, kind: str, folder: str, model: str) -> None:
        run = command(where, "killed.py", kind, folder, model)
        self._process = subprocess.Popen(
            leashed(run),
            env=environment(),
            bufsize=0,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.complaint = ""

    def first(self) -> int | None:
        """What it found at its start, None when it says nothing: then
        `complaint` says why.
        """
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
        line = self._process.stdout.readline() if ready else b""
        if line.strip().isdigit():
            return int(line)
        _, error = self._killed()
        self.complaint = (
            error.decode(errors="replace").strip().splitlines()[-1]
            if error.strip()
            else "it said nothing"
        )
        return None

    def end(self, life_s: float) -> int | None:
        """Kill it after so long. The last number that it said whole, None for
        none.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(life_s)
        ended = self._process.returncode
        out, error = self._killed()
        if ended is not None:
            self.complaint = f"exit {ended}: " + error.decode(errors="replace").strip()[-200:]
        said = out[: out.rfind(b"\n") + 1].split()
        return int(said[-1]) if said else None

    def _killed(self) -> tuple[bytes, bytes]:
        self._process.kill()
        return self._process.communicate()


def run(where: str, count: int, seed: int = 1, progress: Progress = quiet) -> Outcome:
    """`count` kills, spread over KINDS. Raises BadInput; OSError where the disk
    of temporary files is full, which is no fault of what writes there.
    """
    rng = random.Random(seed)
    blob = pack(random_detector(21, (5, 3), ("bytes", "packets", "connects"), (0,), (5,)))
    faults: list[str] = []
    in_flight = done = 0
    for i, kind in enumerate(KINDS):
        with tempfile.TemporaryDirectory() as folder:
            model = str(model_file(folder, blob))
            finished = 0
            for _ in range(count * (i + 1) // len(KINDS) - count * i // len(KINDS)):
                life = _Life(where, kind, folder, model)
                found = life.first()
                # One more than it had said is well: the kill came between the
                # write and the word.
                if found is None or not finished <= found <= finished + 1:
                    faults.append(
                        f"{kind}: {finished} were finished, the next start found {found} "
                        f"{life.complaint}".strip()
                    )
                in_flight += found == finished + 1
                finished = found if found is not None else finished
                last = life.end(rng.uniform(0, LIFE_MS) / 1000)
                if life.complaint and found is not None:
                    faults.append(f"{kind}: {life.complaint}")
                if life.complaint:
                    check_room(Path(folder), ROOM)
                finished = finished if last is None else last
                done += 1
                progress(f"kills, {where}", done, count)
    detail = f"{', '.join(KINDS)}; {in_flight} times the write was done and not yet said"
    return Outcome("kills", where, done, len(faults), faults[0] if faults else "", detail=detail)
