"""Counts the instructions of calls on an emulated board, whose timer goes with
the instructions (-icount).
"""

import gc

from machine import mem32


class SysTick:
    """Cortex-M's timer. Each start() begins its count anew, so that the same
    instructions give the same ticks.
    """

    def __init__(self):
        mem32[0xE000E014] = 0xFFFFFF
        self.start()
        mem32[0xE000E010] = 5

    def start(self):
        mem32[0xE000E018] = 0

    def ticks(self):
        return 0xFFFFFF - mem32[0xE000E018]


def timer(name):
    """By the name in a board.toml: start(), then ticks() since."""
    if name == "systick":
        return SysTick()
    from instret import InstRet  # inline assembler of RISC-V, which no other board compiles

    return InstRet()


def empty0():
    pass


def empty1(a):
    pass


def empty2(a, b):
    pass


def empty3(a, b, c):
    pass


def ticks(timer, call, arguments, times):
    """Ticks of so many calls, with what a call costs: subtract those of an
    empty function.
    """
    gc.collect()
    gc.disable()  # one collection costs more than all that is counted here
    timer.start()
    for _ in range(times):
        call(*arguments)
    result = timer.ticks()
    gc.enable()
    return result
