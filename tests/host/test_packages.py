"""What mip installs is the whole runtime, but for what only CPython needs."""

import json
from pathlib import Path

FIRMWARE = Path(__file__).parents[2] / "firmware"


def test_mip_installs_every_file_of_the_runtime():
    urls = json.loads((FIRMWARE / "package.json").read_text())["urls"]
    files = {str(p.relative_to(FIRMWARE)) for p in (FIRMWARE / "inlier").rglob("*.py")}
    assert {source for _, source in urls} == files - {"inlier/socket_cpython.py"}
    assert all(target == source for target, source in urls)
