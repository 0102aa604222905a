"""Writes the calibration file of one device, whose format
inlier.secure.calibration defines: the thresholds in which it differs from its
type's model.
"""

import hmac
import struct
import zlib
from collections.abc import Sequence

from inlier.secure.calibration import HEAD, MAGIC, SIGNED, VERSION, identity


def pack(model: bytes, thresholds: Sequence[int], key: bytes | None = None) -> bytes:
    """thresholds: of each horizon of the model file `model`, never ascending;
    signed if there is a key.
    """
    flags = 0 if key is None else SIGNED
    blob = struct.pack(HEAD, MAGIC, VERSION, flags, len(thresholds), identity(model))
    blob += struct.pack(f"<{len(thresholds)}i", *thresholds)
    blob += struct.pack("<I", zlib.crc32(blob))
    return blob if key is None else blob + hmac.digest(key, blob, "sha256")
