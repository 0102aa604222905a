"""The Python API, in scikit-learn's manner."""

import pickle
import sys

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
from inlier_trainer.about import MARKS

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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_counters_that_never_change_are_allowed_by_name_or_all(monkeypatch):
    monkeypatch.setattr(autoencoder, "STEPS", 20)
    still = WINDOWS.copy()
    still[:, :4] = 0
    with pytest.raises(ValueError, match="--allow-constant all"):
        Detector(window_ms=1000).fit(still)
    named = Detector(window_ms=1000, allow_constant=Sockets.counters[:4]).fit(still)
    assert Detector(window_ms=1000, allow_constant="all").fit(still).model_ == named.model_


def test_without_scikit_learn_it_says_what_brings_it(monkeypatch):
    import inlier_trainer

    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "inlier_trainer.detector")
    with pytest.raises(ImportError, match=r"needs sklearn.base: .* pip install 'inlier\[train\]'"):
        inlier_trainer.__getattr__("Detector")


def test_before_it_is_fitted_it_says_so():
    with pytest.raises(NotFittedError):
        Detector().predict(WINDOWS)
    with pytest.raises(ValueError, match="no source 'tea'"):
        Detector("tea").fit(WINDOWS)


def test_scikit_learn_s_own_checks_fail_on_their_data_s_columns_alone():
    """They fit on a few columns of random floats, which are no counters."""
    results = estimator_checks.check_estimator(Detector(), on_fail=None, on_skip=None)
    passed = {each["check_name"] for each in results if each["status"] == "passed"}
    failed = {
        each["check_name"]: str(each["exception"]) for each in results if each["status"] == "failed"
    }
    assert len(passed) > 15 and "check_estimators_unfitted" in passed
    for name, why in failed.items():
        assert "but 14 counters are expected: bytes_out" in why, (name, why)


@pytest.mark.parametrize(
    "theirs",
    [
        np.asfortranarray,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(object),
        lambda x: x.tolist(),
        lambda x: pl.DataFrame(x, schema=list(Sockets.counters), orient="row"),
    ],
)
def test_windows_of_any_kind_give_the_same_scores_and_stay_as_they_are(fitted, theirs):
    windows = scanned()
    given = theirs(windows)
    if isinstance(given, np.ndarray):
        given.flags.writeable = False  # as of a file that is mapped
    before = dict(vars(fitted))
    assert np.array_equal(fitted.score_samples(given), fitted.score_samples(windows))
    assert vars(fitted) == before and np.array_equal(scanned(), windows)


def marked(windows, marks):
    frame = pl.DataFrame(windows, schema=list(Sockets.counters), orient="row")
    return pl.DataFrame(marks, schema=list(MARKS), orient="row").hstack(frame)


@pytest.mark.slow
def test_what_interrupted_a_recording_is_known_as_on_the_command_line(
    tmp_path, inlier, monkeypatch
):
    monkeypatch.setattr(autoencoder, "STEPS", 20)
    marks = np.stack([np.ones(600), np.arange(600), np.ones(600)], axis=1).astype(int)
    marks[400:, 0] = 2  # it booted again
    marks[100, 2] = 0  # no window: packets were lost
    recording = recordings.Recording(Sockets.counters, WINDOWS, marks=marks)
    recordings.write(tmp_path / "w.csv", recording)
    code, _, error = inlier("train", tmp_path / "w.csv", "--window", "1s", "-o", tmp_path / "m")
    assert code == 0, error
    frame = pl.read_csv(tmp_path / "w.csv", comment_prefix="#")
    model = Detector(window_ms=1000).fit(frame)
    assert model.model_ == (tmp_path / "m").read_bytes()
    units = Detector(window_ms=1000).fit(
        pl.concat([frame, frame]), groups=["hall"] * 600 + ["door"] * 600
    )
    assert units.model_ != model.model_


def test_a_device_that_booted_again_knows_of_no_alarm(fitted):
    marks = np.stack([np.ones(200), np.arange(200), np.ones(200)], axis=1).astype(int)
    assert fitted.predict(marked(scanned(), marks))[90] == -1
    marks[80:, 0] = 2
    marks[70, 2] = 0
    verdicts = fitted.predict(marked(scanned(), marks))
    assert verdicts[69] == -1 and verdicts[70] == 1, "it is no window"
    assert set(verdicts[80:112]) == {1}, "nothing is raised in the first 32"
    with pytest.raises(ValueError, match="each window in it was interrupted"):
        fitted.predict(marked(scanned(), marks * 0))


def test_a_clone_has_the_parameters_and_no_model(fitted):
    other = clone(fitted)
    assert other.get_params() == fitted.get_params() and not hasattr(other, "model_")
