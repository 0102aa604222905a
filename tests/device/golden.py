"""The golden model and vectors, for the tests beside this file: exact integers
that every implementation must give.
"""

import json

from inlier.model import FLAG_HMAC, IDENTITY_AT, Model, crc32

KEY = bytes(range(32))
FOLDER = __file__.rsplit("/", 2)[0] + "/golden/" if "/" in __file__ else "../golden/"


class Source:
    """Supplies nothing: the tests hand windows to the pipeline themselves."""

    name = "replay"
    bits = 30

    def __init__(self, counters):
        self.counters = counters

    def read(self, values):
        pass


def blob():
    with open(FOLDER + "model.inlier", "rb") as f:
        return f.read()


def sealed(body):
    """With a fitting checksum: what a careless tool, not a broken wire, would
    give.
    """
    return bytes(body) + (crc32(body) & 0xFFFFFFFF).to_bytes(4, "little")


def signed(blob, key=KEY, number=7):
    """What inlier export --key writes."""
    from inlier.secure.authentic import hmac_sha256

    body = bytearray(blob[:-4])
    body[5] |= FLAG_HMAC
    body[IDENTITY_AT : IDENTITY_AT + 4] = number.to_bytes(4, "little")
    content = sealed(body)
    return content + hmac_sha256(key, content)


def model():
    return Model(blob())


def vectors():
    with open(FOLDER + "vectors.json") as f:
        return json.load(f)
