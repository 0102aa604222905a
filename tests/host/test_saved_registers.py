"""Inline assembler gives back the registers that its caller keeps: what lies in
them is the interpreter's, and whether it is missed depends on its compiler.
"""

import ast

import pytest

from inlier_boards.build.firmware import FIRMWARE

KERNELS = FIRMWARE / "inlier/kernels"


def functions(file, decorator):
    """(name, its instructions: [(mnemonic, operands as text)])."""
    for node in ast.parse((KERNELS / file).read_text()).body:
        if not isinstance(node, ast.FunctionDef) or decorator not in ast.dump(node):
            continue
        calls = [line.value for line in node.body if isinstance(line, ast.Expr)]
        yield (
            node.name,
            [
                (call.func.id, [ast.unparse(word) for word in call.args])
                for call in calls
                if isinstance(call, ast.Call)
            ],
        )


@pytest.mark.parametrize("file", ["thumb.py", "thumb_autoencoder.py"])
def test_high_registers_of_thumb_are_saved_and_restored(file):
    """By way of low ones: ARMv6-M pushes no others."""
    seen = 0
    for name, code in functions(file, "asm_thumb"):
        high = {f"r{i}" for i in range(8, 12)}
        used = {args[0] for word, args in code if word == "mov"} & high
        if not used:
            continue
        seen += 1
        push = next(i for i, (word, _) in enumerate(code) if word == "push")
        pop = max(i for i, (word, _) in enumerate(code) if word == "pop")
        saved = {args[1]: args[0] for word, args in code[:push] if word == "mov"}
        restored = {args[0]: args[1] for word, args in code[pop:] if word == "mov"}
        assert code[push][1] == code[pop][1], name
        assert saved == restored and used <= set(saved), name
    assert seen


def test_saved_registers_of_risc_v_are_saved_and_restored():
    seen = 0
    for name, code in functions("rv32.py", "asm_rv32"):
        kept = {f"s{i}" for i in range(12)}
        stores = [args for word, args in code if word == "sw" and args[1].endswith("(sp)")]
        loads = [args for word, args in code if word == "lw" and args[1].endswith("(sp)")]
        used = {args[0] for word, args in code if args and word != "sw"} & kept
        assert stores == loads and used == {args[0] for args in stores}, name
        moved = [args for word, args in code if word == "addi" and args[0] == "sp"]
        assert sum(int(args[2]) for args in moved) == 0, name
        seen += bool(used)
    assert seen
