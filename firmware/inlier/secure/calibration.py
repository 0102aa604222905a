"""What one device differs in from its type's model: its thresholds, in a file
of a few bytes beside the model, signed with the same key.

    from inlier.secure import authentic, calibration, keys
    mine = authentic.Authentic(keys.from_file("fleet.key"))
    load = calibration.Calibrated(mine, "device.limits").load
    asyncio.create_task(monitor.watch("model.inlier", source, load=load))

With two slots (slots.py), CalibratedSlots in the place of Slots.

Little-endian: magic "INLC"; uint8 version, flags (bit 0: an HMAC-SHA256 of 32
bytes follows), number of horizons, 0; uint32 CRC of the model that it belongs
to; int32 threshold of each horizon; CRC-32 of all before; the HMAC over all
before it.
"""

import struct

from ..counters import DELTA_MAX
from ..model import FLAG_HMAC, HORIZON, Model, ModelError, crc32
from .authentic import TAG_BYTES, equal, hmac_sha256
from .record import read_file
from .slots import Slots

MAGIC = b"INLC"
VERSION = 1
SIGNED = 1
HEAD = "<4sBBBxI"
_HEAD_BYTES = 12


def identity(blob):
    """What a model is known by: the CRC that its file holds."""
    at = len(blob) - 4 - (TAG_BYTES if blob[5] & FLAG_HMAC else 0)
    return int.from_bytes(blob[at : at + 4], "little")


def apply(model, blob, calibration, key=None):
    """Give `model`, loaded from `blob`, the thresholds in `calibration`
    (bytes).

    key: what it must be signed with; None takes any. Raises ModelError.
    """
    horizons = list(model.horizons())
    end = _HEAD_BYTES + 4 * len(horizons)
    head = struct.unpack_from(HEAD, calibration, 0) if len(calibration) >= _HEAD_BYTES else ()
    if head[:2] != (MAGIC, VERSION):
        raise ModelError("no calibration of version %d; make it again" % VERSION)
    tag = TAG_BYTES if head[2] & SIGNED else 0
    if head[3] != len(horizons) or len(calibration) != end + 4 + tag:
        raise ModelError("calibration is cut, or of a model with other horizons; copy it again")
    seal = calibration[end + 4 :]
    if key is not None and not equal(hmac_sha256(key, calibration[: end + 4]), seal):
        raise ModelError("calibration was not signed with this key, or was altered since")
    *limits, checksum = struct.unpack_from("<%diI" % len(horizons), calibration, _HEAD_BYTES)
    if crc32(calibration[:end]) & 0xFFFFFFFF != checksum:
        raise ModelError("calibration checksum does not match; copy it again")
    if head[4] != identity(blob):
        raise ModelError("calibration is of another model than the one that runs")
    changed = b""
    before = DELTA_MAX
    for (k, n, _), limit in zip(horizons, limits):
        if not 0 <= limit <= before:
            raise ModelError("calibration contradicts itself; make it again")
        before = limit
        changed += struct.pack(HORIZON, k, n, limit)
    model.packed_horizons = memoryview(changed)


def apply_file(model, blob, path, authentic):
    """The same of the file at `path`, where there is one. Returns why it was
    not applied, or None: a calibration that does not fit leaves the type's
    own thresholds, and must not stop the watching.

    authentic: authentic.Authentic, or None.
    """
    mine = read_file(path)
    if mine:
        try:
            apply(model, blob, mine, authentic and authentic.key)
        except ModelError as error:
            return str(error)
    return None


class Calibrated:
    """A loader for monitor.watch: the model at a path, with the thresholds of
    the calibration at another.

    authentic: authentic.Authentic, or None.
    problem: why it was not applied, or None.
    """

    def __init__(self, authentic, path):
        self._authentic = authentic
        self._path = path
        self.problem = None

    def load(self, path, source=None, counters=None):
        """Raises ModelError and OSError, of the model alone."""
        with open(path, "rb") as f:
            blob = f.read()
        if self._authentic is not None:
            self._authentic.check(blob)
        model = Model(blob, source, counters)
        self.problem = apply_file(model, blob, self._path, self._authentic)
        return model


class CalibratedSlots(Slots):
    """Two slots (slots.py) whose models get this device's thresholds.

    limits: path of the calibration.
    problem: why it was not applied, or None.
    """

    def __init__(self, authentic, limits, key=None, floor=None):
        super().__init__(authentic, key, floor)
        self._limits = limits
        self.problem = None

    def _accept(self, blob, source, counters, lowest):
        model = super()._accept(blob, source, counters, lowest)
        self.problem = apply_file(model, blob, self._limits, self._authentic)
        return model
