"""The site is built without a warning, and every command has its part in it."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from inlier_host.cli import app

ROOT = Path(__file__).parents[2]


def commands(group):
    """The names that lead to each of its commands."""
    for name, one in group.commands.items():
        yield (name,)
        if hasattr(one, "commands"):
            yield from ((name, *names) for names in commands(one))


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("furo", reason="pip install 'inlier[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        + ["-d", tmp_path / "doctrees", ROOT / "docs", tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html/command_line.html").read_text()
    for names in commands(typer.main.get_command(app)):
        assert f'id="inlier-{"-".join(names)}"' in page, names
    assert "...</p>" not in page, "what each command does is told whole"
