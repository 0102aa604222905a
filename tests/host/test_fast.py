"""What the reference computes at once, or leaves out, are the integers of one
window after the other.
"""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest

from inlier.alarm import Alarm, Quiet
from inlier.features import LEVEL_MAX, PERSISTENCE_MAX, SCALE_MAX
from inlier_export import damped, reference
from inlier_export.synthetic import random_detector


def one_by_one(x, s, k):
    """In Python's own integers."""
    columns = [
        list(accumulate(column, lambda s, x, k=k: s + x - (s >> k), initial=s))[1:]
        for column, s, k in zip(x.T.tolist(), s.tolist(), k.tolist(), strict=True)
    ]
    return np.array(columns).reshape(len(s), -1).T


def inputs(kind, n, columns, rng):
    """What counters do, and what the stretches' guesses cope with worst."""
    x = rng.integers(0, 1 << 12, (n, columns))
    if kind == "silence":  # every sum below 2^k stays where it is
        x[n // 9 :] = 0
    if kind == "constant":  # as does each that is so large that as much goes as comes
        x[:] = 256
    if kind == "rare":
        x[rng.random((n, columns)) < 0.999] = 0
    if kind == "turns":  # busy, silent and constant by turns, each for longer than a stretch
        x[n // 3 : n // 2] = 0
        x[n // 2 :] = 512
    if kind == "largest":
        x[:] = LEVEL_MAX
    if kind == "extremes":
        x = np.where(rng.random((n, columns)) < 0.5, LEVEL_MAX, 0)
    return x.astype(np.int32)


KINDS = "busy", "silence", "constant", "rare", "turns", "largest", "extremes"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 128, 1000, 5003])
def test_sums_beside_each_other_are_those_one_after_the_other(kind, n, monkeypatch):
    monkeypatch.setattr(damped, "STRETCH", 64)
    monkeypatch.setattr(damped, "STRETCHES", 9)
    monkeypatch.setattr(damped, "SOON", 16)
    monkeypatch.setattr(damped, "MEET_EVERY", 8)
    rng = np.random.default_rng(n)
    k = np.arange(PERSISTENCE_MAX + 1, dtype=np.int32)
    if kind in ("largest", "extremes"):  # of a persistence no input is so large
        k = k[: SCALE_MAX + 1]
    s = rng.integers(0, 1 << 20, len(k)).astype(np.int32)
    x = inputs(kind, n, len(k), rng)
    assert (damped.damped(x, s, k) == one_by_one(x, s, k)).all()
    beside = damped.damped(np.stack([x, x]), np.stack([s, s]), k)
    assert (beside == one_by_one(x, s, k)).all(), "several recordings at once"


@pytest.mark.parametrize(
    ("kind", "steps", "again"),
    [
        ("busy", 2304, 2304 * 1.25),
        ("silence", 2304, 2304 * 0.89),
        ("constant", 2304, 2304 * 0.82),
        ("turns", 2304, 2304 * 1.12),
        ("largest", 816, 2304 * 0.42),
    ],
)
def test_what_was_guessed_wrongly_is_run_again_and_no_more(kind, steps, again, monkeypatch):
    """Of 2,304 windows in four times nine stretches, most of whose guesses are
    wrong: so many steps of NumPy, and so many windows more than one run.
    """
    monkeypatch.setattr(damped, "STRETCH", 64)
    monkeypatch.setattr(damped, "STRETCHES", 9)
    monkeypatch.setattr(damped, "SOON", 16)
    monkeypatch.setattr(damped, "MEET_EVERY", 8)
    sizes = []
    found = damped._run
    monkeypatch.setattr(damped, "_run", lambda x, s, k: sizes.append(x.shape) or found(x, s, k))
    k = np.arange(SCALE_MAX + 1 if kind == "largest" else PERSISTENCE_MAX + 1, dtype=np.int32)
    rng = np.random.default_rng(5003)
    s = rng.integers(0, 1 << 20, len(k)).astype(np.int32)
    damped.damped(inputs(kind, 2304, len(k), rng), s, k)
    assert sum(n for n, _ in sizes) <= steps
    assert sum(n * columns for n, columns in sizes) / len(k) - 2304 <= again


@pytest.mark.parametrize(
    ("begun", "first", "true", "shifted"),
    [
        (1, 0, 5, True),  # below 2^3 a sum stays, whichever it is
        (1, 2, 5, True),  # 3 and 7
        (1, 3, 5, False),  # 4, and 8: of which one goes
        (5, 0, 2, True),
        (5, 0, 0, True),
        (9, 0, 8, False),  # 9, 8, 7 and 8, 7
        (9, 0, 10, False),
        (17, 24, 18, False),
        (16, 2, 17, True),  # 16 and 17, of both of which 2 go as long as they come
        (80, 10, 84, True),
    ],
)
def test_runs_that_no_window_tells_apart_stay_apart_and_are_not_run_again(
    begun, first, true, shifted, monkeypatch
):
    """Of a sum of which an eighth goes in each window."""
    k = np.array([3], np.int32)
    x = np.array([[first], [0], [0], [0]] if begun < 9 else [[first]] * 4, np.int32)
    out = one_by_one(x, np.array([begun]), k).astype(np.int32)
    again, found = [], damped._again
    monkeypatch.setattr(
        damped, "_again", lambda x, at, *o: again.append(len(at)) or found(x, at, *o)
    )
    right = np.array([true], np.int32)
    damped._put_right(x, np.array([0]), right, np.array([begun], np.int32), k, out)
    assert (out == one_by_one(x, right, k)).all()
    assert again == [0 if shifted else 1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:5])
