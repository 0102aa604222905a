"""The pages of the README and the boards: their commands exist, and the
Raspberry Pi's service is a sound unit.
"""

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from inlier.procfs import Procfs
from inlier_boards.catalogue import names, read_board
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_host import cli

BOARDS = Path(__file__).parents[2] / "boards"
DOORBELL = Path(__file__).parent / "recorded/doorbell.inlier"
RECORDED = DOORBELL.with_name("windows.csv")
PAGES = [name for name in names() if not read_board(name).emulator and name != "unix"]
COMMANDS = typer.main.get_command(cli.app).commands


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_what_was_not_tried(name):
    page = (BOARDS / name / "README.md").read_text()
    assert "**Not tried:" in page
    for link in re.findall(r"\]\((\.\.[^)]*)\)", page):
        assert (BOARDS / name / link).exists(), link


ROOT = BOARDS.parent
DOCS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *BOARDS.glob("*/README.md")]
BLOCK = re.compile(r"^    (?:\$ )?(.*)$", re.M)
INLINE = re.compile(r"`((?:inlier|mpremote|pip install)\s[^`]*)`")


def commands_of(path):
    """(words, whether nothing is left out) of what a page tells to run."""
    text = path.read_text()
    blocks = BLOCK.findall(re.sub(r"```.*?```", "", text, flags=re.S).replace("\\\n    ", ""))
    for line, whole in [*((b, True) for b in blocks), *((i, False) for i in INLINE.findall(text))]:
        for part in re.split(r" && |; ", " ".join(line.split())):
            with contextlib.suppress(ValueError):  # a quote in a sentence
                words = shlex.split(part, comments=True)
                if words[:1] == ["sudo"]:  # what it runs is named by its whole path
                    words = words[next((i for i, w in enumerate(words) if "/bin/" in w), -1) :]
                program = words[0].rpartition("/")[2] if words else ""
                if program in CHECKS and len(words) > 1:
                    yield [program, *words[1:]], whole


def test_the_readme_says_of_each_board_what_the_table_says():
    """Every board whose row has 10,000 windows, what stood for it, and no
    other.
    """
    lines = re.findall(r"^\|.*\|$", (ROOT / "docs/boards.md").read_text(), re.M)[2:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    readme = (ROOT / "README.md").read_text()
    said = " ".join(readme.split("**Verified on**")[1].split("\n\n")[0].split())
    boards = [re.sub("Raspberry Pi (?=P)", "", board) for board, *_ in rows]
    assert "Raspberry Pi" in boards and "ESP32-C3" in boards, "the table was found"
    for board, (_, stand_in, _, windows, *_) in zip(boards, rows, strict=True):
        assert windows.startswith("10,000"), f"{board}: the README says so"
        assert all(name in said for name in board.split(", ")), board
        for word in re.findall("`[^`]+`|official|Debian|machine code|CPython|Unix", stand_in):
            assert word in said, (board, word)
    assert set(re.findall("`[^`]+`", said)) <= set(re.findall("`qemu_[^`]+`", str(rows)))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(path):
    for (program, *arguments), whole in commands_of(path):
        CHECKS[program](arguments, whole)


def is_inlier_s(arguments, whole):
    """Raises for an unknown command or option, or a missing argument."""
    if arguments[0].startswith("--"):
        assert arguments[0] in ("--version", "--help", "--install-completion")
        return
    name, *arguments = arguments
    command = COMMANDS[name]
    while hasattr(command, "commands") and arguments:
        name, *arguments = arguments
        command = command.commands[name]
    if whole:
        command.make_context(name, arguments)
    elif "…" not in arguments:
        options = [word for word in arguments if word.startswith("-")]
        known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
        assert known.issuperset(options), (name, options)


def is_mpremote_s(arguments, whole):
    main = pytest.importorskip("mpremote.main", reason="pip install 'inlier[boards]'")
    port = arguments[:1] == ["connect"] and arguments[1] != "list"
    known = {*main._COMMANDS, *main._BUILTIN_COMMAND_EXPANSIONS}
    assert arguments[2 * port] in known, arguments


def is_pip_s(arguments, whole):
    """What is installed of inlier is this folder's, and an extra that it has."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in arguments[1:]:
        name, _, brackets = word.rstrip("]").partition("[")
        assert name != "inlier", "it is in no registry"
        if name == ".":
            asked = set(filter(None, brackets.split(",")))
            assert asked <= set(extras["optional-dependencies"]), word


CHECKS = {"inlier": is_inlier_s, "mpremote": is_mpremote_s, "pip": is_pip_s}


def test_the_service_is_a_sound_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    unit = (BOARDS / "raspberry_pi/inlier.service").read_text()
    command = "/opt/inlier/bin/inlier monitor /etc/inlier/model.inlier --source packets"
    assert unit.count(command) == 1
    granted = [line for line in unit.splitlines() if "Capabilit" in line]
    assert granted == ["AmbientCapabilities=CAP_NET_RAW", "CapabilityBoundingSet=CAP_NET_RAW"]
    here = tmp_path / "inlier.service"
    here.write_text(unit.replace("/opt/inlier/bin/inlier", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "inlier.service" not in done.stderr, done.stderr


@pytest.mark.slow
def test_the_raspberry_pi_needs_nothing_that_trains(tmp_path):
    """What pip installs there without an extra: NumPy, Typer, rich."""
    model, windows = tmp_path / "model.inlier", tmp_path / "windows.csv"
    detector = random_detector(3, (8,), Procfs.counters)
    model.write_bytes(pack(replace(detector, source="procfs", window_ms=50)))
    windows.write_bytes(RECORDED.read_bytes())
    packed = windows.with_suffix(".parquet")
    packed.write_bytes(b"PAR1")
    absent = (
        "tensorflow",
        "keras",
        "sklearn",
        "scipy",
        "polars",
        "pyarrow",
        "pandas",
        "altair",
        "matplotlib",
        "mpremote",
        "serial",
        "dpkt",
    )
    constant = "--allow-constant", "connects_failed"
    no_scipy = "this command needs scipy.optimize: install it with pip install 'inlier[train]'"
    absence = f"import sys\nfor name in {absent}: sys.modules[name] = None\n"
    code = absence + "from inlier_host import cli\ncli.main()"
    for arguments, expected in (
        (["monitor", model, "--count", "2", "--json"], '{"index": 1,'),
        (
            ["record", "--window", "50ms", "--count", "2", "-o", tmp_path / "w.csv"],
            "w.csv: 2 windows",
        ),
        (["monitor", DOORBELL, "--replay", windows, "--json", "--count", "2"], '{"index": 1,'),
        (["monitor", DOORBELL, "--replay", packed], "Parquet needs polars: pip install"),
        (["verify", "--allow-unsigned", DOORBELL], "doorbell.inlier"),
        (["emulate", DOORBELL, "--replay", windows], "this command needs mpremote"),
        (
            ["train", windows, "-o", tmp_path / "m", *constant],
            f"inlier: {no_scipy}",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert expected in done.stdout + done.stderr, done.stderr
        assert done.stderr.count("\n") <= 1, "neither a traceback nor work before a refusal"
