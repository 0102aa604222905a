"""Gone quiet: a device does far less than it ever did, for long. Most often its
network is away; that is no infection, and is told as what it is.
"""


class Quiet:
    """`step()` once a window, of the quiet score sums[1]: how far the counters'
    longest persistences lie below the lowest benign ones.

    active: over the threshold for `quiet_after` windows in a row, and not yet
    back; back after `clear_after` in a row that are not. event: 1 when it goes
    quiet, -1 when it is back, else 0.
    """

    def __init__(self, model, sums):
        self._sums = sums
        self._threshold = model.threshold_quiet
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
        if (score > self._threshold) == self.active:
            self.run = 0
            self.idle = not self.active
            return
        self.idle = False
        self.run += 1
        if self.run >= (self._clear_after if self.active else self._after):
            self.run = 0
            self.active = not self.active
            self.event = 1 if self.active else -1
