"""What a fleet's people look at: drift with its reason, and the page."""

import io
import itertools
import json

import numpy as np
import polars as pl
import pytest

from inlier.benign import PAD
from inlier_export.synthetic import random_detector
from inlier_trainer.fleet import parts, survey, train
from inlier_trainer.fleet.engine import Cluster
from inlier_trainer.fleet.rollout import Answer, Rollout, Rules
from inlier_trainer.fleet.simulate import Plan, simulate
from inlier_trainer.fleet.store import Store
from inlier_trainer.progress import quiet
from inlier_trainer.trainer import DISTANCE_PAD
from tools_missing import needs_tool

PLAN = Plan(devices=10, types=2, days=15, infected=1, seed=5, window_ms=900_000)
CHARTS = ["days", "drift", "rollout", "worst"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Trained; then one type's devices begin to tell eight times as much."""
    place = tmp_path_factory.mktemp("fleet")
    store, on = Store(str(place)), Cluster()
    simulate(store, PLAN, on, quiet)
    train.fit(store, survey.survey(store, on, quiet), on, quiet, detectors="svm")
    for device in store.devices("type1"):
        for date in store.dates(device)[7:]:
            span = parts.read(store, device, [date])
            span.windows[:, 0] *= 8
            span.firmware[:] = "2.0"
            parts.write_part(store, device, date, span)
    return place


@pytest.fixture(scope="module")
def report(fleet, request):
    """The page, with a rollout that was halted."""
    store = Store(str(fleet))
    rollout = Rollout(store, store.devices("type2"), 3, b"model", Rules(0.1, 60, 60))
    (first,) = rollout.to_offer(0)
    rollout.answered(first, Answer(2, "refused", "model <b>scores</b> otherwise"), 1)
    rollout.step(2)
    rollout.save()
    return fleet / "fleet.html"


def test_what_moved_is_named_with_version_week_and_octaves(fleet, inlier):
    code, out, error = inlier("fleet", "drift", fleet, "--workers", "0", "--json")
    assert code == 0, error
    told = json.loads(out)
    # 8 is three octaves; the features hold 1 + mean / 256, and bins are
    # quarters
    first = [m for m in told["moved"] if m["week"] == "2026-01-08"]
    assert [(m["type"], m["version"], m["counter"]) for m in first] == [
        ("type1", "2.0", "bytes_out")
    ]
    assert first[0]["octaves"] == pytest.approx(3, abs=0.5)
    (proposal,) = told["proposals"]
    assert proposal["type"] == "type1" and "firmware 2.0 has 'bytes_out'" in proposal["reason"]


def test_a_device_that_fits_its_type_badly_is_named_with_what_differs():
    rng = np.random.default_rng(1)
    profiles = [
        {"device": f"d{i}", "type": "t", "median": rng.integers(90, 110, 3).tolist()}
        for i in range(50)
    ]
    profiles[7]["median"][1] += 64  # four octaves
    (odd,) = train.misfits(profiles, ("bytes_out", "peers", "lookups"))
    assert odd["device"] == "d7" and list(odd["differs"]) == ["peers"]
    assert odd["octaves"] == pytest.approx(4, abs=0.7)


def test_ranges_keep_the_devices_that_reach_furthest_out():
    """One of a hundred that was infected all along moves nothing."""
    detector = random_detector(1)
    usual = {"high": detector.high + 3, "far": detector.far}
    profiles = [usual] * 99 + [{"high": detector.high + 200, "far": detector.far + 200}]
    wide = train.widened(detector, profiles)
    assert (wide.high == detector.high + 3 + PAD).all()
    assert (wide.far == detector.far + DISTANCE_PAD).all()


@needs_tool("chromium")
def test_a_browser_shows_the_page_narrow_and_wide_light_and_dark(fleet, report, inlier):
    from browser import chromium, overflow

    for command in (("drift", fleet), ("report", fleet, "-o", report)):
        code, _, error = inlier("fleet", *command, "--workers", "0")
        assert code == 0, error
    with chromium() as open_page:
        for width, dark in itertools.product((400, 1400), (False, True)):
            shown, complaints = open_page(report.as_uri(), width, dark)
            shown.wait_for_function(
                "Object.keys(charts).every(key => document.querySelector(`#${key} svg`))"
            )
            assert not complaints and overflow(shown) <= 0
            assert sorted(shown.evaluate("Object.keys(charts)")) == CHARTS
            for key in CHARTS:
                box = shown.locator(f"#{key} svg").bounding_box()
                assert 300 < box["width"] <= width, key
                assert shown.locator(f"#{key} .role-mark path").count() >= 1, f"{key} is drawn"
            text = shown.inner_text("body")
            assert "halted in the wave of 1%: 1 of 1 devices refused it" in text
            assert "<b>scores</b>" in text, "what devices say is text"
            assert "Train type1 again" in text


def test_the_files_of_a_profile_add_up(fleet):
    """Each window of each counter is in one bin of its version and week."""
    store = Store(str(fleet))
    device = store.devices("type2")[0]
    table = pl.read_parquet(io.BytesIO(store.read(f"profiles/{device.place}/profile.parquet")))
    sums = table.group_by("counter").agg(pl.col("windows").sum())
    assert set(sums["windows"]) == {PLAN.windows}
