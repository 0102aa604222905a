"""The weights: as much in all as keeps what benign events do within the margin."""

import numpy as np
import pytest

from inlier.packet_counters import Packets
from inlier.sockets import Sockets
from inlier_trainer.one_class_svm import HOLD_LOOKUPS, INBOUND, LOOKUPS, upper_bounds, weights

MARGIN = 48.0


def test_without_a_benign_excess_each_weight_is_its_bound():
    upper = np.array([1.0, 0.25, 0.125])
    assert weights(np.zeros((9, 3), np.int64), upper, MARGIN).tolist() == [127, 32, 16]


def test_what_benign_events_do_costs_weight_and_all_else_keeps_it():
    """One row: 96 of the first column fit the margin 48 at half the weight."""
    rows = np.array([[96, 0, 0], [0, 40, 0], [0, 0, 0]])
    assert weights(rows, np.ones(3), MARGIN).tolist() == [64, 127, 127]
    together = np.array([[96, 48, 0]])  # costs least in the column of less excess
    assert weights(together, np.ones(3), MARGIN).tolist() == [1, 127, 127]


@pytest.mark.parametrize(("rows", "margin"), [(40, 48.0), (40, 12.0), (1500, 48.0), (6000, 48.0)])
def test_every_unseen_benign_row_stays_within_the_margin(rows, margin):
    rng = np.random.default_rng(rows)
    excess = rng.integers(0, 100, (rows, 12)) * (rng.random((rows, 12)) < 0.2)
    excess[:, -2:] = 0  # what no benign event did
    upper = np.tile([1.0, 0.125, 0.25], 4)
    found = weights(excess, upper, margin)
    # rounding adds half of a 127th an excess, and one where a weight would be 0
    assert (excess @ found <= 127 * margin + excess.sum(axis=1)).all()
    assert (found <= np.rint(127 * upper)).all() and found.min() >= 1
    assert found[-2:].tolist() == [16, 32], "and is what it may be"


def test_the_margin_and_the_bounds_hold_where_benign_events_press_every_column():
    """The most that two such rows allow is 48 / 80 each, whatever int8 could
    hold.
    """
    rows = np.array([[60, 20], [20, 60]])
    assert weights(rows, np.ones(2), MARGIN).tolist() == [76, 76]
    pressed = weights(np.array([[480, 0]]), np.array([1.0, 0.125]), MARGIN)
    assert pressed.tolist() == [13, 16], "what comes in weighs no more for it"


def test_what_others_do_to_the_device_is_bounded_in_every_source():
    for source in (Sockets, Packets):
        upper = upper_bounds(tuple(source.counters), 4).reshape(-1, 4)
        for name, bounds in zip(source.counters, upper, strict=True):
            assert (bounds == bounds[0]).all(), "all features of a counter"
            # an eighth, and of what goes out when names are asked for, a
            # quarter
            inbound, asked = name in INBOUND | LOOKUPS, name in HOLD_LOOKUPS
            assert bounds[0] == (1 / 8 if inbound else 1 / 4 if asked else 1), name
        assert {"bytes_out", "peers_new"} & set(source.counters)
        assert upper[list(source.counters).index("peers_new"), 0] == 1
