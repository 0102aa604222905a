"""Prints what the runtime costs: lines and `.mpy` bytes of every file of
firmware/inlier.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

import inlier

from .micropython import mpy_cross

RUNTIME = Path(inlier.__file__).parent
# What compiles for other cores alone.
ARCHITECTURES = {"kernels/dsp.py": "armv7em", "kernels/rv32.py": "rv32imc"}


def measure() -> list[tuple[str, int, int]]:
    """(file, lines, bytes of bytecode; native code is compiled for ARMv6-M,
    where it can be) of each file. Raises BadInput.
    """
    compiler = mpy_cross()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(RUNTIME.rglob("*.py")):
            out = Path(folder) / "out.mpy"
            name = str(path.relative_to(RUNTIME))
            arch = ARCHITECTURES.get(name, "armv6m")
            subprocess.run([compiler, f"-march={arch}", "-o", out, path], check=True)
            rows.append(
                (
                    name,
                    len(path.read_text().splitlines()),
                    out.stat().st_size,
                )
            )
    return rows


def main() -> int:
    rows = measure()
    table = Table("firmware/inlier", "lines", ".mpy bytes (armv6m)")
    for name, lines, size in rows:
        table.add_row(name, str(lines), str(size))
    table.add_section()
    table.add_row("all", str(sum(row[1] for row in rows)), str(sum(row[2] for row in rows)))
    Console(width=80).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
