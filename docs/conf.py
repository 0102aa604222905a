"""The site: `make docs` builds it into build/docs."""

import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT / room) for room in ("firmware", "export", "trainer", "boards", "host")]

import typer.cli

import inlier
from inlier_host.cli import app as commands

project = "inlier"
author = copyright = "inlier's authors, MIT licence"
release = inlier.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "inlier"
html_static_path = html_css_files = ["site.css"]
highlight_language = "text"
smartquotes = False  # two dashes begin an option
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a page that is another file begins where that does
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_mock_imports = ["umqtt"]  # of a device's own library

# Pages that stand elsewhere, where people look for them on the way to the code.
ELSEWHERE = {"security": "SECURITY.md", "changes": "CHANGELOG.md", "costs": "boards/BENCH.md"}
ELSEWHERE |= {
    page.stem: f"boards/{page.stem.removeprefix('board_')}/README.md"
    for page in DOCS.glob("board_*.md")
}


def linked(text, folder):
    """Links as they are from docs/: another page, a file to download, or
    plain words where the site has neither.
    """

    def one(match):
        words, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match.group()
        path, _, anchor = target.partition("#")
        found = (folder / path).resolve()
        pages = {(ROOT / file).resolve(): f"{page}.md" for page, file in ELSEWHERE.items()}
        if found in pages:
            found = DOCS / pages[found]
        if (found.suffix == ".md" and found.parent != DOCS) or found.is_dir():
            return words.strip("`") if words.startswith("`") else words
        return f"[{words}]({os.path.relpath(found, DOCS)}{'#' if anchor else ''}{anchor})"

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", one, text)


def each_of(group):
    """The commands in it, and in its groups."""
    for one in group.commands.values():
        yield one
        if hasattr(one, "commands"):
            yield from each_of(one)


def source(sphinx, page, content):
    if page == "command_line":
        command = typer.main.get_command(commands)
        context = typer.Context(command, info_name="inlier")
        text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="inlier")
        text = text.partition("**Usage**")[2]  # the page has a title
        for one in each_of(command):  # whole, not cut at 45 letters
            whole = one.help.partition("\n\n")[0]
            text = text.replace(f"`: {one.get_short_help_str()}\n", f"`: {whole}\n")
        content[0] += "**Usage**" + re.sub(r"^Example: (.*)$", r"Example: `\1`", text, flags=re.M)
    if page in ELSEWHERE:
        file = ROOT / ELSEWHERE[page]
        content[0] = linked(file.read_text(), file.parent)
    else:
        content[0] = linked(content[0], DOCS)


def plain(sphinx, what, name, obj, options, lines):
    """The runtime's docstrings are plain text: shown as they are written."""
    lines[:] = ["::", "", *("    " + line for line in lines), ""]


def setup(sphinx):
    sphinx.connect("source-read", source)
    sphinx.connect("autodoc-process-docstring", plain)
