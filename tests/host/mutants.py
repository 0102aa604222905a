"""`make mutants`: puts one small fault after the other into a module and runs
the tests that cover it; a fault that they don't notice is a survivor.

tests/mutants/covered.toml says which tests cover which module, and of which the
constants are left alone, for they are choices (`tuned`); survivors.toml which
survivors are known, and why each may live. One that is not listed fails.
Arguments are parts of modules' paths, to look at these alone.

A fault is written into a copy of the tree, one copy a core. The tests run in a
process forked from this one, which has loaded what is slow to load; what
CPython does not notice, Unix MicroPython, where native kernels run, may.
cosmic-ray does the same with ten replacements for each operator and a new
interpreter for each; mutmut finds no test for a module that lies in a folder
which is no package.
"""

import ast
import compileall
import contextlib
import copy
import ctypes
import gc
import importlib.util
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "tests/mutants"
FOLDERS = ("firmware", "export", "trainer", "boards", "host")
SLOW_TO_LOAD = (
    "pytest", "xdist", "hypothesis", "numpy", "scipy.optimize", "scipy.stats", "dpkt", "typer",
    "rich.progress", "polars", "mpremote", "paho.mqtt.client", "pytest_timeout",
    "urllib.request", "tarfile", "pdb",
    "sklearn.utils.validation",
)  # fmt: skip
MEMORY_BYTES = 4 << 30  # a fault may make a loop that gathers without end
_OTHER: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
_DROPPED = (ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Expr)

_LEFT_OUT = ("decorator_list", "returns", "annotation")


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(what is replaced, by what): `node`, or the condition that it asks."""

    def but(**fields: object) -> tuple[ast.AST, ast.AST]:
        other = copy.copy(node)
        vars(other).update(fields)
        return node, other

    match node:
        case ast.Compare(ops=[op]) if type(op) in _OTHER:
            yield but(ops=[_OTHER[type(op)]()])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OTHER:
            yield but(op=_OTHER[type(op)]())
        case ast.BoolOp(values=values):
            for i in range(len(values)):
                yield but(values=values[:i] + values[i + 1 :])
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield node, operand
        case ast.Constant(value=bool() as value):
            yield node, ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield node, ast.Constant(value + 1)
            yield node, ast.Constant(value - 1)
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            yield but(func=ast.Name("max" if name == "min" else "min"))
        case ast.Return(value=ast.Constant(value=None | False)):
            pass  # no value is as false
        case ast.Return(value=ast.AST()):
            yield but(value=None)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield test, ast.Constant(True)
            yield test, ast.Constant(False)
    if isinstance(node, _DROPPED) and not isinstance(getattr(node, "value", None), ast.Constant):
        yield node, ast.Pass()


def left_out(node: ast.AST) -> bool:
    """f-strings, whose places Python 3.11 does not know, and zip's strict,
    which is an assertion.
    """
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.keyword) and node.arg == "strict"
    )


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """All below `node` but types, decorators and what is left_out()."""
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST) and name not in _LEFT_OUT and not left_out(part):
                yield part
                yield from parts(part)


def without_constants(tree: ast.Module) -> ast.Module:
    """But for what a module assigns to names in capitals."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper())
    ]
    return tree


def faults(source: str, tuned: bool) -> Iterator[tuple[int, str, str, str]]:
    """(line's number, its text, its text with the fault, the whole with it)."""
    whole = source.encode()
    starts = [0]
    for text in whole.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    tree = ast.parse(source)
    for node in parts(without_constants(tree) if tuned else tree):
        for place, change in changes(node):
            begin = starts[place.lineno - 1] + place.col_offset
            end = starts[place.end_lineno - 1] + place.end_col_offset
            new = ast.unparse(ast.fix_missing_locations(change))
            new = new if isinstance(change, ast.stmt) else f"({new})"
            line = place.lineno - 1
            mutated = (whole[:begin] + new.encode() + whole[end:]).decode()
            was, now = (text.splitlines()[line].strip() for text in (source, mutated))
            yield line + 1, was, now, mutated


