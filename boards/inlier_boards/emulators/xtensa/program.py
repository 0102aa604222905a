"""What lies in the emulated core's memory: the kernel's native code, the
objects of MicroPython that such code looks at, a model, its windows, and a loop
that hands them to the kernel and sends the results to the host.

Of MicroPython's functions the kernel calls two, which convert its arguments and
its result; here they are pointers and integers already, and come back as they
are. Any other is trapped, and so is any exception: no call is deep enough to
spill a register window (three windows of eight in 32 registers).
"""

import struct
from dataclasses import dataclass

import numpy as np

from inlier.counters import DELTA_MAX
from inlier.kernels import native
from inlier.model import Model
from inlier_export.reference import Ints

from .assembler import (
    CCOUNT,
    EPC1,
    EXCCAUSE,
    EXCVADDR,
    PS,
    RETW,
    RSYNC,
    SEMIHOSTING,
    WINDOW_START,
    Assembler,
    jump,
)

RESET, RAM, RAM_BYTES = 0xFE000000, 0xD0000000, 0x08000000  # of QEMU's machine `sim`, core dc232b
CODE, DATA = RAM + 0x400, RAM + 0x2000
VECTORS = tuple(range(0, 0x400, 0x40))  # window spills, interrupts, exceptions
WINDOWED = 1 << 18 | 15  # PS: windows on, no interrupt
EXIT, WRITE, STDOUT = 1, 4, 1  # of the semihosting
FAULTED, CALLED = 40, 41  # exit codes: an exception, and a function that is not here
# py/nativeglue.c, mp_fun_table
FROM_OBJ, TO_OBJ, TABLE = 3, 4, 100
# What the calls come with beside the function's own instructions: callx8, and
# the first of the two readings of CCOUNT.
AROUND = 2
RESULT = struct.Struct("<6I")  # CCOUNT's ticks of the three, the error, two sums
ARGUMENTS = (
    ("features", ("deltas", "params", "work")),
    ("autoencoder", ("params", "work")),
    ("evidence", ("params", "work", "sums")),
)


@dataclass(frozen=True)
class Program:
    """reset: what lies at RESET.
    memory: at RAM.
    answer_bytes: of each window: RESULT and the work buffer.
    """

    reset: bytes
    memory: bytes
    answer_bytes: int


class _Memory:
    def __init__(self) -> None:
        self.content = bytearray(DATA - RAM)

    def place(self, data: bytes, odd: bool = False) -> int:
        """Its address: a word's, or the odd one after it."""
        self.content += bytes(-len(self.content) % 4 + odd)
        at = RAM + len(self.content)
        self.content += data
        return at

    def words(self, *values: int) -> int:
        return self.place(struct.pack(f"<{len(values)}I", *values))


def program(functions: dict[str, bytes], model: Model, deltas: Ints) -> Program:
    """Of windows `deltas` (n, counters).

    functions: by name, as native_code has them.
    """
    memory = _Memory()
    code = Assembler(CODE)
    table = _fun_table(code)
    work = bytes(native.prepare(model)[0])
    result = memory.place(bytes(RESULT.size) + work)
    windows = np.minimum(deltas, DELTA_MAX).astype("<i4")  # as counters.py has them
    address = {
        # The model file may begin anywhere.
        "params": memory.place(bytes(model.params), odd=True),
        "work": result + RESULT.size,
        "sums": result + RESULT.size - 8,
        "deltas": memory.place(windows.tobytes()),
    }
    # obj_table begins with mp_fun_table; py/obj.h, mp_module_context_t and
    # py/objfun.h, mp_obj_fun_bc_t
    context = memory.words(0, 0, 0, memory.words(memory.words(*table)))
    function = memory.words(0, context)
    calls = {
        name: (memory.place(functions[name]), memory.words(*(address[a] for a in arguments)))
        for name, arguments in ARGUMENTS
    }
    stack = memory.place(bytes(1024)) + 1024
    answer_bytes = RESULT.size + len(work)
    begin = code.label("begin")
    for register, value in ((WINDOW_START, 1), (PS, WINDOWED)):
        code.literal(2, value)
        code.write_special(2, register)
    code.emit(RSYNC)
    code.literal(1, stack - 64 & -16)
    code.literal(6, len(windows))
    code.literal(7, result)
    code.label("window")
    code.skip_if_zero(6)
    code.jump("score")
    code.jump("end")
    code.label("score")
    code.add_small(6, 6, -1)
    for i, (name, arguments) in enumerate(ARGUMENTS):
        at, where = calls[name]
        code.literal(10, function)
        code.move_small(11, len(arguments))
        code.move_small(12, 0)
        code.literal(13, where)
        code.literal(8, at)
        code.read_special(4, CCOUNT)
        code.call8(8)
        code.read_special(5, CCOUNT)
        code.subtract(5, 5, 4)
        code.store(5, 7, 4 * i)
        if name == "autoencoder":
            code.store(10, 7, 12)
    _send(code, result, answer_bytes)
    code.literal(2, calls["features"][1])
    code.load(3, 2, 0)
    code.literal(4, 4 * windows.shape[1])
    code.add(3, 3, 4)
    code.store(3, 2, 0)
    code.jump("window")
    code.label("end")
    _exit(code, 0)
    _traps(code, memory.words(0, 0, 0))
    memory.content[: DATA - RAM] = _low(code)
    assert len(memory.content) < RAM_BYTES
    reset = Assembler(RESET + 4, literals=1)
    reset.literal(2, begin)
    reset.jump_register(2)
    first = jump(RESET, RESET + 8).to_bytes(3, "little") + b"\0"
    return Program(first + reset.assembled(), bytes(memory.content), answer_bytes)


def _low(code: Assembler) -> bytes:
    """Up to DATA: the vectors, each a jump, and the code."""
    content = bytearray(DATA - RAM)
    assembled = code.assembled()
    assert CODE + len(assembled) <= DATA
    content[CODE - RAM : CODE - RAM + len(assembled)] = assembled
    for at in VECTORS:
        content[at : at + 3] = jump(RAM + at, code.labels["fault"]).to_bytes(3, "little")
    return bytes(content)


def _fun_table(code: Assembler) -> list[int]:
    """mp_fun_table: the address of each of its functions."""
    same = code.label("same")
    code.entry()
    code.emit(RETW)  # its first argument is its result
    table = []
    for i in range(TABLE):
        if i in (FROM_OBJ, TO_OBJ):
            table.append(same)
            continue
        table.append(code.label(f"entry {i}"))
        code.entry()
        code.move_small(5, i)
        code.jump("called")
    table[0] = 0  # no function but None, which the kernel returns
    return table


def _send(code: Assembler, at: int, length: int) -> None:
    code.move_small(2, WRITE)
    code.move_small(3, STDOUT)
    code.literal(4, at)
    code.literal(5, length)
    code.emit(SEMIHOSTING)


def _exit(code: Assembler, status: int) -> None:
    code.move_small(2, EXIT)
    code.move_small(3, status)
    code.emit(SEMIHOSTING)


def _traps(code: Assembler, words: int) -> None:
    """Where an exception, and a function of MicroPython's that is not here,
    end: they send what they know, and stop.
    """
    code.label("fault")
    code.literal(6, words)
    for i, register in enumerate((EXCCAUSE, EPC1, EXCVADDR)):
        code.read_special(5, register)
        code.store(5, 6, 4 * i)
    _send(code, words, 12)
    _exit(code, FAULTED)
    code.label("called")
    code.literal(6, words)
    code.store(5, 6, 0)
    _send(code, words, 12)
    _exit(code, CALLED)
