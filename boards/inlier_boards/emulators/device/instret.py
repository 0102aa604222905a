"""RISC-V's register of retired instructions."""

import micropython


@micropython.asm_rv32
def _minstret():
    csrrs(a0, zero, 0xB02)


class InstRet:
    def start(self):
        self._start = _minstret()

    def ticks(self):
        return _minstret() - self._start & 0x3FFFFFFF
