"""The alarm's rule over whole recordings is the device's own; the least
threshold that never alarms is the least.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fuzz
from inlier.alarm import Horizons
from inlier_trainer.horizons import FLOORS, HORIZONS, episodes, greatest_level, raised, reached

RULES = ((1, 1), (1, 3), (2, 3), (3, 3), *HORIZONS[:3])


def test_so_many_of_the_last_windows():
    over = np.array([1, 0, 1, 1, 0, 0, 1], bool)
    assert reached(over, 2, 3).tolist() == [False, False, True, True, True, False, False]
    assert reached(over, 1, 1).tolist() == over.tolist()
    assert reached(np.stack([over, ~over]), 2, 3).tolist()[0] == reached(over, 2, 3).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_raised_equals_the_device_s_own_rule(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 100, 1500) * (rng.random(1500) < rng.choice([0.2, 0.6, 0.95]))
    limits = sorted(rng.integers(0, 100, len(HORIZONS)).tolist(), reverse=True)
    rules = [(k, n, limit) for (k, n), limit in zip(HORIZONS, limits, strict=True)]
    device = Horizons(SimpleNamespace(horizons=lambda: iter(rules)))
    assert raised(scores, limits, HORIZONS).tolist() == [device.step(s) for s in scores.tolist()]


@fuzz.examples
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.sampled_from(RULES))
def test_the_greatest_level_is_the_least_threshold_that_never_alarms(values, rule):
    scores = np.array(values, np.int64)
    level = greatest_level(scores, *rule)
    assert not reached(scores > level, *rule).any()
    assert level == 0 or reached(scores > level - 1, *rule).any(), "no lower one does"
    assert level == 0 or level in values


@fuzz.fewer
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(0, 1 << 30),
)
def test_what_holds_at_a_longer_horizon_holds_at_a_shorter_one(runs, seed):
    """So that thresholds which don't ascend take nothing away: see
    Trainer.thresholds.
    """
    rng = np.random.default_rng(seed)
    scores = np.concatenate([np.full(n, level) for n, level in runs] + [np.zeros(1, int)])
    scores[rng.random(len(scores)) < 0.1] = 0
    levels = [greatest_level(scores, *rule) for rule in HORIZONS]
    assert levels == sorted(levels, reverse=True)


def test_floors_and_horizons_go_together():
    assert len(FLOORS) == len(HORIZONS) and list(FLOORS) == sorted(FLOORS, reverse=True)
    assert [n for _, n in HORIZONS] == sorted({n for _, n in HORIZONS})


def test_horizons_are_those_that_the_page_tells_and_floors_those_that_figures_were_made_with():
    page = " ".join((Path(__file__).parents[2] / "docs/how_it_decides.md").read_text().split())
    (first, *others) = HORIZONS
    said = ", ".join(f"{k} of {n}" for k, n in others)
    assert f"{first[0]} of the last {first[1]} windows over a threshold, {said}:" in page
    assert FLOORS == (48, 40, 36, 28, 20), "docs/results.md rests on them"


def test_each_horizon_has_a_threshold():
    with pytest.raises(ValueError, match="longer"):
        raised(np.zeros(5, int), [1], HORIZONS)


def test_runs_apart_are_alarms_apart():
    on = np.zeros(100, bool)
    assert episodes(on) == 0
    on[[10, 11, 27]] = True
    assert episodes(on) == 1, "16 windows apart is one alarm"
    on[44] = True
    assert episodes(on) == 2, "17 are two"
    assert episodes(on, gap=3) == 3
