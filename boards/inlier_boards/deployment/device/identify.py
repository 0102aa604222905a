"""Says what board this is, as a literal, for inlier_boards/deployment."""

import os
import sys


def _stat(path):
    try:
        return os.stat(path)
    except OSError:
        return None


def _lib():
    for path in sys.path:
        if path.endswith("lib"):
            return path
    return "lib"  # a firmware without one: beside main.py


def _frozen_version():
    try:
        import inlier
    except ImportError:
        return ""
    version = getattr(inlier, "__version__", "unknown")
    frozen = _stat(inlier.__file__) is None  # what is frozen has no file
    for name in list(sys.modules):
        if name.split(".")[0] == "inlier":
            del sys.modules[name]
    return version if frozen else ""


def facts():
    space = os.statvfs("." if sys.platform == "linux" else "/")
    name, version = sys.implementation[:2]
    return {
        "name": name,
        "version": tuple(version[:3]),
        "machine": getattr(sys.implementation, "_machine", sys.platform),
        "mpy": getattr(sys.implementation, "_mpy", 0),
        "block_bytes": space[0],
        "free_bytes": space[1] * space[3],
        "lib": _lib(),
        "frozen": _frozen_version(),
        "main": _stat("main.py") is not None,
    }


print(repr(facts()))
