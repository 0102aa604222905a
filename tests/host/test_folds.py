"""Out of fold means out of fold: what a fold holds is seen by no range,
autoencoder, weight or threshold that scores it, and counts as new.
"""

from dataclasses import replace

import numpy as np
import pytest

from device_of_tests import SETTINGS, benign
from inlier.features import LOG_MAX
from inlier_trainer import autoencoder, budget
from inlier_trainer.folds import BLOCK_MIN, BLOCKS, FOLDS, SETTLE, plan
from inlier_trainer.horizons import HORIZONS, greatest_level
from inlier_trainer.trainer import Trainer

RUNG = 1.0
POISONED = 2


def trainer(monkeypatch, poison=False, **changes):
    """Of 800 windows; with a burst in fold POISONED, put into the features
    themselves: through damped sums it would reach the next fold too.
    """
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    made = Trainer([benign(800)], replace(SETTINGS, **changes))
    if poison:
        (block,) = (
            b for b, fold in zip(made.plan.blocks, made.plan.fold, strict=True) if fold == POISONED
        )
        made.f[block[100:130]] = LOG_MAX
    return made


def same(a, b):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("high", "offset", "input_shift", "far")
    ) and all(
        np.array_equal(x.weights, y.weights) and np.array_equal(x.bias, y.bias)
        for x, y in zip(a.layers, b.layers, strict=True)
    )


def test_what_a_fold_holds_is_seen_by_nothing_that_scores_it(monkeypatch):
    clean, poisoned = trainer(monkeypatch), trainer(monkeypatch, poison=True)
    out = frozenset([POISONED])
    assert same(clean.fitted(out), poisoned.fitted(out)), "ranges, autoencoder, distances"
    for fold in range(clean.plan.folds):
        both = out | {fold}
        assert same(clean.fitted(both), poisoned.fitted(both)), fold
    weights, least = clean.unseen(RUNG, out)
    assert weights.tolist() == poisoned.unseen(RUNG, out)[0].tolist()
    assert least == poisoned.unseen(RUNG, out)[1]
    assert clean.thresholds(RUNG, out) == poisoned.thresholds(RUNG, out)

    other = frozenset([0])
    assert (poisoned.fitted(other).high == LOG_MAX).all(), "the others do see it"
    assert not same(clean.fitted(other), poisoned.fitted(other))
    assert poisoned.fitted().high.tolist() == [LOG_MAX] * poisoned.schema.features


def test_a_burst_in_one_fold_counts_as_a_new_kind_of_event(monkeypatch):
    clean, poisoned = (trainer(monkeypatch, poison).novelty() for poison in (False, True))
    assert all(b >= 1 and b >= a for a, b in zip(clean, poisoned, strict=True))
    assert clean[-1] == 0 and len(clean) == len(budget.LADDER)


def test_thresholds_are_never_below_what_keeps_unseen_benign_windows_quiet(monkeypatch):
    made = trainer(monkeypatch, poison=True)
    for rung in (budget.LADDER[0], RUNG):
        weights, least = made.unseen(rung)
        limits = made.thresholds(rung)
        assert all(limit >= level for limit, level in zip(limits, least, strict=True))
        assert limits == sorted(limits, reverse=True)
        floors = [int(127 * rung * floor) for floor in made.plan.floors]
        assert all(limit >= floor for limit, floor in zip(limits, floors, strict=True))
        assert any(limit > floor for limit, floor in zip(limits, floors, strict=True)), (
            "the burst demands more than the floors"
        )
        for block, fold in zip(made.plan.blocks, made.plan.fold, strict=True):
            part = made.outlying(made.f[block], made.fitted(frozenset([fold])))
            levels = [greatest_level(part.scores(weights), *h) for h in made.plan.horizons]
            assert all(limit >= level for limit, level in zip(limits, levels, strict=True))


def test_a_detector_that_is_left_out_has_no_excess(monkeypatch):
    for which, silent in (("svm", 1), ("autoencoder", 0)):
        made = trainer(monkeypatch, poison=True, detectors=which)
        n = made.schema.features
        (part,) = [p for p in [made.outlying(made.f, made.fitted(frozenset([POISONED])))]]
        halves = part.excess[:, :n], part.excess[:, n:]
        assert not halves[silent].any() and halves[1 - silent].any(), which


def test_each_fold_holds_blocks_of_all_parts_of_the_recording():
    whole = plan([60_480])
    assert len(whole.blocks) == FOLDS * BLOCKS and whole.folds == FOLDS
    together = np.concatenate(whole.blocks)
    assert together.tolist() == list(range(SETTLE, 60_480)), "each window once, in order"
    assert whole.fold == (0, 1, 2, 3) * BLOCKS and whole.windows == 60_480 - SETTLE
    for out in range(FOLDS):
        inside = whole.inside(frozenset([out]))
        held = [b for b, fold in zip(whole.blocks, whole.fold, strict=True) if fold == out]
        assert not np.isin(np.concatenate(held), inside).any()
        assert len(inside) + sum(map(len, held)) == whole.windows


