"""What a feature's benign range was, read back from the model's quantisation."""

from ..features import UNIT_BITS, mean_of_log

BENIGN_HALF = 63  # the benign range fills [-63, 63]: what lies outside stays visible


def usual(model, i):
    """The benign range of feature i in events a window: (lowest, highest), the
    integers within.

    It is what the quantisation was made from: the feature's range in the
    recording lies on [-63, 63] of (f - offset) * multiplier >> 8, f as in
    features.py. One narrower than an octave was widened to that.
    """
    p = model.quantisation()
    offset = p[4 * i] | p[4 * i + 1] << 8
    half = (BENIGN_HALF << 8) // (p[4 * i + 2] | p[4 * i + 3] << 8)
    shift = UNIT_BITS - model.shifts()[i // len(model.scales)]  # events << shift is the level
    low = _level(offset - half)
    high = _level(offset + half)
    if shift < 0:
        return low << -shift, high << -shift
    high >>= shift
    return min(high, low + (1 << shift) - 1 >> shift), high


def _level(f):
    return mean_of_log(f) if f > 0 else 0
