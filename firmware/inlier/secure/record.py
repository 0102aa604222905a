"""A few bytes that survive a power cut at any moment: two files, written in
turn, each sealed.

The file that is written is never the newest good one, so a torn write loses
only itself. Nothing is renamed: FAT, unlike littlefs, has no rename that
replaces a file at once.

    magic, uint32 sequence, uint16 bytes of payload, payload, the first
    16 bytes of HMAC-SHA256(key, all before)
"""

import os
import struct

from .authentic import equal, hmac_sha256

_HEAD = "<4sIH"
_HEAD_BYTES = 10
_SEAL_BYTES = 16


def write_file(path, content):
    """On flash when it returns: MicroPython's file systems commit at close,
    Linux at fsync. Raises OSError.
    """
    with open(path, "wb") as f:
        f.write(content)
        if hasattr(os, "fsync"):
            f.flush()
            os.fsync(f.fileno())


def read_file(path):
    """Its bytes, or none where it is missing, cannot be read, or was made too
    long to be: what it stands for must not stop what stands beside it.
    """
    try:
        with open(path, "rb") as f:
            return f.read()
    except (OSError, MemoryError):
        return b""


class Record:
    """`path` + ".0" and ".1". The empty key makes the seal a checksum, a secret
    one lets nobody else forge a record.

    magic: of one purpose, so that under one key a record of another can't be
        put in its place.
    """

    def __init__(self, path, key, magic):
        self._path = path
        self._key = key
        self._magic = magic

    def _parse(self, i):
        """(sequence, payload), or None for a file that is missing, torn or not
        ours.
        """
        content = read_file("%s.%d" % (self._path, i))
        if len(content) < _HEAD_BYTES + _SEAL_BYTES:
            return None
        magic, sequence, size = struct.unpack_from(_HEAD, content, 0)
        end = _HEAD_BYTES + size
        if magic != self._magic or not equal(self._seal(content[:end]), content[end:]):
            return None
        return sequence, content[_HEAD_BYTES:end]

    def _seal(self, content):
        return hmac_sha256(self._key, content)[:_SEAL_BYTES]

    def _newest(self):
        """(place, sequence, payload) of the newest good file; place is None
        where there is none.
        """
        best = None, 0, None
        for i in (0, 1):
            found = self._parse(i)
            if found and (best[0] is None or found[0] > best[1]):
                best = i, found[0], found[1]
        return best

    def read(self):
        """The payload last written whole, or None."""
        return self._newest()[2]

    def write(self, payload):
        """Raises OSError; what was there before can then still be read."""
        place, sequence, _ = self._newest()
        head = struct.pack(_HEAD, self._magic, sequence + 1, len(payload))
        content = head + payload
        write_file("%s.%d" % (self._path, 1 if place == 0 else 0), content + self._seal(content))
