"""What a counter did at most in a benign window, read back from the model."""

from .features import mean_of_log

# Half an octave beyond the benign maximum is still benign: a feature's `high`
# is so much more.
PAD = 8


def most(model, c):
    """The most events of counter c in a window of the recording, about."""
    table = model.table()
    p = 12 * len(model.kinds) * c
    high = (table[p + 2] | table[p + 3] << 8) - PAD
    shift = 8 - model.params[2 * c]  # events << shift is the level
    level = mean_of_log(high) if high > 0 else 0
    return level >> shift if shift >= 0 else level << -shift
