"""`inlier deploy`: runtime, model and an example onto a board. What ran there
runs on until all is verified and tested.

Everything goes into a folder of its own first, and takes its place by renaming
in the end. An interrupted copy leaves that folder, which the next one removes.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from inlier.model import Model
from inlier_boards.board import EXAMPLES, Board
from inlier_boards.serial_line.connection import Connection, find_port
from inlier_export.errors import BadInput
from inlier_trainer.progress import Progress

from . import budget, payload, selftest
from .identify import DEVICE, Facts, choose, identify
from .selftest import SelfTest

MODEL = "model.inlier"  # the examples load it by this name
WINDOWS = "windows.csv"  # and what main_replay.py scores
STAMP = "deployed"  # within the runtime's folder: the digest of what was copied
REPLAY = "replay"  # the source of boards without traffic of their own
Bars = Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Deployment:
    """copied: names of what was; main: "copied", "kept" (there was another) or
    "same".
    """

    port: str
    board: Board
    facts: Facts
    copied: list[str]
    copied_bytes: int
    main: str
    test: SelfTest

    def summary(self) -> dict[str, object]:
        return {
            "port": self.port,
            "board": self.board.name,
            "machine": self.facts.machine,
            "micropython": self.facts.release,
            "free_bytes": self.facts.free_bytes,
            "files": len(self.copied),
            "bytes": self.copied_bytes,
            "main": self.main,
            "self_test": asdict(self.test),
        }


def deploy(
    blob: bytes,
    port: str | None,
    name: str | None,
    replay: bytes | None,
    replace_main: Callable[[str], bool],
    bars: Bars,
) -> Deployment:
    """blob: a model that was checked; name: of the board, None: as it says;
    replay: windows (CSV) for a board that replays.

    replace_main is asked with the board's name before another main.py is
    replaced; bars() shows progress. Raises BadInput.
    """
    port = port or find_port()
    connection = Connection(port)
    try:
        connection.connect(port, soft_reset=True)
        try:
            return _deploy(connection, blob, name, replay, replace_main, bars)
        finally:
            with contextlib.suppress(BadInput):  # unplugged: then it starts by itself
                connection.restart()
    finally:
        connection.close()


def _deploy(
    connection: Connection,
    blob: bytes,
    name: str | None,
    replay: bytes | None,
    replace_main: Callable[[str], bool],
    bars: Bars,
) -> Deployment:
    facts = identify(connection)
    board = choose(facts, name)
    budget.check(board, blob)
    source = Model(blob).source
    _check_source(board, source, replay)
    stage = f"{facts.lib}/.inlier"
    connection.execute((DEVICE / "install.py").read_text())
    connection.execute(f"remove({stage!r})")

    with bars() as progress:  # the compiler may have to be built
        runtime = (
            {} if facts.frozen else payload.runtime(facts, board, lambda step: progress(step, 0, 1))
        )
    runtime = runtime and {**runtime, f"inlier/{STAMP}": payload.digest(runtime).encode()}
    if (
        runtime
        and _content(connection, f"{facts.lib}/inlier/{STAMP}") == runtime[f"inlier/{STAMP}"]
    ):
        runtime = {}  # it is there already: flash wears
    files = {MODEL: blob, **({WINDOWS: replay} if replay is not None else {})}
    example = (EXAMPLES / f"main_{source if board.source != REPLAY else REPLAY}.py").read_bytes()
    main = "copied"
    if facts.main:
        if connection.sha256("main.py") == hashlib.sha256(example).digest():
            main = "same"
        elif not replace_main(board.name):
            main = "kept"
    if main == "copied":
        files["main.py"] = example
    contents = {**runtime, **files}
    folders = _folders(contents)
    needed = payload.bytes_on_flash(
        [len(content) for content in contents.values()], 1 + len(folders), facts.block_bytes
    )
    free = identify(connection).free_bytes  # now that the rest of an interrupted copy is gone
    if needed > free:
        raise BadInput(
            f"{board.name}: {needed} bytes of flash are needed for the copy beside what is "
            f"there, {free} are free: "
            "delete files there; nothing was replaced"
        )
    try:
        with bars() as progress:
            _copy(connection, facts.lib, stage, folders, contents, progress)
            test = selftest.run(
                connection, board, blob, stage if runtime else "", f"{stage}/{MODEL}", progress
            )
        packages = [("inlier", f"{facts.lib}/inlier")] if runtime else []
        connection.execute(
            f"activate({stage!r}, {packages!r}, {[(file, file) for file in files]!r})"
        )
    except BaseException:
        with contextlib.suppress(BadInput):  # it may be unplugged
            connection.interrupt()
            connection.execute(f"remove({stage!r})")
        raise
    return Deployment(
        connection.name,
        board,
        facts,
        list(contents),
        sum(len(content) for content in contents.values()),
        main,
        test,
    )


def _check_source(board: Board, source: str, replay: bytes | None) -> None:
    if source != board.source and REPLAY not in (source, board.source):
        raise BadInput(
            f"the model is for source '{source}', {board.name} counts '{board.source}': train on "
            f"windows that it counted"
        )
    if replay is not None and board.source != REPLAY:
        raise BadInput(f"--replay: {board.name} has traffic of its own to count: leave it out")


def _folders(contents: dict[str, bytes]) -> list[str]:
    """Parents first."""
    found = {name[: slash.start()] for name in contents for slash in re.finditer("/", name)}
    return sorted(found)


def _content(connection: Connection, path: str) -> bytes:
    try:
        return connection.read(path)
    except BadInput:
        return b""


def _copy(
    connection: Connection,
    lib: str,
    stage: str,
    folders: list[str],
    contents: dict[str, bytes],
    progress: Progress,
) -> None:
    for folder in (lib, stage, *(f"{stage}/{name}" for name in folders)):
        connection.execute(f"make_folder({folder!r})")
    total = sum(len(content) for content in contents.values())
    before = 0

    def copied(done: int) -> None:
        progress("copying", before + done, total)

    for name, content in contents.items():
        connection.write(f"{stage}/{name}", content, copied)
        if connection.sha256(f"{stage}/{name}") != hashlib.sha256(content).digest():
            raise BadInput(
                f"{connection.name}: {name} is not on the board as it was sent; nothing was "
                f"replaced: try again"
            )
        before += len(content)
