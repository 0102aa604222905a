"""What a wheel takes from beside the packages; a checkout finds it in place."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = {
    "firmware/manifest.py": "inlier/manifest.py",
    "firmware/package.json": "inlier/package.json",
    "firmware/lwip": "inlier/lwip",
    "boards/BENCH.md": "inlier_boards/facts/BENCH.md",
}


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        include = build_data["force_include"]
        include |= BESIDE
        for example in Path(self.root).glob("examples/*.py"):
            include[str(example)] = f"inlier_boards/examples/{example.name}"
        for facts in Path(self.root).glob("boards/*/board.toml"):
            folder = facts.parent
            include[str(folder)] = f"inlier_boards/facts/{folder.name}"
