"""A board that is a folder: the scripts of a deployment run here, on the files
in it. What it says of itself, and its self-test, are made up.
"""

import contextlib
import hashlib
import io
import os
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from inlier_boards.catalogue import read_board
from inlier_boards.deployment import deploy as deploying
from inlier_boards.deployment.identify import Facts
from inlier_boards.deployment.selftest import SelfTested
from inlier_export.errors import BadInput
from inlier_export.model_file import parsed

PASSED = SelfTested("plain", 20, 9000, None, 1.5)
FACTS = Facts("micropython", (1, 25, 0), "Pico", (6, 3), "armv6m", 4096, 800_000, "lib", "", False)
BOARD = replace(read_board("pico_w"), source="sockets")


@dataclass
class Line:
    """A connection to a board whose flash is the current folder. said: what
    was done, in order; limits: seconds that a script was given.
    """

    name: str = "port"
    said: list[str] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)

    def __post_init__(self):
        here = {name: getattr(os, name) for name in ("stat", "rename", "remove", "rmdir", "mkdir")}
        here["ilistdir"] = lambda path: [(name, 0, 0) for name in os.listdir(path)]
        self.scope = {"os": SimpleNamespace(**here)}

    def connect(self, port, soft_reset=False):
        self.said.append(f"connect {port} {soft_reset}")

    def execute(self, code, limit_s=None):
        if code.startswith('"""Moves'):
            code = code.replace("import os\n", "")
        else:
            self.said.append(code)
            self.limits[code] = limit_s
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self.scope)
        return printed.getvalue()

    def write(self, path, content, progress):
        with open(path, "wb") as file:
            file.write(content)
        progress(len(content) // 2)
        progress(len(content))

    def sha256(self, path):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()

    def read(self, path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            raise BadInput("no such file") from None

    def interrupt(self):
        self.said.append("interrupt")

    def restart(self):
        self.said.append("restart")

    def close(self):
        self.said.append("close")


@dataclass
class There:
    """What is there, and what is asked of this side."""

    line: Line
    flash: object
    facts: Facts = FACTS
    board: object = BOARD
    replace_main: bool = True
    asked: list = field(default_factory=list)
    told: list = field(default_factory=list)

    def deploy(self, blob, replay=None, port="port", name="pico_w"):
        self.name = name
        return deploying.deploy(parsed(blob), port, name, replay, self._replace_main, self._bars)

    def _replace_main(self, name):
        self.asked.append(("main", name))
        return self.replace_main

    def _bars(self):
        return contextlib.nullcontext(lambda *told: self.told.append(told))

    def identify(self, line):
        assert line is self.line
        rest = (self.flash / "lib/.inlier").exists()
        return replace(
            self.facts,
            main=(self.flash / "main.py").exists(),
            free_bytes=0 if rest else self.facts.free_bytes,
        )

    def choose(self, facts, name):
        assert facts.machine == "Pico" and name == self.name
        return self.board

    def self_test(self, line, board, detector, runtime, model, progress):
        assert line is self.line and board is self.board and detector.counters == ("a", "b", "c")
        self.asked.append(("self-test", runtime, model))
        self.line.said.append("self-test")
        progress("self-test", 1, 1)
        return PASSED

    def put(self, contents):
        for name, content in contents.items():
            path = self.flash / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def holds(self):
        names = (path for path in self.flash.rglob("*") if path.is_file())
        return {str(path.relative_to(self.flash)): path.read_bytes() for path in names}
