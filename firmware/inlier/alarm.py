"""An alarm is a decision over several windows: k of the last n hot raise it, m
quiet ones in a row clear it.
"""


class Alarm:
    """`step(hot)` once a window.

    active: raised and not yet cleared. latched: raised since `acknowledge()`;
    the caller keeps it over a reboot. For `warmup` windows after boot and
    `cooldown` windows after a clear nothing is raised.
    """

    def __init__(self, k, n, m, cooldown, warmup, latched=False):
        self._k = k
        self._m = m
        self._mask = (1 << n) - 1  # n <= 29: stays a small int on 31-bit boards
        self._cooldown = cooldown
        self._history = 0
        self._quiet = 0
        self._hold = warmup
        self.active = False
        self.latched = latched

    def step(self, hot):
        """Take one window; returns 1 when it raises the alarm, -1 when it
        clears it, else 0.
        """
        if self._hold:
            self._hold -= 1
            return 0
        self._history = (self._history << 1 | (1 if hot else 0)) & self._mask
        if self.active:
            self._quiet = 0 if hot else self._quiet + 1
            if self._quiet < self._m:
                return 0
            self.active = False
            self._history = 0
            self._hold = self._cooldown
            return -1
        bits = self._history
        count = 0
        while bits:
            bits &= bits - 1
            count += 1
        if count < self._k:
            return 0
        self.active = True
        self.latched = True
        self._quiet = 0
        return 1

    def acknowledge(self):
        self.latched = False