def test_so_are_those_of_a_week_at_the_sizes_that_are_used(kind):
    n = damped.STRETCH * damped.STRETCHES + 3 * damped.STRETCH + 5
    rng = np.random.default_rng(1)
    k = np.array([0, 3, 4, 7, 10], np.int32)
    s = rng.integers(0, 1 << 20, len(k)).astype(np.int32)
    x = inputs(kind, n, len(k), rng)
    assert (damped.damped(x, s, k) == one_by_one(x, s, k)).all()


def calm(n, rng):
    """Scores of a device that is left alone but for a few hours."""
    scores = np.zeros(n, np.int64)
    for start in (3, 700, 721, 1500, n - 30):
        scores[start : start + 60] = rng.integers(0, 60_000, len(scores[start : start + 60]))
    return scores


@pytest.mark.parametrize("seed", range(20))
def test_decisions_are_those_of_an_alarm_that_takes_every_window(seed):
    rng = np.random.default_rng(seed)
    d = replace(random_detector(seed), warmup=int(rng.integers(0, 9)))
    scores, odd = calm(2000, rng), rng.random(2000) < 0.001
    alarm = Alarm(reference.settings(d))
    expected = [
        alarm.step(score, also, lambda i=i: i % 5)
        for i, (score, also) in enumerate(zip(scores.tolist(), odd.tolist(), strict=True))
    ]
    assert reference.alarm_events(d, scores, odd, lambda i: i % 5).tolist() == expected
    assert 1 in expected and -1 in expected
    sums = [0, 0]
    quiet, expected = Quiet(reference.settings(d), sums), []
    for sums[1] in scores.tolist():
        quiet.step()
        expected.append(quiet.event)
    assert reference.quiet_events(d, scores).tolist() == expected


@pytest.mark.parametrize("columns", [1, 36, 514, 515, 4096])
def test_a_layer_of_any_width_is_exact(columns):
    """float32 holds sums of up to 514 inputs, float64 all others."""
    rng = np.random.default_rng(columns)
    x = np.full((3, columns), 255, np.uint8)
    x[1] = rng.integers(0, 256, columns)
    weights = np.stack([np.full(columns, -128), np.full(columns, 127)]).astype(np.int8)
    weights = np.concatenate([weights, rng.integers(-128, 128, (5, columns)).astype(np.int8)])
    weights[0, 0] = -127  # an odd sum
    bias = np.arange(100, 107) - x[1].astype(np.int64) @ weights.T  # what is off by one shows
    bias[0] = 100 - x[0].astype(np.int64) @ weights[0]
    layer = reference.Layer(weights, bias, np.zeros(7, np.int64))
    found = reference.dense(x, layer)
    assert found[1, 1:].tolist() == list(range(101, 107)) and found[0, 0] == 100
    acc = x.astype(np.int64) @ weights.T + bias
    assert (found == np.clip(acc, 0, 255)).all()


@pytest.mark.parametrize("largest", [0, 288, 4000, 1 << 20])
def test_a_score_is_exact_however_large_the_excess(largest):
    e = np.full((2, 72), largest, np.int32)
    e[1, ::2] = largest // 3
    weights = np.arange(72) % 128
    expected = [
        sum(a * b for a, b in zip(row, weights.tolist(), strict=True)) for row in e.tolist()
    ]
    assert reference.weighted(e, weights).tolist() == expected


RATE = """
import time
import numpy as np
from inlier_export import reference
from inlier_export.synthetic import random_detector
counters = tuple("abcdefghi")
d = random_detector(3, (16,), counters, (0, 3), (4, 7))
d.high[:], d.far[:], d.low[:] = 288, 288, 0
rng = np.random.default_rng(1)
n = 400_000
windows = rng.poisson(1, (n, 9)) * (rng.random((n, 1)) < 0.3) * rng.integers(1, 200, 9)
best = 9.0
for _ in range(5):
    begun = time.process_time()
    reference.run(d, windows)
    best = min(best, time.process_time() - begun)
print(f"{d.features} features: {n / best:,.0f} windows a second of one core")
"""


@pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="a figure: run `make nightly`")
def test_rate_is_told():
    """Of a model of 36 features over benign windows; no verdict, which would
    depend on the machine.
    """
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "-c", RATE], check=True, capture_output=True, text=True, env=alone
    ).stdout
    print(told)
    assert told.startswith("36 features: ")
