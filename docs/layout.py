"""Draws docs/layout.svg from the imports: `python docs/layout.py`.

tests/host/test_layout.py draws it again and compares, and holds that imports
run down the staircase only.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
# Highest first: a package may import those below it.
STAIRCASE = {
    "inlier_host": ("host", "the command line, live views, the report, the demonstration"),
    "inlier_boards": ("boards", "serial lines, deployment, emulators, firmware, costs, selfchecks"),
    "inlier_trainer": ("trainer", "recordings, captures, training, thresholds, evaluation"),
    "inlier_export": ("export", "detector, NumPy reference, int8, model file, golden vectors"),
    "inlier": ("firmware", "the runtime: on the device and, unchanged, on this computer"),
}
WIDTH, BOX, INDENT, TOP, ROW = 940, 600, 40, 20, 18
STYLE = """
text { font-family: sans-serif; fill: #1c2733 }
.box { fill: #eef4fa; stroke: #35597d; stroke-width: 1.5 }
.name { font-size: 17px; font-weight: bold } .what { font-size: 13px }
.parts { font-size: 12px; fill: #44566a }
.arrow { fill: none; stroke: #35597d; stroke-width: 1.5; marker-end: url(#head) }
"""


def files(package: str) -> list[Path]:
    return sorted((ROOT / STAIRCASE[package][0] / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in it; relative
    ones are its own package's, and left out.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)


def arrows() -> dict[tuple[str, str], list[Path]]:
    """(importing package, imported one) -> the files that import it."""
    found: dict[tuple[str, str], list[Path]] = {}
    for package in STAIRCASE:
        for path in files(package):
            for other in {name.split(".")[0] for name in imported(path)} & set(STAIRCASE):
                if other != package:
                    found.setdefault((package, other), []).append(path)
    return found


def parts(package: str) -> list[str]:
    """Its folders, then its files; device scripts belong to their driver."""
    folder = ROOT / STAIRCASE[package][0] / package
    folders = sorted({path.relative_to(folder).parts[0] + "/" for path in folder.glob("*/*.py")})
    return [*folders, *sorted(path.stem for path in folder.glob("[!_]*.py"))]


def lines(words: list[str], width: int) -> list[str]:
    """Wrapped to `width` letters."""
    told = [""]
    for word in words:
        if len(told[-1]) + len(word) + 2 > width:
            told.append("")
        told[-1] += ("  " if told[-1] else "") + word
    return told


def svg() -> str:
    shapes = []
    tops, left = {}, {}
    at = TOP
    for step, (package, (folder, what)) in enumerate(STAIRCASE.items()):
        told = lines(parts(package), 84)
        height = 52 + ROW * len(told)
        x, tops[package] = TOP + INDENT * step, at
        left[package] = x
        shapes.append(
            f'<rect class="box" x="{x}" y="{at}" width="{BOX}" height="{height}" rx="6"/>'
        )
        text = [("name", f"{folder}/{package}"), ("what", what)]
        text += [("parts", line) for line in told]
        for i, (kind, line) in enumerate(text):
            y = at + 22 + ROW * i
            shapes.append(f'<text class="{kind}" x="{x + 12}" y="{y}">{escape(line)}</text>')
        at += height + 26
    shapes += [arrow(pair, tops, left) for pair in sorted(arrows())]
    head = '<path d="M0 0 L9 4.5 L0 9 z" fill="#35597d"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at}">',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{at}" fill="#ffffff"/>',
            '<defs><marker id="head" markerWidth="9" markerHeight="9" refX="9" refY="4.5" '
            f'orient="auto">{head}</marker></defs>',
            *shapes,
            "</svg>\n",
        ]
    )


def arrow(pair: tuple[str, str], tops: dict[str, int], left: dict[str, int]) -> str:
    """Out of the right side of a box, and down into that of another; each by
    its own way.
    """
    order = list(STAIRCASE)
    above, below = (order.index(package) for package in pair)
    x0, y0 = left[pair[0]] + BOX, tops[pair[0]] + 16 + 13 * (below - above)
    x1, y1 = left[pair[1]] + BOX, tops[pair[1]] + 22 + 13 * (len(order) - below + above - 1)
    way = 800 + 14 * above + 26 * (below - above)
    return (
        f'<path class="arrow" d="M{x0} {y0} H{way - 8} Q{way} {y0} {way} {y0 + 8} '
        f'V{y1 - 8} Q{way} {y1} {way - 8} {y1} H{x1}"/>'
    )


if __name__ == "__main__":
    (ROOT / "docs/layout.svg").write_text(svg())
