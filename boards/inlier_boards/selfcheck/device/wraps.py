"""Counters that wrap or are reset while their device does what it always does:
wraps.py MODEL SEED COUNT.

The model knows these windows as benign (boards/selfcheck/wraps.py fits it), so
any alarm is a false one. Wraps must also give the very deltas that were
counted.
"""

import json
import random
import sys

from inlier.model import load
from inlier.pipeline import Pipeline

COUNTERS = ("connects", "packets", "bytes")
BASES = (3, 60, 70000)  # events a window: at least so many of each, at most a third more
WIDTHS = (30, 31, 32, 64)
CALM = 24  # windows after each fault: as long as the slowest mean remembers it
RESET_FROM_MIN = 1 << 20  # one that had hardly counted shows no step backwards when it is reset


def below(n):
    """From 0 to n - 1, n up to 2^64."""
    return (
        random.getrandbits(30) << 40 | random.getrandbits(30) << 20 | random.getrandbits(30)
    ) % n


class Steady:
    """`fault`: None, "wrap" or "reset" in the next window."""

    name = "replay"
    counters = COUNTERS

    def __init__(self, bits):
        self.bits = bits
        self.deltas = [0] * len(COUNTERS)
        self.totals = [0] * len(COUNTERS)
        self.fault = None

    def fill(self):
        for i in range(len(BASES)):
            self.deltas[i] = BASES[i] + random.getrandbits(12) * BASES[i] // 12288

    def prepare(self, fault, which):
        """Move the counters of the bit mask `which` to where it will happen."""
        self.fault = fault
        self.which = which
        for i in range(len(BASES)):
            if which >> i & 1:
                # Not from the top quarter: nobody can tell that from a wrap.
                self.totals[i] = below((3 << self.bits - 2) - RESET_FROM_MIN) + RESET_FROM_MIN
                if fault == "wrap":
                    self.totals[i] = (1 << self.bits) - 1 - below(BASES[i])

    def next(self):
        self.fill()
        for i in range(len(BASES)):
            self.totals[i] = (self.totals[i] + self.deltas[i]) % (1 << self.bits)
            if self.fault == "reset" and self.which >> i & 1:
                # What it counted after it, or what is left of a sum of which a
                # part is gone.
                self.totals[i] = below(self.deltas[i] + 1 if below(2) else self.totals[i])
        self.fault = None

    def read(self, values):
        for i in range(len(values)):
            values[i] = self.totals[i]


class Trial:
    def __init__(self, model, bits):
        self.source = Steady(bits)
        self.pipeline = Pipeline(model, self.source)
        self.run(40)  # past the warm-up

    def run(self, count):
        """Alarms raised, and windows whose deltas are not what happened."""
        alarms = differing = 0
        for _ in range(count):
            self.source.next()
            alarms += self.pipeline.step() > 0
            differing += list(self.pipeline.deltas) != self.source.deltas
        return alarms, differing


def windows(seed, count):
    """Benign windows, to fit on."""
    random.seed(seed)
    source = Steady(64)
    found = []
    for _ in range(count):
        source.fill()
        found.append(list(source.deltas))
    return found


def run(model, seed, count):
    """Prints what was found, as JSON."""
    random.seed(seed)
    trials = [Trial(model, bits) for bits in WIDTHS]
    found = {"wraps": 0, "resets": 0, "false_alarms": 0, "differing": 0}
    for i in range(count):
        trial = trials[i % len(trials)]
        fault = "wrap" if below(2) else "reset"
        trial.source.prepare(fault, 1 + below((1 << len(COUNTERS)) - 1))
        trial.source.read(trial.pipeline.windows._last)  # as if they had always stood there
        alarms, differing = trial.run(CALM)
        found[fault + "s"] += 1
        found["false_alarms"] += alarms
        if fault == "wrap":  # what is lost in a reset can't be known
            found["differing"] += differing
    print(json.dumps(found))


if __name__ == "__main__":
    run(load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
