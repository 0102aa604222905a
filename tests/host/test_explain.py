"""Contributions add up to the score, on the device as in the reference; the
largest is said first.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from inlier import explain
from inlier.kernels import plain
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier_export import reference
from inlier_export.model_file import pack
from inlier_export.synthetic import extreme_windows, random_detector


@pytest.fixture(params=[False, True], ids=["by time", "by rows"])
def case(request):
    """A model, windows of which many score, and the reference's trace."""
    d = random_detector(4, by_rows=request.param)
    deltas = np.minimum(extreme_windows(6, 300), (1 << 30) - 1)
    return d, deltas, reference.run(d, deltas)


def pipelines(d, deltas):
    model = Model(pack(d))
    pipeline = Pipeline(model, Replay((), model.counters()), plain)
    for row in deltas:
        pipeline.score(array("i", row.tolist()))
        yield model, pipeline


def test_contributions_add_up_to_the_score_on_device_and_host(case):
    d, deltas, trace = case
    expected = reference.contributions(trace.f, trace.y, d)
    assert (expected >= 0).all() and (expected.sum(axis=1) == trace.svm).all()
    assert trace.svm.max() > 0
    for i, (model, pipeline) in enumerate(pipelines(d, deltas)):
        table = model.table()
        parts = [
            explain.contribution(model, table, pipeline.f, pipeline.y, j)
            for j in range(model.features)
        ]
        assert parts == expected[i].tolist(), i
        leads = expected[i].reshape(len(d.counters), -1).sum(axis=1).argmax()
        assert pipeline.leading() == leads, i


def test_features_are_named_largest_first_with_their_share(case):
    d, deltas, trace = case
    expected = reference.contributions(trace.f, trace.y, d)
    names = [name for _, pipeline in pipelines(d, deltas[:1]) for name in named(pipeline.model)]
    for i, (_, pipeline) in enumerate(pipelines(d, deltas)):
        told = pipeline.explain()
        shares = expected[i] * 100 // max(1, int(trace.svm[i]))
        assert [share for _, share in told] == sorted(shares[shares > 0], reverse=True)[:3]
        for name, share in told:
            assert shares[names.index(name)] == share
        assert len(pipeline.explain(56)) == (shares > 0).sum()
        assert sum(share for _, share in pipeline.explain(56)) <= 100


def named(model):
    return [model.feature_name(i) for i in range(model.features)]


def test_equal_contributions_are_told_in_the_order_of_the_counters():
    d = flat(replace(random_detector(5, ()), layers=[]))
    (_, pipeline) = next(pipelines(d, np.full((1, len(d.counters)), 255)))
    assert [name for name, _ in pipeline.explain(2)] == ["c0", "c1"] and pipeline.leading() == 0


def flat(d, **changes):
    """Each feature alike, counted only as a mean of the window itself."""
    n = d.features
    zero = np.zeros(n, np.int64)
    weights = np.zeros((n, 3), np.int64)
    weights[:: len(d.schema.kinds)] = 100, 50, 0
    schema = replace(d.schema, shifts=np.full(14, 8), caps=np.zeros(14, np.int64))
    return replace(
        d,
        schema=schema,
        offset=zero + 40,
        high=zero + 64,
        low=zero + 32,
        far=zero + 999,
        input_shift=zero,
        weights=weights,
        **changes,
    )


@pytest.mark.parametrize(
    ("by_rows", "events", "told", "score", "quiet"),
    [
        # log2(1 + 255) is 8 octaves: 128, of which 64 beyond high
        (False, {3: 255}, [("c3", 100)], 6400, 13 * 32 * 50),
        (True, {3: 255}, [("c3", 23), ("c0", 5), ("c1", 5)], 6400 + 13 * 1600, None),
        # 3 events: 2 octaves, which is low exactly and no further
        (True, {i: 3 for i in range(1, 14)}, [("c0", 100)], 1600, None),
        (False, {i: 3 for i in range(1, 14)}, [], 0, 1600),
        # 15: 64, high exactly
        (False, {i: 15 for i in range(14)}, [], 0, 0),
        (False, {0: 31, 1: 63, **{i: 15 for i in range(2, 14)}}, [("c1", 66), ("c0", 33)], 4800, 0),
    ],
)
def test_what_lies_beyond_which_side_is_told(by_rows, events, told, score, quiet):
    """In order of time too little is a silence, and no part of the score;
    rows are outlying on both sides.
    """
    d = flat(random_detector(5, (), by_rows=by_rows), layers=[])
    deltas = np.zeros((1, len(d.counters)), np.int64)
    for c, n in events.items():
        deltas[0, c] = n
    (_, pipeline) = next(pipelines(d, deltas))
    assert pipeline.svm == score and pipeline.explain() == told
    assert quiet is None or pipeline.quiet.score == quiet


def test_a_distance_from_the_reconstruction_counts_above_the_centre_alone():
    """A reconstruction below the benign centre stands for the centre."""
    d = flat(random_detector(5, (3,)))
    weights = d.weights.copy()
    weights[:, :] = 0
    weights[0, 2] = 10
    d = replace(d, weights=weights, far=np.zeros_like(d.far) + 5)
    f = np.full((4, d.features), 60, np.int16)
    f[3] = 30
    y = np.full((4, d.features), 128, np.uint8)
    y[1], y[2], y[3] = 138, 10, 10
    found = reference.contributions(f, y, d)[:, 0]
    assert found.tolist() == [10 * 15, 10 * 5, 10 * 15, 0]
    model = Model(pack(d))
    for i in range(4):
        part = explain.contribution(model, model.table(), f[i].tolist(), y[i].tolist(), 0)
        assert part == found[i]