@pytest.mark.parametrize("windows", [333, 450, 800, 2_000, 2_047, 2_048, 8_192, 20_000])
def test_a_block_is_long_enough_for_every_horizon_twice(windows):
    cut = plan([windows])
    shortest = min(map(len, cut.blocks))
    assert len(cut.blocks) % FOLDS == 0 and (len(cut.blocks) == FOLDS or shortest >= BLOCK_MIN - 20)
    longest = max(n for _, n in cut.horizons)
    assert 2 * longest <= windows // len(cut.blocks)
    assert cut.horizons == HORIZONS[: len(cut.horizons)] and len(cut.floors) == len(cut.horizons)
    assert all(8 << k <= windows for k in cut.persistence), "eight times its own length"


@pytest.mark.parametrize(
    ("windows", "persistence", "longest", "blocks"),
    [
        (333, (4, 5), 24, 1),
        (511, (4, 5), 24, 1),
        (512, (4, 6), 64, 1),  # 8 * 2^6, and a fold of 128 holds 64 twice
        (1023, (4, 6), 64, 1),
        (1024, (4, 7), 64, 1),
        (1535, (4, 7), 64, 1),
        (1536, (4, 7), 192, 1),
        (4095, (4, 7), 192, 1),
        (4096, (4, 7), 192, 2),  # a fold of two blocks of 512
        (6144, (4, 7), 192, 3),
        (60_480, (4, 7), 192, 4),
    ],
)
def test_what_a_recording_of_so_many_windows_can_carry(windows, persistence, longest, blocks):
    cut = plan([windows])
    assert cut.scales == (0, 3) and cut.persistence == persistence
    assert cut.horizons[-1][1] == longest and cut.folds == FOLDS
    assert len(cut.blocks) == FOLDS * blocks
    assert cut.blocks[0][0] == min(SETTLE, windows // 10), "a short one settles in a tenth"


def test_what_several_units_can_carry_is_by_the_shortest_and_their_sums_by_all():
    cut = plan([512, 600])
    assert cut.persistence == (4, 7), "1,112 windows"
    assert cut.horizons[-1][1] == 64, "of 512 windows a fold has 128"
    assert [block[0] for block in cut.blocks[::FOLDS]] == [51, 512 + 60], "each settles"
    assert np.concatenate(cut.blocks).tolist() == [*range(51, 512), *range(572, 1112)]
    assert cut.fold == (0, 1, 2, 3) * 2


@pytest.mark.parametrize("beside", [-1, 0, 1, 2])
def test_no_block_goes_across_what_is_missing_between_a_unit_s_recordings(beside):
    """Wherever that is: at a block's first window nothing is cut."""
    whole = plan([2000])
    for block in whole.blocks[1:]:
        first = int(block[0]) + beside
        cut = plan([first, 2000 - first], [7, 7])
        assert cut.windows == whole.windows and cut.folds == FOLDS
        assert np.concatenate(cut.blocks).tolist() == np.concatenate(whole.blocks).tolist()
        assert len(cut.blocks) == len(whole.blocks) + (beside != 0)
        assert all(len(b) and (b[-1] < first or b[0] >= first) for b in cut.blocks)


def test_a_unit_s_recordings_are_one_unit():
    cut = plan([400, 400, 500, 600], [3, 3, 8, 8])
    whole = plan([800, 1100])
    assert cut.folds == FOLDS, "two units, of each a quarter"
    assert np.concatenate(cut.blocks).tolist() == np.concatenate(whole.blocks).tolist()


def test_from_three_units_on_a_fold_is_a_unit():
    two, three = plan([3000, 4000]), plan([3000, 4000, 5000])
    assert two.folds == FOLDS, "of each a quarter"
    for out in range(FOLDS):
        inside = two.inside(frozenset([out]))
        assert (inside < 3000).any() and (inside >= 3000).any()
    assert three.folds == 3
    first = three.inside(frozenset([1, 2]))
    assert first.min() >= 0 and first.max() == 2999
    assert three.inside(frozenset([0])).min() == 3000 + SETTLE
    short = plan([3000, 333, 5000])
    assert max(n for _, n in short.horizons) <= 333 // 8, "the shortest unit says what can be told"


def test_units_that_differ_are_each_out_of_the_others_ranges(monkeypatch):
    monkeypatch.setattr(autoencoder, "STEPS", 50)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    units = [benign(333, 1), benign(333, 2), benign(333, 3) * 100]
    made = Trainer(units, replace(SETTINGS, detectors="svm"))
    with_it, without = made.fitted().high, made.fitted(frozenset([2])).high
    assert (with_it - without).max() > 80, "five octaves"
    assert made.thresholds(RUNG)[0] > int(127 * RUNG * made.plan.floors[0]), (
        "a unit that is unlike the others is what the threshold must answer for"
    )
