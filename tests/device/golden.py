"""The golden model and vectors, for the tests beside this file: exact integers
that every implementation must give.
"""

import json
import os
import sys

from inlier.model import FLAG_HMAC, IDENTITY_AT, Model, crc32

KEY = bytes(range(32))
REQUIRED = ()  # native code that must load here: run.py is told
FILES = "files.tmp"  # in .gitignore
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


def kernel(name, where="inlier.kernels."):
    """None for one that this interpreter can't load, and isn't said to. where:
    "inlier.sockets_" of the loops of the sockets source.
    """
    try:
        return __import__(where + name, None, None, (name,))
    except (ImportError, SyntaxError) as error:
        # Of MicroPython's compiler: it knows no such decorator, or instruction.
        strange = isinstance(error, SyntaxError) and sys.implementation.name == "cpython"
        if strange or name in REQUIRED:
            raise
        return None


def kernels():
    """Yields (name, module) of each that loads here, the fastest first."""
    for name in ("dsp", "thumb", "rv32", "viper", "array", "plain"):
        module = kernel(name)
        if module is not None:
            yield name, module


def vectors():
    with open(FOLDER + "vectors.json") as f:
        return json.load(f)


def folder():
    """An empty one."""
    try:
        os.mkdir(FILES)
    except OSError:
        for name in os.listdir(FILES):
            os.remove(FILES + "/" + name)
    return FILES