def run_tests(copied: Path, device: Sequence[str], host: Sequence[str], limit_s: float) -> None:
    """In a process of its own, which it ends: with 0 if all pass."""
    os.setsid()
    signal.alarm(int(limit_s) + 5)  # should this one be killed, it ends by itself
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    failed = True
    with contextlib.suppress(BaseException):
        sys.path[:0] = [str(copied / folder) for folder in (*FOLDERS, "tests/device", "tests/host")]
        failed = bool(device and importlib.import_module("run").main([*device]))
        if not failed and device and (micropython := os.environ.get("MICROPYTHON")):
            run = [micropython, copied / "tests/device/run.py", *device]
            failed = subprocess.run(run, check=False).returncode != 0
        if not failed and host:
            paths = [str(copied / "tests/host" / test) for test in host]
            # without its plugins but those whose marks the tests have; their
            # time limit would take the alarm above
            options = ["-qx", "--assert=plain", "-p", "no:cacheprovider", "-p", "xdist"]
            options += ["-p", "pytest_timeout", "--timeout=0"]
            failed = sys.modules["pytest"].main([*options, *paths]) != 0
    os._exit(failed)


def noticed(copied: Path, device: Sequence[str], host: Sequence[str], limit_s: float) -> bool:
    """Whether a test fails, or takes so long."""
    child = os.fork()
    if not child:
        run_tests(copied, device, host, limit_s)
    until = time.monotonic() + limit_s
    ended = code = 0
    while not ended and time.monotonic() < until:
        time.sleep(0.005)
        ended, code = os.waitpid(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and whatever the tests have started
    if not ended:
        os.waitpid(child, 0)
    return not ended or code != 0


def survivors(
    copied: Path,
    name: str,
    device: Sequence[str] = (),
    host: Sequence[str] = (),
    tuned: bool = False,
) -> Iterator[tuple]:
    path = copied / name
    source, begun, count = path.read_text(), time.monotonic(), 0
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    if noticed(copied, device, host, 600):
        sys.exit(f"{name}: its tests fail without any fault: {*device, *host}")
    limit_s = 5 + 10 * (time.monotonic() - begun)
    for line, was, now, mutated in faults(source, tuned):
        path.write_text(mutated)
        count += 1
        if not noticed(copied, device, host, limit_s):
            yield line, was, now
    path.write_text(source)
    print(f"{name}: {count} faults tried", flush=True)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, of Linux


def copy_of_tree(folder: Path) -> Path:
    """One a worker, into which it writes its faults, and where its tests run."""
    copied = folder / str(os.getpid())
    for part in (*FOLDERS, "tests", "examples", "docs"):
        shutil.copytree(ROOT / part, copied / part)
    shutil.copy(ROOT / "pyproject.toml", copied)
    compileall.compile_dir(copied, quiet=1)
    os.environ["PYTHONPATH"] = os.pathsep.join(str(copied / part) for part in FOLDERS)
    os.environ["MICROPYPATH"] = f"{copied}/firmware:{copied}/tests/device:.frozen"
    os.chdir(copied)
    return copied


def look_at(folder: Path, name: str, tests: dict, argued: list[dict]) -> int:
    """Prints what is not argued, as survivors.toml would; returns how many."""
    copied = Path.cwd() if Path.cwd().parent == folder else copy_of_tree(folder)
    known = {(s["was"], s["now"]) for s in argued}
    gone, new = set(known), 0
    for line, was, now in survivors(copied, name, **tests):
        gone.discard((was, now))
        if (was, now) not in known:
            new += 1
            texts = "\n".join(f"{k} = {json.dumps(v)}" for k, v in (("was", was), ("now", now)))
            print(
                f"# {name}:{line}\n[[{json.dumps(name)}]]\n{texts}\nwhy = \n\n", end="", flush=True
            )
    for was, now in sorted(gone):
        print(f"{name}: argued, but noticed: {was} -> {now}", flush=True)
    return new


def main(wanted: list[str]) -> int:
    sys.dont_write_bytecode = True  # its time stamps are too coarse to tell two faults apart
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    covered = tomllib.loads((LISTS / "covered.toml").read_text())
    argued = tomllib.loads((LISTS / "survivors.toml").read_text())
    for name in SLOW_TO_LOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # or each child looks through all that once more
    fork = multiprocessing.get_context("fork")  # for workers that have loaded it all
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(os.cpu_count(), fork, die_with_parent) as workers,
    ):
        looks = [
            workers.submit(look_at, Path(folder).resolve(), name, tests, argued.get(name, []))
            for name, tests in covered.items()
            if not wanted or any(part in name for part in wanted)
        ]
        new = sum(look.result() for look in looks)
    print(f"{new} survivors that tests/mutants/survivors.toml does not argue")
    return int(new > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
