"""An alarm is a decision over several windows: at several horizons, k of the
last n scores over the horizon's threshold raise it, m windows in a row without
a reason clear it. An alarm that is on is told again when it grows.
"""

from array import array

TELL_AFTER = 8  # windows before an alarm that grows is told again
GROWN = 4  # times the score last told
TOLD_MAX = 4  # counters that took the lead of an alarm, each told once


class Horizons:
    """How many of the last n scores were over each horizon's threshold."""

    def __init__(self, model):
        horizons = list(model.horizons())
        self._spans = bytes([part for k, n, _ in horizons for part in (k, n)])
        self._limits = array("i", [limit for _, _, limit in horizons])
        # Thresholds never ascend, so that how many of them a score exceeds says
        # which: one byte a window serves all horizons.
        self.grades = bytearray(self._spans[-1])
        self.at = 0
        self.counts = bytearray(len(horizons))

    def step(self, score):
        """Take one window; returns whether a horizon has k of its last n."""
        grade = 0
        for limit in self._limits:
            if score > limit:
                grade += 1
        return self.take(grade)

    def take(self, grade):
        """The same, for how many thresholds a score exceeds."""
        counts = self.counts
        grades = self.grades
        at = self.at
        reached = False
        least = len(counts)  # the grade that counts at horizon h
        for h in range(least):
            # what leaves goes first: 255 of 255 and one more pass no byte
            if grades[at - self._spans[2 * h + 1]] >= least:
                counts[h] -= 1
            if grade >= least:
                counts[h] += 1
            if counts[h] >= self._spans[2 * h]:
                reached = True
            least -= 1
        grades[at] = grade
        at += 1
        self.at = 0 if at == len(grades) else at
        return reached


class Alarm:
    """`step(score)` once a window. For `warmup` windows after boot and
    `cooldown` windows after a clear nothing is raised.

    active: raised and not yet cleared.
    latched: raised since `acknowledge()`; the caller keeps it over a reboot.
    idle: a window whose score is over no threshold need not be taken.

    The other fields are for secure/state.py.
    """

    def __init__(self, model, latched=False):
        self.horizons = Horizons(model)
        self._clear_after = model.clear_after
        self._cooldown = model.cooldown
        self.hold = model.warmup  # windows before it can be raised
        self.calm = 0  # windows in a row without a reason
        self.since = 0  # windows since it was told
        self.peak = 0  # the score last told
        # the counters that led when it was told, and how many
        self.told = bytearray(TOLD_MAX)
        self.n_told = 0
        self.active = False
        self.idle = False
        self.latched = latched

    def step(self, score, also=False, leading=None):
        """Take one window; returns 1 when it raises the alarm, 2 when one that
        is on grows (the score is GROWN times what was told, or another counter
        leads), -1 when it clears it, else 0.

        also: a reason besides the score.
        leading(): index of the counter that contributes most to this window;
            asked once in TELL_AFTER windows.
        """
        if self.hold:
            self.hold -= 1
            return 0
        reason = self.horizons.step(score) or also
        if self.active:
            return self._go_on(score, reason, leading)
        # The longest horizon counts every score that is over a threshold.
        self.idle = not (reason or self.horizons.counts[-1])
        if not reason:
            return 0
        self.active = True
        self.latched = True
        self.calm = 0
        self.n_told = 0
        self._joins(leading)
        return self._tell(score, 1)

    def _go_on(self, score, reason, leading):
        if not reason:
            self.calm += 1
            if self.calm < self._clear_after:
                return 0
            self.active = False
            self.hold = self._cooldown
            return -1
        self.calm = 0
        self.since += 1
        if self.since < TELL_AFTER:
            return 0
        grown = score >= GROWN * self.peak
        if (grown or self.since % TELL_AFTER == 0) and (self._joins(leading) or grown):
            return self._tell(score, 2)
        return 0

    def _joins(self, leading):
        """Whether a counter leads that none of those told is; it is one now."""
        if leading is None or self.n_told == TOLD_MAX:
            return False
        lead = leading() & 0xFF
        for i in range(self.n_told):
            if self.told[i] == lead:
                return False
        self.told[self.n_told] = lead
        self.n_told += 1
        return True

    def _tell(self, score, event):
        self.since = 0
        self.peak = max(score, 1)
        return event

    def acknowledge(self):
        self.latched = False


class Quiet:
    """Gone quiet: far less than ever, for long. Most often a device's network
    is away; that is no infection, and is told as what it is.

    `step()` once a window, of the quiet score sums[1]: how far the counters'
    longest persistences lie below the lowest benign ones.

    active: over the threshold for `quiet_after` windows in a row, and not yet
        back; back after `clear_after` in a row that are not.
    event: 1 when it goes quiet, -1 when it is back, else 0.
    """

    def __init__(self, model, sums):
        self._sums = sums
        self.threshold = model.threshold_quiet
        self._after = model.quiet_after
        self._clear_after = model.clear_after
        self.run = 0  # windows in a row that speak against the present state
        self.active = False
        self.event = 0
        self.idle = True  # a window that is not over the threshold need not be taken

    @property
    def score(self):
        return self._sums[1]

    def step(self):
        score = self._sums[1]
        self.event = 0
        if (score > self.threshold) == self.active:
            self.run = 0
            self.idle = not self.active
            return
        self.idle = False
        self.run += 1
        if self.run >= (self._clear_after if self.active else self._after):
            self.run = 0
            self.active = not self.active
            self.event = 1 if self.active else -1
