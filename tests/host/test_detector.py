"""The Python API, in scikit-learn's manner."""

import pickle

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from device_of_tests import AT, benign
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.sockets import Sockets
from inlier_export.model_file import Model
from inlier_trainer import Detector, autoencoder, recordings

WINDOWS = benign(600)


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "STEPS", 200)  # how good a fit is, is asked elsewhere
        return Detector(window_ms=1000).fit(WINDOWS)


def scanned() -> np.ndarray:
    """A scan in windows 60 to 99."""
    windows = benign(200, 5)
    windows[60:100, AT["connects"]] += 40
    windows[60:100, AT["connects_refused"]] += 40
    windows[60:100, AT["peers"]] += 40
    return windows


def test_its_model_is_the_command_line_s_byte_for_byte(fitted, tmp_path, inlier, monkeypatch):
    monkeypatch.setattr(autoencoder, "STEPS", 200)
    recordings.write(tmp_path / "w.csv", recordings.Recording(Sockets.counters, WINDOWS))
    code, _, err = inlier(
        "train", tmp_path / "w.csv", "--window", "1s", "-o", tmp_path / "theirs.inlier"
    )
    assert code == 0, err
    fitted.save(tmp_path / "ours.inlier")
    assert (tmp_path / "ours.inlier").read_bytes() == (tmp_path / "theirs.inlier").read_bytes()


def test_scores_verdicts_and_explanations_are_the_device_s(fitted):
    """The runtime, window by window, over a scan."""
    windows = scanned()
    rows = [",".join(Sockets.counters), *(",".join(map(str, row)) for row in windows)]
    source = Replay(iter(rows))
    pipeline = Pipeline(Model(fitted.model_), source)
    scores, verdicts, explained = [], [], []
    while source.advance():
        pipeline.step()
        scores.append(-pipeline.svm)
        verdicts.append(-1 if pipeline.alarm.active else 1)
        explained.append(pipeline.explain() if pipeline.svm else [])
    assert fitted.score_samples(windows).tolist() == scores
    assert fitted.predict(windows).tolist() == verdicts
    assert fitted.explain(windows) == explained
    assert set(verdicts[:60]) == {1} and verdicts[62] == -1, "the scan is what is seen"
    assert explained[62][0][0].startswith(("peers", "connects"))


def test_what_was_saved_is_loaded_and_scores_alike(fitted, tmp_path):
    fitted.save(tmp_path / "m.inlier")
    again = Detector.load(tmp_path / "m.inlier")
    assert again.model_ == fitted.model_ and again.window_ms == 1000
    assert np.array_equal(again.predict(scanned()), fitted.predict(scanned()))
    thawed = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(thawed.score_samples(scanned()), fitted.score_samples(scanned()))


def test_a_data_frame_s_columns_are_matched_by_name(fitted):
    frame = pl.DataFrame(scanned(), schema=list(Sockets.counters), orient="row")
    turned = frame.select(reversed(Sockets.counters))
    assert np.array_equal(fitted.score_samples(turned), fitted.score_samples(scanned()))
    with pytest.raises(ValueError, match="X has no column 'peers'; its columns must be"):
        fitted.predict(turned.drop("peers"))
    with pytest.raises(ValueError, match="a column 'colour' that is no counter"):
        fitted.predict(turned.with_columns(colour=1))


def test_groups_are_units_of_one_type(monkeypatch):
    monkeypatch.setattr(autoencoder, "STEPS", 20)
    both = np.concatenate([benign(400, 1), benign(400, 2)])
    groups = ["hall"] * 400 + ["door"] * 400
    model = Detector(window_ms=1000, detectors="svm").fit(both, groups=groups).model_
    assert model != Detector(window_ms=1000, detectors="svm").fit(both).model_
    with pytest.raises(ValueError, match="side by side; sort by unit"):
        Detector(window_ms=1000).fit(both, groups=["hall", "door"] * 400)


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (WINDOWS - 1, "window 0, counter 'connects' is -1; it must be a whole number from 0 up"),
        (WINDOWS + 0.5, "it must be a whole number from 0 up"),
        (WINDOWS[:, :-1], "X has 13 columns, but 14 counters are expected"),
        (WINDOWS.astype(float) * np.nan, "NaN"),
        (WINDOWS[:100], "100 windows, at least 333 are needed"),
    ],
)
def test_what_nothing_can_be_learned_from_is_a_value_error(spoilt, why):
    with pytest.raises(ValueError, match=why):
        Detector().fit(spoilt)


def test_before_it_is_fitted_it_says_so():
    with pytest.raises(NotFittedError):
        Detector().predict(WINDOWS)
    with pytest.raises(ValueError, match="no source 'tea'"):
        Detector("tea").fit(WINDOWS)


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
        "check_valid_tag_types",
        "check_estimators_unfitted",
    ],
)
def test_scikit_learn_s_own_checks_that_need_no_data_of_theirs(check):
    """The others fit on random floats, which are no counters."""
    getattr(estimator_checks, check)("Detector", Detector())


def test_a_clone_has_the_parameters_and_no_model(fitted):
    other = clone(fitted)
    assert other.get_params() == fitted.get_params() and not hasattr(other, "model_")
