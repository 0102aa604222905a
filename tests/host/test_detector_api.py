"""The Python API around a model that is made up: what fit hands to the
recipe, and what is made of X and of the decisions over it.
"""

import inspect
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from inlier.sockets import Sockets
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_trainer import Detector, detector
from inlier_trainer.about import MARKS

COUNTERS = ("a", "b", "c")
N = 40


def made(counters=COUNTERS, **changes):
    """A score is 16 times log2(1 + a): raised at once, over 40; cleared by 4
    windows without.
    """
    d = random_detector(3, (), counters, (0,), ())
    n = len(counters)
    zero = np.zeros(n, np.int64)
    schema = replace(d.schema, shifts=zero + 8)
    first = np.zeros((n, 3), np.int64)
    first[0, 0] = 1
    return replace(
        d, source="tea", schema=schema, offset=zero, high=zero, low=zero, far=zero + 999, layers=[],
        weights=first, horizons=((1, 1, 40),), warmup=0,
        clear_after=4, cooldown=0, **changes,
    )  # fmt: skip


@pytest.fixture
def loaded(tmp_path):
    path = tmp_path / "m.inlier"
    path.write_bytes(pack(made(window_ms=7000, metadata={"false_alarms": "3/day", "seed": 9})))
    return Detector.load(path)


def windows(*loud):
    rows = np.zeros((N, 3), np.int64)
    rows[list(loud), 0] = 15  # a score of 64
    return rows


def alarmed(found):
    """Where it is -1, which is all that is not 1."""
    assert set(found.tolist()) <= {-1, 1}
    return np.flatnonzero(found == -1).tolist()


def test_fit_hands_windows_and_options_to_the_recipe(monkeypatch):
    asked = []

    def learn(units, names, settings):
        asked.append((units, names, settings))
        return SimpleNamespace(trained=SimpleNamespace(blob=pack(made())))

    monkeypatch.setattr(detector, "learn", learn)
    model = Detector(
        "tea", counters=list(COUNTERS), window_ms=5000, hidden=[3, 4], false_alarms="2/day", seed=7,
        detectors="svm", backend="keras", allow_constant=["b"], accept_anomalies=True,
    )  # fmt: skip
    assert model.fit(windows(1)) is model
    ((units, names, settings),) = asked
    assert names == ["X"] and len(units) == 1 and len(units[0]) == 1
    assert np.array_equal(units[0][0], windows(1))
    assert vars(settings) == {
        "source": "tea", "counters": COUNTERS, "window_ms": 5000, "hidden": (3, 4),
        "false_alarms": "2/day", "seed": 7, "detectors": "svm", "backend": "keras",
        "allow_constant": {"b"}, "accept_anomalies": True,
    }  # fmt: skip
    assert model.model_ == pack(made()) and model.detector_.source == "tea"
    assert model.n_features_in_ == 3 and model.feature_names_in_.tolist() == list(COUNTERS)
    Detector("tea", counters=COUNTERS, allow_constant="all").fit(windows(1))
    assert asked[-1][2].allow_constant == set(COUNTERS)
    Detector("sockets").fit(np.zeros((9, len(Sockets.counters))))
    assert asked[-1][2].counters == tuple(Sockets.counters), "the source's, unless named"
    groups = ["hall"] * 10 + ["door"] * 30
    Detector("tea", counters=COUNTERS).fit(windows(3, 12), groups=groups)
    units, names, _ = asked[-1]
    assert names == ["hall", "door"] and [len(unit) for unit in units] == [1, 1]
    assert np.array_equal(units[0][0], windows(3)[:10])
    assert np.array_equal(units[1][0], windows(12)[10:])


def test_options_are_those_of_inlier_train_unless_they_are_given():
    """And of Settings, which it leaves alone."""
    given = inspect.signature(detector.Settings).parameters
    own = inspect.signature(Detector).parameters
    for name in ("hidden", "false_alarms", "seed", "detectors", "backend", "accept_anomalies"):
        assert own[name].default == given[name].default, name
    assert own["window_ms"].default == 10_000 and own["source"].default == "sockets"


def test_marks_of_each_unit_go_with_it(monkeypatch):
    asked = []
    monkeypatch.setattr(
        detector, "learn", lambda units, *_: asked.append(units) or SimpleNamespace(
            trained=SimpleNamespace(blob=pack(made()))
        )
    )  # fmt: skip
    frame = marked(windows(2), lost=(5, 25))
    Detector("tea", counters=COUNTERS).fit(frame, groups=[1] * 20 + [2] * 20)
    assert [[len(run) for run in unit] for unit in asked[0]] == [[5, 14], [5, 14]]
    Detector("tea", counters=COUNTERS).fit(frame)
    assert [[len(run) for run in unit] for unit in asked[1]] == [[5, 19, 14]]


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([1] * (N - 1), r"groups has shape \(39,\); one of each window is needed"),
        ([[1]] * N, r"groups has shape \(40, 1\)"),
        ([1] * 10 + [2] * 10 + [1] * 20, "the windows of a unit must lie side by side"),
    ],
)
def test_groups_are_one_of_each_window_side_by_side(groups, why):
    with pytest.raises(ValueError, match=why):
        Detector("tea", counters=COUNTERS).fit(windows(), groups=groups)


