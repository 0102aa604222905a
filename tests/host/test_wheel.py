"""A wheel, installed into an empty environment far from the checkout, does what
the checkout does, and takes no name that another project might want.
"""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import inlier
from inlier_boards.build.micropython import cache_folder, find_or_build
from inlier_boards.leash import leashed
from inlier_host.cli import app
from tools_missing import needs_board

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "recorded"
PACKAGES = {
    "inlier": "firmware",
    "inlier_export": "export",
    "inlier_trainer": "trainer",
    "inlier_boards": "boards",
    "inlier_host": "host",
}
pytestmark = pytest.mark.slow  # the command line begins twenty times
nightly = pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=bare())
    (built,) = out.glob("*.whl")
    return built


def bare() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "MICROPYPATH"))}


class Elsewhere:
    """An environment with nothing but the wheel; what it depends on is borrowed
    from this one, without the checkout that is installed here.
    """

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", symlinks=True)
        self.python = folder / "venv/bin/python"
        # A folder named in a .pth file is searched; .pth files in it are not.
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        (site,) = (folder / "venv/lib").glob("python*/site-packages")
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--no-deps"]
        subprocess.run(
            [*pip, "--no-index", "--quiet", "--disable-pip-version-check", wheel],
            check=True,
            capture_output=True,
            env=bare(),
        )
        (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
        self.environment = bare()

    def run(self, *command: object) -> str:
        done = subprocess.run(
            leashed([str(word) for word in command]),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
        return done.stdout

    def inlier(self, *arguments: object) -> str:
        return self.run(self.python.with_name("inlier"), *arguments)


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory) -> Elsewhere:
    return Elsewhere(tmp_path_factory.mktemp("elsewhere"), wheel)


@pytest.fixture(scope="module")
def model(elsewhere) -> Path:
    path = elsewhere.folder / "doorbell.inlier"
    elsewhere.inlier(
        *("train", RECORDED / "windows.csv", "--source", "sockets", "--window", "100ms"),
        *("--allow-constant", "all", "-o", path),
    )
    return path


def test_no_file_of_a_package_is_left_out_and_no_name_but_ours_is_taken(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in PACKAGES.items():
        for path in (ROOT / folder / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT / folder)) in names, "is it in .gitignore?"
    facts = {path.parent.name for path in (ROOT / "boards").glob("*/board.toml")}
    assert facts and {f"inlier_boards/facts/{name}/board.toml" for name in facts} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {*PACKAGES, f"inlier-{inlier.__version__}.dist-info"}


def test_every_module_is_its_own_and_every_command_answers(elsewhere):
    said = elsewhere.run(
        elsewhere.python,
        "-c",
        f"import {', '.join(PACKAGES)} as last; print(inlier.__file__, last)",
    )
    assert str(elsewhere.folder) in said and str(ROOT) not in said
    for command in app.registered_commands:
        elsewhere.inlier(command.callback.__name__, "--help")


def test_it_says_its_version_as_a_command_and_as_a_module(elsewhere):
    expected = f"inlier {inlier.__version__}\n"
    assert elsewhere.inlier("--version") == expected
    assert elsewhere.run(elsewhere.python, "-m", "inlier_host", "--version") == expected
    board = json.loads((ROOT / "firmware/package.json").read_text())
    assert board["version"] == inlier.__version__, "what mip installs is the same"


def test_a_shell_completes_commands_and_options(elsewhere):
    asked = {"_INLIER_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    for typed, at, expected in (
        ("inlier dep", 1, ["deploy"]),
        ("inlier train --fal", 2, ["--false-alarms"]),
    ):
        elsewhere.environment |= {**asked, "COMP_WORDS": typed, "COMP_CWORD": str(at)}
        try:
            assert elsewhere.inlier().split() == expected
        finally:
            elsewhere.environment = bare()


@needs_board("qemu_m0")
def test_it_trains_and_emulates(elsewhere, model):
    windows = elsewhere.folder / "some.csv"
    windows.write_text("".join((RECORDED / "windows.csv").open().readlines()[:41]))
    said = elsewhere.inlier("emulate", model, "--board", "qemu_m0", "--replay", windows, "--json")
    assert json.loads(said)["mismatches"] == 0


@pytest.mark.micropython
def test_it_deploys_onto_a_board_and_reports(elsewhere, model):
    command = [elsewhere.python, "-m", "inlier_boards.serial_line.plug", "unix"]
    with subprocess.Popen(
        leashed(command), stdout=subprocess.PIPE, text=True, env=bare(), cwd=elsewhere.folder
    ) as plugged:
        try:
            port = plugged.stdout.readline().strip()
            said = elsewhere.inlier(
                *("deploy", procfs(elsewhere), "--port", port, "--yes", "--json")
            )
            assert json.loads(said)["main"] == "copied"
        finally:
            plugged.terminate()
    said = elsewhere.inlier("report", RECORDED, "-o", elsewhere.folder / "report.html", "--json")
    assert json.loads(said)["alarms"] == 3


def procfs(elsewhere: Elsewhere) -> Path:
    """A model of what Unix MicroPython counts."""
    path = elsewhere.folder / "procfs.inlier"
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path; "
        "from inlier.procfs import Procfs; from inlier_export.model_file import pack; "
        "from inlier_export.synthetic import random_detector as random; "
        "made = replace(random(3, (8,), Procfs.counters, (0, 2)), source='procfs'); "
        "Path(sys.argv[1]).write_bytes(pack(made))"
    )
    elsewhere.run(elsewhere.python, "-c", code, path)
    return path


@nightly
@needs_board("qemu_m0")
def test_it_builds_a_firmware_and_benches_and_checks_itself(elsewhere, tmp_path):
    find_or_build()
    cache = tmp_path / "cache"  # MicroPython's source is there, no firmware is
    cache.mkdir()
    (cache / "micropython").symlink_to(cache_folder() / "micropython")
    elsewhere.environment = bare() | {"INLIER_CACHE": str(cache)}
    try:
        bench = json.loads(elsewhere.inlier("bench", "--board", "qemu_m0", "--json"))
        checks = json.loads(elsewhere.inlier("selfcheck", "--json"))
    finally:
        elsewhere.environment = bare()
    assert bench and all(check["passed"] for check in checks["checks"])


@nightly
def test_it_demonstrates(elsewhere):
    said = json.loads(elsewhere.inlier("demo", "--out", elsewhere.folder / "out", "--json"))
    assert said["parity"]["mismatches"] == 0
    assert all(bool(s["alarms"]) == (s["kind"] == "attack") for s in said["stages"])
