"""A calibration is the bytes that inlier.secure.calibration says, and a device
takes it.
"""

import hmac
import struct
import zlib

import pytest

from inlier.model import Model, ModelError
from inlier.secure import calibration as device
from inlier_export.calibration import pack
from inlier_export.model_file import pack as model_file
from inlier_export.synthetic import random_detector

KEY = bytes(range(32))
MODEL = model_file(random_detector(1), KEY)
LIMITS = [70_000, 300, 300, 2, 0]


def test_it_is_written_byte_for_byte_as_the_device_says():
    body = b"INLC\1\0\5\0" + MODEL[-36:-32]  # the model's CRC, before its HMAC
    body += struct.pack("<iiiii", *LIMITS)
    unsigned = body + struct.pack("<I", zlib.crc32(body))
    assert pack(MODEL, LIMITS) == unsigned
    body = body[:5] + b"\1" + body[6:]
    body += struct.pack("<I", zlib.crc32(body))
    assert pack(MODEL, LIMITS, KEY) == body + hmac.digest(KEY, body, "sha256")


def test_a_device_takes_what_its_key_signed_and_nothing_unsigned():
    model = Model(MODEL)
    with pytest.raises(ModelError, match="not signed with this key"):
        device.apply(model, MODEL, pack(MODEL, LIMITS), KEY)
    device.apply(model, MODEL, pack(MODEL, LIMITS, KEY), KEY)
    assert [limit for _, _, limit in model.horizons()] == LIMITS
