"""A littlefs RAM disk at /, for boards that have no flash file system. Bytes: a
multiple of 512.
"""

import vfs

_BLOCK = 512


class RamDisk:
    def __init__(self, size):
        self._data = bytearray(size)

    def readblocks(self, block, buffer, offset=0):
        at = block * _BLOCK + offset
        for i in range(len(buffer)):
            buffer[i] = self._data[at + i]

    def writeblocks(self, block, buffer, offset=None):
        at = block * _BLOCK + (offset or 0)
        self._data[at : at + len(buffer)] = buffer

    def ioctl(self, request, argument):
        if request == 4:  # number of blocks
            return len(self._data) // _BLOCK
        if request == 5:  # bytes of one
            return _BLOCK
        return 0  # init, sync, erase: nothing to do


def mount(size):
    disk = RamDisk(size)
    vfs.VfsLfs2.mkfs(disk)
    vfs.mount(disk, "/")
