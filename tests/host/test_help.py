"""`inlier --help` is a page that people read: a line a command, in groups, and
in each command's own help an example that works.
"""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from inlier_host import cli

COMMANDS = typer.main.get_command(cli.app).commands


def page(*arguments):
    done = CliRunner().invoke(cli.app, [*arguments, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_is_told_in_one_line_whole():
    lines = page().splitlines()
    for name, command in COMMANDS.items():
        first = command.help.split("\n\n")[0]
        assert len(first) <= 75 and "\n" not in first and first.endswith("."), first
        assert any(f" {name} " in line and first in line for line in lines), (
            f"`{name}` does not fit in a line of 80 columns"
        )


def test_every_command_is_in_a_group_of_its_own_name():
    groups = {command.rich_help_panel for command in COMMANDS.values()}
    assert groups == set(cli.PANELS) and all(f"─ {group} ─" in page() for group in groups)


WHOLE = [(name,) for name in COMMANDS] + [
    (name, part) for name in COMMANDS for part in getattr(COMMANDS[name], "commands", ())
]


@pytest.mark.parametrize("name", WHOLE, ids=" ".join)
def test_the_example_in_a_command_s_help_is_one_it_takes(name):
    (line,) = re.findall(r"^ *Example: inlier (.*(?:\n [^\n]+)*)$", page(*name), re.M)
    words = shlex.split(line)
    assert tuple(words[: len(name)]) == name
    command, arguments = typer.main.get_command(cli.app), words
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(words[0], arguments)  # raises for an unknown option
