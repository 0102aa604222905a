"""What mpy-cross makes of a kernel in viper for Xtensa: its functions' native
code.
"""

import ast
import importlib.util
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import inlier
from inlier_boards.build.micropython import mpy_cross, source_tree
from inlier_export.errors import BadInput
from inlier_trainer.files import LEAST, check_room

ARCH = "xtensawin"
VIPER = Path(inlier.__file__).parent / "kernels/viper.py"


def functions(source: Path = VIPER, arch: str = ARCH) -> dict[str, bytes]:
    """By name. Raises BadInput."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.mpy"
        done = subprocess.run(
            [mpy_cross(), f"-march={arch}", "-o", file, source],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise BadInput(f"{source}: mpy-cross does not compile it for {arch}: {said[-1]}")
        check_room(Path(folder), LEAST)  # it says nothing of a full disk
        module = _mpy_tool().read_mpy(str(file)).raw_code
    names = [
        node.name
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    # In the order of the source. A scope flag beyond the function's own says
    # that the code is to be relocated, which viper's never is.
    assert not any(code.scope_flags & ~0x0F for code in module.children)
    return dict(zip(names, (bytes(code.fun_data) for code in module.children), strict=True))


@cache
def _mpy_tool() -> ModuleType:
    """MicroPython's reader of .mpy files, of the same source as mpy-cross."""
    tree = source_tree()
    sys.path.insert(0, str(tree / "py"))  # which it imports from
    try:
        spec = importlib.util.spec_from_file_location("mpy_tool", tree / "tools/mpy-tool.py")
        assert spec and spec.loader
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
    finally:
        sys.path.remove(str(tree / "py"))
    # What its own main() sets.
    tool.config.native_arch = tool.MP_NATIVE_ARCH_NONE
    vars(tool)["global_qstrs"] = tool.GlobalQStrList()
    return tool
