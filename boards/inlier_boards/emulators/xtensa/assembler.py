"""The few Xtensa instructions of the harness's own code: no compiler for that
is needed. Encodings: Xtensa Instruction Set Architecture Reference Manual,
chapter 8; all are three bytes, little-endian.
"""

import struct

# Special registers, for rsr and wsr.
WINDOW_START, EPC1, PS, EXCCAUSE, CCOUNT, EXCVADDR = 73, 177, 230, 232, 234, 238
SEMIHOSTING = 0x005100  # simcall
RSYNC = 0x002010
RETW = 0x000090


class Assembler:
    """Code that will lie at address `at`. l32r reads behind itself alone, so
    that the literals come first.
    """

    def __init__(self, at: int, literals: int = 32) -> None:
        self.at = at
        self._literals: list[int] = []
        self._room = literals
        self._code = bytearray()
        self.labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    @property
    def here(self) -> int:
        return self.at + 4 * self._room + len(self._code)

    def label(self, name: str) -> int:
        """Aligned, as the target of a call has to be. Returns its address."""
        self._code += bytes(-len(self._code) % 4)
        self.labels[name] = self.here
        return self.here

    def emit(self, instruction: int) -> None:
        self._code += instruction.to_bytes(3, "little")

    def jump(self, name: str) -> None:
        self._jumps.append((self.here, name))
        self.emit(0x06)

    def skip_if_zero(self, s: int) -> None:
        """beqz, over the next instruction."""
        self.emit(2 << 12 | s << 8 | 0x16)

    def jump_register(self, s: int) -> None:
        self.emit(s << 8 | 0xA0)

    def call8(self, s: int) -> None:
        self.emit(s << 8 | 0xE0)

    def entry(self) -> None:
        self.emit((32 >> 3) << 12 | 1 << 8 | 0x36)  # of a frame of 32 bytes below a1

    def literal(self, t: int, value: int) -> None:
        if value not in self._literals:
            self._literals.append(value)
            assert len(self._literals) <= self._room
        at = self.at + 4 * self._literals.index(value)
        self.emit((at - (self.here + 3 & -4) >> 2 & 0xFFFF) << 8 | t << 4 | 0x1)

    def move_small(self, t: int, value: int) -> None:
        assert -2048 <= value < 2048
        self.emit((value & 0xFF) << 16 | 0xA << 12 | (value >> 8 & 0xF) << 8 | t << 4 | 0x2)

    def add(self, r: int, s: int, t: int) -> None:
        self.emit(0x800000 | r << 12 | s << 8 | t << 4)

    def add_small(self, t: int, s: int, value: int) -> None:
        assert -128 <= value < 128
        self.emit((value & 0xFF) << 16 | 0xC << 12 | s << 8 | t << 4 | 0x2)

    def subtract(self, r: int, s: int, t: int) -> None:
        self.emit(0xC00000 | r << 12 | s << 8 | t << 4)

    def load(self, t: int, s: int, offset: int) -> None:
        self.emit((offset >> 2) << 16 | 0x2 << 12 | s << 8 | t << 4 | 0x2)

    def store(self, t: int, s: int, offset: int) -> None:
        self.emit((offset >> 2) << 16 | 0x6 << 12 | s << 8 | t << 4 | 0x2)

    def read_special(self, t: int, register: int) -> None:
        self.emit(0x030000 | register << 8 | t << 4)

    def write_special(self, t: int, register: int) -> None:
        self.emit(0x130000 | register << 8 | t << 4)

    def assembled(self) -> bytes:
        """Literals and code."""
        first = self.at + 4 * self._room
        for at, name in self._jumps:
            code = jump(at, self.labels[name]).to_bytes(3, "little")
            self._code[at - first : at - first + 3] = code
        literals = self._literals + [0] * (self._room - len(self._literals))
        return struct.pack(f"<{self._room}I", *literals) + bytes(self._code)


def jump(at: int, to: int) -> int:
    """The instruction at one address that goes to the other."""
    return (to - at - 4 & 0x3FFFF) << 6 | 0x06
