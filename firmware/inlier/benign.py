"""What a counter did at most in a benign window, read back from the model."""

from .features import UNIT_BITS, mean_of_log

# Half an octave beyond the benign maximum is still benign: a feature's `high`
# is so much more.
PAD = 8


def most(model, c):
    """The most events of counter c in a window of the recording, about."""
    table = model.table()
    p = 12 * len(model.kinds) * c
    high = (table[p + 2] | table[p + 3] << 8) - PAD
    # the level is events << 8 - params[2 * c]
    return mean_of_log(max(high, 0)) << model.params[2 * c] >> UNIT_BITS
