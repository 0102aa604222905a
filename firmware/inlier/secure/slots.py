"""Model updates that no power cut and no bad model can break: two slots, and a
record of which one runs.

    from inlier.secure import authentic, keys, slots
    models = slots.Slots(authentic.Authentic(keys.from_file("fleet.key")))
    # whenever a new model arrives
    models.update("models", blob, source.name, source.counters)
    asyncio.create_task(
        monitor.watch("models", source, on_alarm=alarm, load=models.load)
    )

A folder holds slot.0, slot.1 and the record. A model is checked, written to the
slot that does not run, read back, scored on its self-test windows, and only
then named by the record. The former model stays, and runs when the new one is
damaged later.
"""

import struct
from hashlib import sha256

from ..model import HEADER_BYTES, Model, ModelError
from . import selftest
from .authentic import number
from .record import Record, read_file, write_file

_DIGEST_BYTES = 16
_ENTRY = "<I16s"  # number, digest of a slot's model
_ENTRY_BYTES = 20
_KEPT_BYTES = 1 + 2 * _ENTRY_BYTES
_MAGIC = b"INLS"


class Slots:
    """authentic: what checks blobs (authentic.Authentic), None where unsigned
    models are allowed. Its key seals the record too: who can't sign a model
    can't name one either, or forbid the next.

    key: another one for the record, see record.Record.
    floor: keeps the lowest number that may ever run where an attacker who
        writes files can't, such as an ESP32's NVS: an object of yours with
        read() and raise_to(number).
    """

    def __init__(self, authentic, key=None, floor=None):
        self._authentic = authentic
        self._key = key or (authentic.key if authentic else b"")
        self._floor = floor

    def load(self, folder, source=None, counters=None):
        """The model that runs, or where it is damaged the one before. Raises
        ModelError if there is neither.
        """
        return self._current(folder, source, counters)[1]

    def number(self, folder, source=None, counters=None):
        """Of the model that load() gives. Raises ModelError."""
        return self._current(folder, source, counters)[2]

    def update(self, folder, blob, source=None, counters=None):
        """Check `blob` (bytes), keep it, make it the one that runs. Raises
        ModelError, OSError; the former then runs on.
        """
        record = self._record(folder)
        kept = _kept(record)
        lowest = self._lowest()
        if kept:
            lowest = max(lowest, struct.unpack_from("<I", kept, _entry_at(kept[0]))[0])
        try:
            running, _, former = self._current(folder, source, counters)
            lowest = max(lowest, former)
        except ModelError:  # nothing there, or all damaged: any slot will do
            running = former = None
        self._accept(blob, source, counters, lowest)
        free = 1 if running == 0 else 0
        path = _slot(folder, free)
        write_file(path, blob)
        if read_file(path) != blob:
            raise ModelError("flash did not keep the model in '%s'; the former one runs on" % path)
        entries = [_entry(read_file(_slot(folder, i))) for i in (0, 1)]
        record.write(bytes([free]) + entries[0] + entries[1])
        if self._floor is not None and former is not None:
            # not to the new one's: the one before must stay allowed, to be
            # fallen back to
            self._floor.raise_to(former)

    def _record(self, folder):
        return Record(folder + "/slots", self._key, _MAGIC)

    def _lowest(self):
        return 0 if self._floor is None else self._floor.read()

    def _accept(self, blob, source, counters, lowest):
        if self._authentic is not None:
            self._authentic.check(blob, lowest)
        model = Model(blob, source, counters)
        if number(blob) < lowest:
            raise ModelError(
                "model number %d is older than %d, which ran here; export it again"
                % (number(blob), lowest)
            )
        selftest.check(model, blob)
        return model

    def _current(self, folder, source, counters):
        """(slot, Model, its number) of the first that holds."""
        kept = _kept(self._record(folder))
        if kept:
            order = (0, 1) if kept[0] == 0 else (1, 0)
        else:  # such as when somebody copied a model here: the higher number is the newer one
            order = sorted((0, 1), key=lambda i: -_number(read_file(_slot(folder, i))))
        why = "nothing is there"
        for i in order:
            blob = read_file(_slot(folder, i))
            if not blob:
                continue
            try:
                if kept and kept[_entry_at(i) : _entry_at(i) + _ENTRY_BYTES] != _entry(blob):
                    raise ModelError("slot %d does not hold what was installed" % i)
                return i, self._accept(blob, source, counters, self._lowest()), number(blob)
            except ModelError as error:
                why = str(error)
        raise ModelError("no model in '%s' can run (%s); install one" % (folder, why))


def _kept(record):
    """What the record says, None where there is none or it is no such thing."""
    kept = record.read()
    return kept if kept and len(kept) == _KEPT_BYTES and kept[0] < 2 else None


def _slot(folder, i):
    return "%s/slot.%d" % (folder, i)


def _entry_at(i):
    """Where slot i is in the record: uint8 slot that runs, then the entries."""
    return 1 + i * _ENTRY_BYTES


def _number(blob):
    return number(blob) if len(blob) > HEADER_BYTES else 0


def _entry(blob):
    return struct.pack(_ENTRY, _number(blob), sha256(blob).digest()[:_DIGEST_BYTES])
