"""What a wheel takes from beside the packages; a checkout finds it in place."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = {
    "firmware/manifest.py": "inlier/manifest.py",
    "firmware/package.json": "inlier/package.json",
    "examples": "inlier_boards/examples",
    "boards/BENCH.md": "inlier_boards/facts/BENCH.md",
}


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        build_data["force_include"] |= BESIDE
        for facts in Path(self.root).glob("boards/*/board.toml"):
            folder = facts.parent
            build_data["force_include"][str(folder)] = f"inlier_boards/facts/{folder.name}"
