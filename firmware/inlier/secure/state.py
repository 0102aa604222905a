"""What a monitor knows and a reboot must not take: the alarm and its latch, the
damped means, the hosts known.

from inlier.secure import state keeper = state.Keeper("state", authentic.key)
keeper.restore(pipeline) asyncio.create_task(monitor.run(pipeline,
on_alarm=print, on_window=keeper.on_window))

Without it an attacker who makes the device reboot gets a warm-up without alarms
each time. Written when the alarm changes and every `every` windows: flash
wears. The last readings of the counters are not kept: a source counts from zero
after a boot, or was counting on while nothing was watched, and neither is a
window.
"""

import struct

from ..kernels.native import STATE
from ..model import crc32
from .record import Record

# CRC-32 of the model's parameters, index, flags, alarm history, quiet, hold,
# bytes of means and of hosts
_HEAD = "<IIBIHHHH"
_HEAD_BYTES = 21
_ACTIVE = 1
_LATCHED = 2
_STATE_MAX = 1 << 30
_MAGIC = b"INLT"


def _means(pipeline):
    """The kernel's own memory of the damped means: int32 (features,), as bytes."""
    work = pipeline._work
    if hasattr(work, "state"):  # the plain and array kernels
        return memoryview(work.state)
    return memoryview(work)[4 * STATE : 4 * (STATE + pipeline.model.features)]


class Keeper:
    """path: see record.Record. key: that of the models (authentic.Authentic's);
    b"" where whoever writes files may also clear the alarm. every: windows
    between writes while the alarm does not change.
    """

    def __init__(self, path, key, every=360):
        self._record = Record(path, key, _MAGIC)
        self._every = every
        self._flags = 0

    def save(self, pipeline):
        """Raises OSError."""
        alarm = pipeline.alarm
        flags = _flags(alarm)
        means = bytes(_means(pipeline))
        hosts = bytes(_hosts(pipeline))
        which = crc32(pipeline.model.params) & 0xFFFFFFFF
        quiet = min(alarm._quiet, 0xFFFF)
        head = (
            which,
            pipeline.index & 0x3FFFFFFF,
            flags,
            alarm._history,
            quiet,
            alarm._hold,
            len(means),
            len(hosts),
        )
        self._record.write(struct.pack(_HEAD, *head) + means + hosts)
        self._flags = (
            flags  # not before: what a full flash did not take is tried again in the next window
        )

    def restore(self, pipeline):
        """Take up what was saved. False where nothing was; or it is another
        model's, of which only the latch is taken.
        """
        kept = self._record.read()
        if kept is None or len(kept) < _HEAD_BYTES:
            return False
        which, index, flags, history, quiet, hold, n_means, n_hosts = struct.unpack_from(
            _HEAD, kept, 0
        )
        alarm = pipeline.alarm
        alarm.latched = bool(flags & _LATCHED)
        means = _means(pipeline)
        hosts = _hosts(pipeline)
        if (
            which != crc32(pipeline.model.params) & 0xFFFFFFFF
            or len(kept) != _HEAD_BYTES + n_means + n_hosts
            or n_means != len(bytes(means))
            or n_hosts != len(hosts)
        ):
            return False
        at = _HEAD_BYTES + n_means
        for i in range(_HEAD_BYTES, at, 4):
            if not 0 <= struct.unpack_from("<i", kept, i)[0] < _STATE_MAX:
                return False
        if hasattr(pipeline._work, "state"):
            for i in range(len(means)):
                means[i] = struct.unpack_from("<i", kept, _HEAD_BYTES + 4 * i)[0]
        else:
            means[:] = kept[_HEAD_BYTES:at]
        hosts[:] = kept[at:]
        alarm.active = bool(flags & _ACTIVE)
        alarm._history = history & alarm._mask
        alarm._quiet = quiet
        # no longer than a model asks for: it is time without alarms
        alarm._hold = min(hold, max(pipeline.model.alarm[3:5]))
        pipeline.index = index & 0x3FFFFFFF
        self._flags = flags
        return True

    def on_window(self, pipeline):
        """Write if it is time to. Raises OSError on a full flash; what was kept
        before stays.
        """
        if _flags(pipeline.alarm) != self._flags or pipeline.index % self._every == self._every - 1:
            self.save(pipeline)


def _flags(alarm):
    return (_ACTIVE if alarm.active else 0) | (_LATCHED if alarm.latched else 0)


def _hosts(pipeline):
    """The sockets source's memory of hosts ever contacted; other sources have
    none.
    """
    return getattr(pipeline.windows._source, "_known", bytearray())
