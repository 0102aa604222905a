"""The pages for people lead somewhere: what they link to is there, and what
they tell to run exists.
"""

import re
from pathlib import Path

import pytest

import inlier

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("boards/*/README.md")]
PAGES += ROOT.glob(".github/**/*.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_target_that_the_pages_name_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for target in re.findall(r"(?:`|^ {4})make ([a-z]+)(?=[`\s])", page.read_text(), re.M):
            assert target in targets, f"{page.name} says make {target}"


def test_the_readme_is_read_in_a_minute():
    assert len((ROOT / "README.md").read_text().splitlines()) < 100


def test_the_changelog_has_the_version_that_is_installed():
    heading = "Unreleased" if inlier.__version__.endswith(".dev0") else inlier.__version__
    assert f"\n## [{heading}]" in (ROOT / "CHANGELOG.md").read_text()


def test_ten_look_ups_are_found_at_first_look():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = dict(re.findall(r"^\| (.*?) \| (.*?) \|$", page, re.M))
    for asked in (
        "the alarm rule",
        "the model reader",
        "the pcap reader",
        "the Pico's facts",
        "the benign range of a counter",
        "recording from a board",
        "the infection check of a recording",
        "the HTML report",
        "the example application",
        "the file format",
    ):
        assert re.search(r"\]\([a-z]+/", rows[asked]), asked
