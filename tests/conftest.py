"""Marks say what a test needs, and skip it where that is not installed; tests
that share something costly stay on one worker.
"""

import os

import pytest

from inlier_boards.catalogue import names
from tools_missing import missing, missing_tool

# Most people have it not; with it a program that forgets to flush seems to
# work.
os.environ.pop("PYTHONUNBUFFERED", None)

# Each trains, and most of them several times.
TRAINING = (
    "test_evaluate",
    "test_fit",
    "test_fleet",
    "test_fleet_report",
    "test_nbaiot",
    "test_nightly",
    "test_type_captures",
    "test_units",
)
EMULATED = names(emulated=True)
INTERPRETERS = ("unix", "micropython")
# Their tests share nothing, and are many: any worker takes the next one.
SPREAD = ("test_device", "test_selfcheck", "test_mqtt", "test_nightly")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        for value in values:
            if not isinstance(value, str):
                continue
            if value in EMULATED:
                item.add_marker(pytest.mark.boards(value))
            elif value in INTERPRETERS:
                item.add_marker(pytest.mark.micropython)
        if item.module.__name__ in TRAINING:
            item.add_marker(pytest.mark.slow)
        if item.module.__name__ not in SPREAD:
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
    # What takes longest begins first, so that no worker is left with it alone.
    items.sort(key=lambda item: not item.get_closest_marker("slow"))


def pytest_runtest_setup(item):
    for mark in item.iter_markers("boards"):
        for name in mark.args:
            if reason := missing(name):
                pytest.skip(reason)
    for mark in (*item.iter_markers("browser"), *item.iter_markers("tool")):
        for command in mark.args:
            if reason := missing_tool(command):
                pytest.skip(reason)