def marked(rows, lost=(), booted=N):
    marks = np.stack([np.ones(N), np.arange(N), np.ones(N)], axis=1).astype(np.int64)
    marks[list(lost), 2] = 0
    marks[booted:, 0] = 2
    columns = dict(zip((*MARKS, *COUNTERS), np.column_stack([marks, rows]).T, strict=True))
    return pl.DataFrame(columns)


def test_what_is_outlying_is_so_while_an_alarm_is_on(loaded):
    assert alarmed(loaded.predict(windows())) == []
    assert alarmed(loaded.predict(windows(10))) == [10, 11, 12, 13]
    assert alarmed(loaded.predict(windows(0, 2, 3))) == list(range(7))
    assert alarmed(loaded.predict(windows(38))) == [38, 39]
    # every fourth window, and GROWN of what was told: it is told again, and on
    grows = windows(*range(10, 30))
    grows[20:30, 0] = 1 << 29
    assert 2 in reference.run(loaded.detector_, grows).event
    assert alarmed(loaded.predict(grows)) == list(range(10, 33))


def test_an_alarm_ends_where_the_device_was_interrupted(loaded):
    assert alarmed(loaded.predict(marked(windows(10), lost=(12,)))) == [10, 11]
    assert alarmed(loaded.predict(marked(windows(10, 13), lost=(12,)))) == [10, 11, 13, 14, 15, 16]
    assert alarmed(loaded.predict(marked(windows(10), booted=12))) == [10, 11]
    assert alarmed(loaded.predict(marked(windows(10, 12), booted=12))) == list(range(10, 16))
    assert alarmed(loaded.predict(marked(windows(0), lost=(1,)))) == [0]
    with pytest.raises(ValueError, match="each window in it was interrupted"):
        loaded.predict(marked(windows(), lost=range(N)))


def test_scores_are_negated_and_none_is_explained_that_is_0(loaded):
    scores = loaded.score_samples(windows(10))
    assert scores[10] == -64 and scores.sum() == -64
    told = loaded.explain(windows(10))
    assert told[10] == [("a", 100)] and told.count([]) == N - 1


def test_so_many_features_are_named_as_one_asks_for_and_three_if_one_does_not():
    weights = np.zeros((5, 3), np.int64)
    weights[:, 0] = 4, 3, 1, 1, 1
    model = Detector()
    model._take(pack(replace(made(tuple("abcde")), weights=weights)))
    rows = np.ones((1, 5), np.int64)
    whole = [("a", 40), ("b", 30), ("c", 10), ("d", 10), ("e", 10)]
    assert model.explain(rows) == [whole[:3]]
    assert model.explain(rows, 1) == [whole[:1]] and model.explain(rows, 9) == [whole]


def test_a_model_that_is_loaded_says_what_it_was_trained_with(loaded, tmp_path):
    told = loaded.get_params()
    assert told["source"] == "tea" and told["counters"] == COUNTERS and told["window_ms"] == 7000
    assert told["false_alarms"] == "3/day" and told["seed"] == 9
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == loaded.model_
    (tmp_path / "again").write_bytes(pack(made(metadata={"windows": 5})))
    told = Detector.load(str(tmp_path / "again")).get_params()
    assert told["false_alarms"] == "1/week" and told["seed"] == 1, "as by default"
    (tmp_path / "again").write_bytes(b"INLR")
    with pytest.raises(ValueError, match="again: not an inlier model"):
        Detector.load(tmp_path / "again")


def test_what_the_recipe_refuses_is_a_value_error(monkeypatch):
    def learn(*_):
        raise BadInput("too few")

    monkeypatch.setattr(detector, "learn", learn)
    with pytest.raises(ValueError, match="^too few$"):
        Detector("tea", counters=COUNTERS).fit(windows())
    with pytest.raises(ValueError, match="no source 'tea'"):
        Detector("tea").fit(windows())


def test_before_it_is_fitted_it_says_so(tmp_path):
    for call in ("predict", "score_samples", "explain", "save"):
        with pytest.raises(NotFittedError):
            getattr(Detector(), call)(tmp_path / "x" if call == "save" else windows())
    assert Detector().__sklearn_tags__().input_tags.positive_only


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (windows() - 1, "X, window 0, counter 'a' is -1; it must be a whole number from 0 up"),
        (windows() + np.eye(N, 3, -4) / 2, "X, window 4, counter 'a' is 0.5; it must be"),
        (windows()[:, :2], "X has 2 columns, but 3 counters are expected: a, b, c"),
        (pl.DataFrame({"a": [1], "c": [1]}), "X has no column 'b'; its columns must be a, b, c"),
        (
            pl.DataFrame({name: [1] for name in "zacxb"}),
            "X has a column 'x' that is no counter; its columns must be a, b, c",
        ),
    ],
)
def test_what_are_no_windows_is_told_with_its_place(loaded, spoilt, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        loaded.predict(spoilt)


def test_columns_are_matched_by_name_and_stay_as_they_are(loaded):
    rows = windows(10)
    frame = pl.DataFrame(rows[:, ::-1], schema=list(COUNTERS[::-1]), orient="row")
    assert alarmed(loaded.predict(frame)) == [10, 11, 12, 13]
    assert alarmed(loaded.predict(rows.astype(float))) == [10, 11, 12, 13]
    assert alarmed(loaded.predict(rows.tolist())) == [10, 11, 12, 13]
