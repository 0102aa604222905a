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

from inlier_boards.catalogue import EXAMPLES, Board, read_board
from inlier_boards.serial_line.connection import Connection, find_port
from inlier_export.errors import BadInput
from inlier_export.model_file import ModelFile
from inlier_trainer.progress import Progress

from . import budget, payload, selftest
from .identify import DEVICE, Facts, choose, identify
from .selftest import SelfTested

MODEL = "model.inlier"  # the examples load it by this name
WINDOWS = "windows.csv"  # and what main_replay.py scores
STAMP = "deployed"  # within the runtime's folder: the digest of what was copied
ACTIVATE_S = 120  # half a hundred files of a former runtime are removed, and flash erased
REPLAY = "replay"  # the source of boards without traffic of their own
Bars = Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Deployment:
    """copied: names of what was.
    main: "copied", "kept" (there was another) or "same".
    """

    port: str
    board: Board
    facts: Facts
    copied: list[str]
    copied_bytes: int
    main: str
    test: SelfTested

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
    model: ModelFile,
    port: str | None,
    name: str | None,
    replay: bytes | None,
    replace_main: Callable[[str], bool],
    bars: Bars,
) -> Deployment:
    """name: of the board, None: as it says.
    replay: windows (CSV) for a board that replays.

    replace_main is asked with the board's name before another main.py is
    replaced; bars() shows progress. Raises BadInput.
    """
    if name is not None:
        read_board(name)  # before a board is looked for
    port = port or find_port()
    connection = Connection(port)
    try:
        connection.connect(port, soft_reset=True)
        try:
            return _deploy(connection, model, name, replay, replace_main, bars)
        finally:
            with contextlib.suppress(BadInput):  # unplugged: then it starts by itself
                connection.restart()
    finally:
        connection.close()


def _deploy(
    connection: Connection,
    model: ModelFile,
    name: str | None,
    replay: bytes | None,
    replace_main: Callable[[str], bool],
    bars: Bars,
) -> Deployment:
    facts = identify(connection)
    board = choose(facts, name)
    budget.check(board, model.model)
    _check_source(board, model.model.source, replay)
    stage = f"{facts.lib}/.inlier"
    connection.execute((DEVICE / "install.py").read_text())
    connection.execute(f"remove({stage!r})")  # of a copy that was interrupted

    runtime = _runtime(connection, facts, board, bars)
    files = {MODEL: model.blob, **({WINDOWS: replay} if replay is not None else {})}
    example = _example(board, model.model.source)
    main = _main(connection, facts, board, example, replace_main)
    if main == "copied":
        files["main.py"] = example
    contents = {**runtime, **files}
    _check_space(connection, board, contents)
    try:
        with bars() as progress:
            _copy(connection, facts.lib, stage, contents, progress)
            test = selftest.run(
                connection,
                board,
                model.detector,
                stage if runtime else "",
                f"{stage}/{MODEL}",
                progress,
            )
        _activate(connection, facts.lib, stage, bool(runtime), list(files))
    except BaseException:
        with contextlib.suppress(BadInput):  # it may be unplugged
            connection.interrupt()
            connection.execute(f"remove({stage!r})")
        raise
    size = sum(len(content) for content in contents.values())
    return Deployment(connection.name, board, facts, list(contents), size, main, test)


def _runtime(connection: Connection, facts: Facts, board: Board, bars: Bars) -> dict[str, bytes]:
    """The runtime's files, none where the firmware or the flash has the same."""
    if facts.frozen:
        return {}
    with bars() as progress:  # the compiler may have to be built
        files = payload.runtime(facts, board, lambda step: progress(step, 0, 0))
    stamp = payload.digest(files).encode()
    if _content(connection, f"{facts.lib}/inlier/{STAMP}") == stamp:
        return {}  # flash wears
    return {**files, f"inlier/{STAMP}": stamp}


def _example(board: Board, source: str) -> bytes:
    """The main.py that scores what the board counts."""
    counts = source if board.source != REPLAY else REPLAY
    return (EXAMPLES / f"main_{counts}.py").read_bytes()


def _main(
    connection: Connection,
    facts: Facts,
    board: Board,
    example: bytes,
    replace_main: Callable[[str], bool],
) -> str:
    """What is done about the board's main.py: see Deployment."""
    if not facts.main:
        return "copied"
    if connection.sha256("main.py") == hashlib.sha256(example).digest():
        return "same"
    return "copied" if replace_main(board.name) else "kept"


def _check_space(connection: Connection, board: Board, contents: dict[str, bytes]) -> None:
    facts = identify(connection)  # now that the rest of an interrupted copy is gone
    needed = payload.bytes_on_flash(
        [len(content) for content in contents.values()],
        1 + len(_folders(contents)),
        facts.block_bytes,
    )
    if needed > facts.free_bytes:
        raise BadInput(
            f"{board.name}: {needed} bytes of flash are needed for the copy beside what is "
            f"there, {facts.free_bytes} are free: "
            "delete files there; nothing was replaced"
        )


def _activate(
    connection: Connection, lib: str, stage: str, runtime: bool, files: list[str]
) -> None:
    """What was tested takes the place of what ran."""
    packages = [("inlier", f"{lib}/inlier")] if runtime else []
    moves = f"activate({stage!r}, {packages!r}, {[(file, file) for file in files]!r})"
    connection.execute(moves, limit_s=ACTIVATE_S)


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


def _content(connection: Connection, path: str) -> bytes | None:
    try:
        return connection.read(path)
    except BadInput:
        return None


def _copy(
    connection: Connection,
    lib: str,
    stage: str,
    contents: dict[str, bytes],
    progress: Progress,
) -> None:
    for folder in (lib, stage, *(f"{stage}/{name}" for name in _folders(contents))):
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
