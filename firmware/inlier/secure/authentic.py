"""Who made a model: HMAC-SHA256 (RFC 2104) over the whole blob, checked before
anything beyond the header is read.

    from inlier.secure import authentic, keys
    load = authentic.Authentic(keys.from_file("fleet.key")).load
    asyncio.create_task(
        monitor.watch("doorbell.inlier", source, on_alarm=alarm, load=load)
    )
"""

import struct
from hashlib import sha256

from ..model import FLAG_HMAC, HEADER_BYTES, IDENTITY_AT, MAGIC, VERSION, Model, ModelError

TAG_BYTES = 32
_BLOCK_BYTES = 64  # of SHA-256


def hmac_sha256(key, message):
    """The tag of `message` (bytes-like): 32 bytes. MicroPython's own hmac
    module is not on every board.
    """
    if len(key) > _BLOCK_BYTES:
        key = sha256(key).digest()
    key += bytes(_BLOCK_BYTES - len(key))
    inner = sha256(bytes(b ^ 0x36 for b in key))
    inner.update(message)
    outer = sha256(bytes(b ^ 0x5C for b in key))
    outer.update(inner.digest())
    return outer.digest()


def equal(a, b):
    """Compares in a time that tells only the lengths: ending at the first
    difference lets a tag be guessed.
    """
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0


def number(blob):
    """The model number in a header, checked or not."""
    return struct.unpack_from("<I", blob, IDENTITY_AT)[0]


def is_signed(blob):
    return bool(blob[5] & FLAG_HMAC)


class Authentic:
    """Accepts models that were signed with `key` (bytes).

    allow_unsigned: also those without a tag, while a fleet changes over;
    whoever can write the file can then take the tag off. A tag that does not
    match is refused in any case.
    """

    def __init__(self, key, allow_unsigned=False):
        self.key = key
        self._allow_unsigned = allow_unsigned

    def check(self, blob, at_least=0):
        """Raises ModelError for a blob that is not ours, or whose number is
        below `at_least`.
        """
        size = len(blob)
        if size < HEADER_BYTES + TAG_BYTES or bytes(blob[:4]) != MAGIC or blob[4] != VERSION:
            raise ModelError("not an inlier model of version %d; export it again" % VERSION)
        if is_signed(blob):
            view = memoryview(blob)
            if not equal(hmac_sha256(self.key, view[: size - TAG_BYTES]), view[size - TAG_BYTES :]):
                raise ModelError(
                    "model was not signed with this key, or was altered since; export it again "
                    "with --key"
                )
        elif not self._allow_unsigned:
            raise ModelError(
                "model is not signed; export it with --key, or allow unsigned models in the "
                "configuration"
            )
        mine = number(blob)
        if mine < at_least:
            raise ModelError(
                "model number %d is older than %d, which ran here; export it again"
                % (mine, at_least)
            )

    def load(self, path, source=None, counters=None, at_least=0):
        """Model from a file. Raises ModelError and OSError."""
        with open(path, "rb") as f:
            blob = f.read()
        self.check(blob, at_least)
        return Model(blob, source, counters)
