"""The CRC-32 of a MicroPython whose binascii has none is the one that every
model file ends with.
"""

import importlib.util
import sys
import zlib

from inlier import model


def test_the_runtime_s_own_checksum_is_zlib_s(monkeypatch):
    monkeypatch.setitem(sys.modules, "binascii", None)
    spec = importlib.util.spec_from_file_location("inlier.model", model.__file__)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert alone.crc32 is not zlib.crc32 and alone.crc32(b"123456789") == 0xCBF43926
    for content in (b"", b"\0", b"\xff" * 5, bytes(range(256))):
        assert alone.crc32(content) == zlib.crc32(content), content
