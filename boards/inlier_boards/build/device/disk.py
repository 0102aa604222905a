"""Disks of the emulated boards, for littlefs's extended interface: no part of
the heap, they outlive a soft reset.
"""

import uctypes
from machine import mem32


class Memory:
    """RAM that the firmware does not use."""

    block_bytes = 512

    def __init__(self, address, size):
        self._address = address
        self._size = size
        self._data = uctypes.bytearray_at(address, size)

    def readblocks(self, block, buffer, offset=0):
        at = block * self.block_bytes + offset
        buffer[:] = self._data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self._erase(block)
            offset = 0
        self._write(block * self.block_bytes + offset, buffer)

    def ioctl(self, request, argument):
        if request == 4:  # number of blocks
            return self._size // self.block_bytes
        if request == 5:  # bytes of one
            return self.block_bytes
        if request == 6:
            self._erase(argument)
        return 0  # init, sync: nothing to do

    def _erase(self, block):
        pass

    def _write(self, at, buffer):
        self._data[at : at + len(buffer)] = buffer


class Nrf51(Memory):
    """The flash of the microbit, by its controller (nRF51 Series Reference
    Manual, NVMC): whole words, pages of 1 KB.
    """

    block_bytes = 1024

    def _erase(self, block):
        mem32[0x4001E504] = 2  # CONFIG: erase
        mem32[0x4001E508] = self._address + block * self.block_bytes
        mem32[0x4001E504] = 0

    def _write(self, at, buffer):
        view = memoryview(buffer)
        mem32[0x4001E504] = 1  # CONFIG: write
        at += self._address
        for i in range(0, len(view), 4):  # littlefs writes multiples of a block's quarter
            mem32[at + i] = view[i] | view[i + 1] << 8 | view[i + 2] << 16 | view[i + 3] << 24
        mem32[0x4001E504] = 0
