"""Damped sums of integers, s += x - (s >> k), of long recordings.

One window follows from the one before, and a step of NumPy costs the same for a
hundred sums as for ten thousand. So stretches of time are run beside each
other, all but the first from a guess, and then put right:

- Two runs over the same inputs keep their order and approach each other, so
  that after some windows most guesses are forgotten: where a stretch began
  wrongly, it is run again until it meets what is there already.
- Runs that differ by less than 2^k may never meet. Where no window of a
  stretch tells them apart, for s + d is a multiple of 2^k at none, the
  difference stays the same all through, and is added.
- What is left is run again one stretch after the other.

The integers are those of the plain loop, whatever was guessed.
"""

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.int32]
Indices = NDArray[np.intp]

STRETCH = 2048  # windows: many times the longest damping
STRETCHES = 32  # beside each other: what they work on fits a cache
SOON = 256  # windows after which all but the slowest have met
MEET_EVERY = 64  # windows between looks whether a run has met the former one


def damped(x: Sums, s: Sums, k: Sums) -> Sums:
    """The sums after each window of inputs x (n, columns), from the sums s
    (columns,) before the first one. Also of several recordings, x (recordings,
    n, columns) and s (recordings, columns).

    k: shifts (columns,).
    """
    if x.ndim > 2:  # they lie beside each other already
        return np.moveaxis(_run(np.moveaxis(x, -2, 0), s, k), 0, -2)
    out = np.empty_like(x)
    n, columns = x.shape
    whole = n // STRETCH * STRETCH
    for start in range(0, whole, STRETCH * STRETCHES):
        part = slice(start, min(start + STRETCH * STRETCHES, whole))
        shape = ((part.stop - start) // STRETCH, STRETCH, columns)
        # (window of the stretch, stretch, column): a step's numbers lie
        # together
        beside = _beside(x[part].reshape(shape).swapaxes(0, 1).copy(), s, k)
        out[part].reshape(shape)[:] = beside.swapaxes(0, 1)
        s = out[part.stop - 1]
    out[whole:] = _run(x[whole:], s, k)
    return out


def _run(x: Sums, s: Sums, k: Sums) -> Sums:
    """The plain loop, over x (n, ...) from s (...)."""
    out = np.empty(x.shape, np.int32)
    change, k = np.empty_like(s), np.broadcast_to(k, s.shape).copy()
    for i in range(len(x)):
        np.right_shift(s, k, out=change)
        np.subtract(x[i], change, out=change)
        s = np.add(s, change, out=out[i])
    return out


def _beside(x: Sums, s: Sums, k: Sums) -> Sums:
    """As damped, of stretches (windows, stretches, columns) end to end."""
    n, stretches, columns = x.shape
    x, k = x.reshape(n, stretches * columns), np.tile(k, stretches)  # their columns side by side
    begun = np.tile(s, stretches)
    out = _run(x, begun, k)
    ends = out[-1]  # a view: as they are put right
    begun[columns:] = ends[:-columns]
    head = _run(x[:SOON, columns:], begun[columns:], k[columns:])  # soon met by most
    apart = columns + np.flatnonzero(head[-1] != out[SOON - 1, columns:])
    out[:SOON, columns:] = head
    _again(x, apart, head[-1, apart - columns], k, out, SOON)
    for i in range(columns, stretches * columns, columns):
        wrong = i + np.flatnonzero(ends[i - columns : i] != begun[i : i + columns])
        _put_right(x, wrong, ends[wrong - columns], begun, k, out)
    return out.reshape(n, stretches, columns)


def _again(x: Sums, at: Indices, s: Sums, k: Sums, out: Sums, start: int = 0) -> None:
    """Run the columns `at` again, from the sums s (of each) before window
    `start`, until each meets its former run.
    """
    while len(at) and start < len(x):
        part = slice(start, start + MEET_EVERY)
        new = _run(x[part].take(at, axis=1), s, k[at])
        apart = new[-1] != out[part][-1, at]
        out[part, at] = new
        at, s = at[apart], new[-1, apart]
        start += MEET_EVERY


def _put_right(x: Sums, at: Indices, true: Sums, begun: Sums, k: Sums, out: Sums) -> None:
    """Columns `at` of one stretch, which began with the sums `begun`, and not
    with the true ones.
    """
    top = (1 << k[at]) - 1
    off = true - begun[at]
    low = np.concatenate([begun[None, at], out[:-1].take(at, axis=1)]) & top
    told_apart = (low.min(axis=0) + off < 0) | (low.max(axis=0) + off > top)
    out[:, at[~told_apart]] += off[~told_apart]
    _again(x, at[told_apart], true[told_apart], k, out)
