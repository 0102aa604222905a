"""What a monitor knows and a reboot must not take: the alarm and its latch, the
damped means, the hosts known.

    from inlier.secure import state
    keeper = state.Keeper("state", authentic.key)
    keeper.restore(pipeline)
    asyncio.create_task(
        monitor.run(pipeline, on_alarm=alarm, on_window=keeper.on_window)
    )

Without it an attacker who makes the device reboot gets a warm-up without alarms
each time. Written when the alarm changes and every `every` windows: flash
wears. The last readings of the counters are not kept: a source counts from zero
after a boot, or was counting on while nothing was watched, and neither is a
window.
"""

import struct

from ..alarm import TOLD_MAX
from ..kernels.native import STATE
from ..model import crc32
from .record import Record

# CRC-32 of the model's parameters, index, flags, the alarm's calm, hold, since
# and peak, the quiet run, counters told (their number and TOLD_MAX), bytes of
# grades, of sums and of hosts
_HEAD = "<IIBBHHIBB4sHHH"
_HEAD_BYTES = struct.calcsize(_HEAD)
_ACTIVE = 1
_LATCHED = 2
_QUIET = 4
_STATE_MAX = 1 << 30
_MAGIC = b"INLT"


def _sums(pipeline):
    """The kernel's own memory of the damped sums: int32 (features,), as bytes."""
    work = pipeline.work
    if hasattr(work, "state"):  # the plain and array kernels
        return memoryview(work.state)
    return memoryview(work)[4 * STATE : 4 * (STATE + pipeline.model.features)]


class Keeper:
    """path: see record.Record.
    key: that of the models (authentic.Authentic's); b"" where whoever writes
        files may also clear the alarm.
    every: windows between writes while the alarm does not change.
    """

    def __init__(self, path, key, every=360):
        self._record = Record(path, key, _MAGIC)
        self._every = every
        self._flags = 0

    def save(self, pipeline):
        """Raises OSError."""
        alarm = pipeline.alarm
        flags = _flags(pipeline)
        parts = _grades(alarm.horizons), bytes(_sums(pipeline)), bytes(_hosts(pipeline))
        head = struct.pack(
            _HEAD,
            crc32(pipeline.model.params) & 0xFFFFFFFF,
            pipeline.index & 0x3FFFFFFF,
            flags,
            alarm.calm,
            alarm.hold,
            min(alarm.since, 0xFFFF),
            alarm.peak,
            pipeline.quiet.run,
            alarm.n_told,
            alarm.told,
            len(parts[0]),
            len(parts[1]),
            len(parts[2]),
        )
        self._record.write(head + parts[0] + parts[1] + parts[2])
        # not before: what a full flash did not take is tried again in the next
        # window
        self._flags = flags

    def restore(self, pipeline):
        """Take up what was saved. False where nothing was, or it was damaged;
        or it is another model's, of which only the latch is taken.
        """
        kept = self._record.read()
        if kept is None or len(kept) < _HEAD_BYTES:
            return False
        which, index, flags, calm, hold, since, peak, run, n_told, told, *sizes = (
            struct.unpack_from(_HEAD, kept, 0)
        )
        alarm = pipeline.alarm
        alarm.latched = bool(flags & _LATCHED)
        model = pipeline.model
        sums = _sums(pipeline)
        hosts = _hosts(pipeline)
        horizons = alarm.horizons
        mine = [len(horizons.grades), len(bytes(sums)), len(hosts)]
        if which != crc32(model.params) & 0xFFFFFFFF or sizes != mine:
            return False
        grades_at = _HEAD_BYTES
        at = grades_at + sizes[0]
        end = at + sizes[1]
        # What no device saves was forged: a hold of days is an alarm that is
        # switched off.
        if (
            len(kept) != end + sizes[2]
            or n_told > TOLD_MAX
            or calm > model.clear_after
            or hold > max(model.cooldown, model.warmup)
            or run > max(model.quiet_after, model.clear_after)
            or max(kept[grades_at:at]) > len(horizons.counts)
            or peak >= _STATE_MAX
        ):
            return False
        values = struct.unpack_from("<%di" % model.features, kept, at)
        if min(values) < 0 or max(values) >= _STATE_MAX:
            return False
        if hasattr(pipeline.work, "state"):
            for i in range(len(values)):
                sums[i] = values[i]
        else:
            sums[:] = kept[at:end]
        hosts[:] = kept[end:]
        for grade in kept[grades_at:at]:
            horizons.take(grade)
        alarm.active = bool(flags & _ACTIVE)
        alarm.calm = calm
        alarm.hold = hold
        alarm.since = since
        alarm.peak = peak
        alarm.told[:] = told
        alarm.n_told = n_told
        pipeline.quiet.active = bool(flags & _QUIET)
        pipeline.quiet.run = run
        pipeline.quiet.idle = alarm.idle = pipeline.idle = False
        pipeline.index = index & 0x1FFFFFFF  # a forged one must not soon be no small int
        self._flags = flags
        return True

    def on_window(self, pipeline):
        """Write if it is time to. Raises OSError on a full flash; what was kept
        before stays.
        """
        if _flags(pipeline) != self._flags or pipeline.index % self._every == self._every - 1:
            self.save(pipeline)


def _flags(pipeline):
    alarm = pipeline.alarm
    return (
        (_ACTIVE if alarm.active else 0)
        | (_LATCHED if alarm.latched else 0)
        | (_QUIET if pipeline.quiet.active else 0)
    )


def _grades(horizons):
    """The oldest first."""
    return bytes(horizons.grades[horizons.at :]) + bytes(horizons.grades[: horizons.at])


def _hosts(pipeline):
    """A source's memory of hosts ever contacted, where it keeps one."""
    return getattr(pipeline.windows.source, "known", bytearray())
