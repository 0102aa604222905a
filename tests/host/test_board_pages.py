"""The pages of the README and the boards: their commands exist, and the
Raspberry Pi's service is a sound unit.
"""

import re
import shlex
import shutil
import subprocess
import sys
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
WITH_COMMANDS = [
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *BOARDS.glob("*/README.md")]
    if re.search(r"^    .*\binlier [a-z]", path.read_text(), re.M)
]


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_parses(path):
    pattern = r"^    (?:sudo )?(?:\S*/|[A-Z_]+=\S+ )?inlier (.*)$"
    for line in re.findall(pattern, path.read_text(), re.M):
        command, *arguments = shlex.split(line, comments=True)
        if command == "--version":
            continue
        COMMANDS[command].make_context(
            command, arguments
        )  # raises for an unknown option or a missing argument


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
