"""The house: imports run down one staircase, the runtime's core needs no
platform, and the picture of it is drawn from the imports.
"""

import ast
import sys
from pathlib import Path

import inlier

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import layout

RUNTIME = Path(inlier.__file__).parent
# What a bare board does without, and what only one kind of board has.
PLATFORM = {"esp32", "machine", "network", "rp2", "select", "socket", "ssl", "umqtt"}
CLOCKS = {"asyncio", "time"}
# What scores: with its kernels, model and alarm, but without a clock.
CORE = ("pipeline.py", *(f"kernels/{path.name}" for path in (RUNTIME / "kernels").glob("*.py")))


def within(path: Path) -> set[Path]:
    """The runtime's own files that one of them imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                place = folder / name.replace(".", "/")
                found |= {
                    p for p in (place.with_suffix(".py"), place / "__init__.py") if p.exists()
                }
    return found


def reached(*starts: str) -> set[Path]:
    found: set[Path] = set()
    waiting = [RUNTIME / start for start in starts]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += within(path)
    return found


def outside(path: Path) -> set[str]:
    return {name.split(".")[0] for name in layout.imported(path)}


def test_imports_run_down_the_staircase_only():
    order = list(layout.STAIRCASE)
    for (importing, imported), files in layout.arrows().items():
        assert order.index(importing) < order.index(imported), (
            f"{files[0].relative_to(ROOT)} imports {imported}, which lies above it"
        )
    assert len(layout.arrows()) == 10, "each floor uses all those below it"


def test_the_picture_shows_what_is_imported():
    assert (ROOT / "docs/layout.svg").read_text() == layout.svg(), "run python docs/layout.py"


def test_what_scores_needs_no_clock_no_sockets_and_no_board():
    core = reached(*CORE)
    assert RUNTIME / "alarm.py" in core and RUNTIME / "features.py" in core
    for path in core:
        assert not outside(path) & (PLATFORM | CLOCKS), path.relative_to(RUNTIME)


def test_only_leaf_files_of_the_runtime_know_a_platform():
    """Each stands in for a platform's sockets, carries an alarm away, or names
    the board that records.
    """
    leaves = {path for path in RUNTIME.rglob("*.py") if outside(path) & PLATFORM}
    assert leaves
    for path in leaves:
        name = path.relative_to(RUNTIME)
        sockets = "socket" in name.stem or name.stem == "counting_cpython"
        assert sockets or name.parts[0] == "sinks" or name.stem == "recorder", name
    assert not leaves & reached("monitor.py", "ring.py", "procfs.py", "replay.py")


def test_no_file_of_the_runtime_imports_itself_by_a_detour():
    for path in RUNTIME.rglob("*.py"):
        behind = reached(*(str(p.relative_to(RUNTIME)) for p in within(path)))
        assert path not in behind, path.relative_to(RUNTIME)
