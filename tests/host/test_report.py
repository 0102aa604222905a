"""The report is one file that a browser shows without a network, at the width
of a phone and of a desk, light and dark.

recorded/ is the folder of a run: the demonstration's doorbell, benign and
infected three times.
"""

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inlier.procfs import Procfs
from inlier_boards.deployment import budget
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector
from inlier_host.report import bundle, charts, cost, fleet, page, story, subject
from inlier_trainer import scored
from tools_missing import needs_tool

RUN = Path(__file__).parent / "recorded"
MODEL, BENIGN = RUN / "doorbell.inlier", RUN / "windows.csv"
CHARTS = ["benign", "roc", "scores"]


def quiet(stage, done, total):
    pass


@pytest.fixture(scope="module")
def run():
    return subject.of_run(RUN, quiet)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report.html"
    command = [sys.executable, "-m", "inlier_host", "report", str(RUN), "-o", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (
        said["windows"] == 679
        and said["alarms"] == 3
        and said["bytes"] == out.stat().st_size < 3_000_000
    )
    return out


@needs_tool("chromium")
def test_a_browser_shows_it_narrow_and_wide_light_and_dark(report):
    from browser import chromium, overflow

    with chromium() as open_page:
        for width, dark in itertools.product((400, 1400), (False, True)):
            shown, complaints = open_page(report.as_uri(), width, dark)
            shown.wait_for_function(
                "Object.keys(charts).every(key => document.querySelector(`#${key} svg`))"
            )
            assert not complaints
            assert overflow(shown) <= 0
            assert sorted(shown.evaluate("Object.keys(charts)")) == CHARTS
            for key in CHARTS:
                box = shown.locator(f"#{key} svg").bounding_box()
                assert 300 < box["width"] <= width and box["height"] > 80, key
                marks = shown.locator(f"#{key} .role-mark path").count()
                assert marks >= 1, f"{key} is drawn"
            ink, paper = shown.evaluate(
                "[getComputedStyle(document.body).color, "
                "getComputedStyle(document.body).backgroundColor]"
            )
            label = shown.locator("#scores .role-axis-label text").first.get_attribute("fill")
            assert contrast(ink, paper) > 7 and contrast(label, paper) > 4.5, "WCAG 2.1, 1.4.3"
            assert shown.locator(".alarms li").count() == 3
            first = shown.locator(".alarms li").first.text_content()
            assert "monitored.csv@300:496 -o doorbell.inlier" in first
            for name in shown.locator("#scores .role-mark text").all():
                box = name.bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= width, "no name is cut"
            named = shown.locator("#scores .role-mark text").all_text_contents()
            assert named == ["scan", "flood", "beacon"]
            limits = [
                label
                for label in shown.locator("#scores .role-axis-label text").all()
                if " of " in label.text_content()
            ]
            assert [label.text_content() for label in limits] == [
                "56 of 64",
                "20 of 24",
                "8 of 12",
                "2 of 8",
            ]
            places = [label.bounding_box()["y"] for label in limits]
            assert all(a - b >= 11 for a, b in itertools.pairwise(places)), "none over another"
            assert shown.locator("h1").text_content() == "doorbell", "not the folder's name"


def contrast(a, b):
    """WCAG 2.1's contrast ratio of two CSS colours."""

    def luminance(text):
        parts = (
            re.findall(r"\d+", text)[:3]
            if text.startswith("rgb")
            else [str(int(text[i : i + 2], 16)) for i in (1, 3, 5)]
        )
        linear = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
            for v in (int(p) / 255 for p in parts)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_it_tells_each_alarm_in_the_device_s_words(run):
    told = story.alarms(run)
    stages = json.loads((RUN / "run.json").read_text())["stages"]
    assert [a.index for a in told] == np.flatnonzero(run.trace.event == 1).tolist()
    assert [a.cleared is None for a in told] == [False, False, True], (
        "the run ends in the last attack"
    )
    for alarm, stage in zip(told, [s for s in stages if s["kind"] == "attack"], strict=True):
        assert [name for name, _ in alarm.features] == stage["top_features"], (
            "what the device itself named"
        )
        assert [(k, n) for k, n, _ in alarm.reached] == [(2, 8)], "the shortest is first"
    assert told[0].message.startswith("connects to new peers: 10 in this window, at most 0 before")


def test_what_the_counters_gave_sums_to_a_hundred(run):
    for alarm in story.alarms(run):
        assert sum(share for _, share in alarm.shares) == 100
        assert len(alarm.shares) <= story.COUNTERS + 1
    scan, flood, _ = (dict(alarm.shares) for alarm in story.alarms(run))
    assert list(scan)[0] == "connects to new peers" and "other" not in scan
    assert list(flood)[0] == "bytes sent" and list(flood)[-1] == "other"
    assert story.per_cent([1, 1, 1]) == [34, 33, 33]


@pytest.mark.slow
def test_the_command_for_a_false_alarm_is_whole(run, tmp_path, inlier):
    """As it stands on the page: it trains, and the alarm is gone."""
    command = shlex.split(story.relearn(run, story.alarms(run)[2]))
    assert command[:2] == ["inlier", "train"] and command[-2:] == ["-o", "doorbell.inlier"]
    learned = tmp_path / "doorbell.inlier"
    code, _, error = inlier(*command[1:-1], learned)
    assert code == 0, error
    after = subject.of_model(learned, RUN / "monitored.csv", None, run.attacks, quiet)
    beacon = run.attacks[2]
    assert not (after.trace.event[beacon.start : beacon.end] == 1).any()


def test_an_attack_that_begins_under_an_alarm_is_told_by_its_growth(run):
    event = np.zeros_like(run.trace.event)
    event[[310, 630]] = 1, 2
    under = replace(run, trace=replace(run.trace, event=event))
    figures = dict(page.tiles(under, [310]))
    assert figures["attacks seen"] == "2 of 3" and figures["alarms"] == "1"


def test_a_device_gone_quiet_is_a_span_and_no_alarm(run):
    gone = np.zeros_like(run.trace.gone)
    gone[[20, 90, 600]] = 1, -1, 1
    spans = charts.spans_of(replace(run.trace, gone=gone))
    assert [(s.start, s.end) for s in spans] == [(20, 90), (600, 679)]
    tiles = dict(page.tiles(replace(run, trace=replace(run.trace, gone=gone)), []))
    assert tiles["times gone quiet"] == "2" and tiles["alarms"] == "0"


def test_attacks_and_false_alarms_are_counted(run):
    raised = np.flatnonzero(run.trace.event == 1).tolist()
    figures = dict(page.tiles(run, [*raised, 100]))
    assert (
        figures["alarms"] == "4"
        and figures["attacks seen"] == "3 of 3"
        and figures["false alarms"] == "1"
    )


def test_an_alarm_as_an_attack_has_just_ended_is_false(run):
    first = run.attacks[0]
    for window, false in ((first.start, "0"), (first.end - 1, "0"), (first.end, "1")):
        assert dict(page.tiles(run, [window]))["false alarms"] == false, window


def test_shares_are_told_in_per_cent(run):
    hot = np.zeros_like(run.trace.hot)
    hot[:68] = True  # of 679
    tiles = dict(page.tiles(replace(run, trace=replace(run.trace, hot=hot)), []))
    assert tiles["windows over the lowest threshold"] == "10 %"


@pytest.fixture(scope="module")
def interrupted(run):
    """The same windows, but the device booted again in its first alarm."""
    n = len(run.windows)
    at = story.alarms(run)[0].index + 2
    row = np.arange(n)
    marks = np.stack([1 + (row >= at), np.where(row < at, row, row - at), row * 0 + 1], axis=1)
    shown = replace(run.scored, marks=marks)
    return replace(run, scored=shown, trace=scored.run(run.detector, shown)), at


def test_an_alarm_ends_with_the_boot_that_it_was_raised_in(interrupted):
    subject_, at = interrupted
    told = story.alarms(subject_)
    assert told[0].cleared == at - 1, "the last window before the device began again"
    assert all(alarm.index >= at for alarm in told[1:])
    assert all(alarm.began >= at for alarm in told[1:]), "nothing of a boot before is known"


def test_what_warms_up_after_a_boot_is_not_called_benign(interrupted, run):
    subject_, at = interrupted
    attack, benign = subject.masks(subject_.scored, run.detector, [])
    assert not attack.any()
    calm = np.flatnonzero(~benign).tolist()
    assert calm == [*range(run.detector.warmup), *range(at, at + run.detector.warmup)]


def test_the_command_for_a_false_alarm_has_all_its_windows_and_any_name(run, tmp_path):
    first = story.alarms(run)[0]
    odd = tmp_path / "my windows; rm.csv"
    words = shlex.split(story.relearn(replace(run, path=odd), first))
    assert words[words.index("--add") + 1] == f"{odd}@{first.began}:{first.cleared + 1}"


def test_the_page_says_what_it_leaves_out_and_whose_name_is_no_markup(run, monkeypatch):
    monkeypatch.setattr(page, "ALARMS_SHOWN", 1)
    monkeypatch.setattr(page, "vega", lambda: "")
    content = page.page(replace(run, name="<script>bell"), quiet)
    assert "The first 1 of 3." in content
    assert "<h1>&lt;script&gt;bell</h1>" in content and "<script>bell" not in content


def test_the_bundled_script_does_not_end_the_page_s(monkeypatch, tmp_path):
    """A browser ends a script at the first "</script", wherever it stands."""
    monkeypatch.setattr(bundle, "cache_folder", lambda: tmp_path / "cache")
    import vl_convert

    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet: "f('</script>')")
    assert bundle.vega() == "(() => {f('<\\/script>')})();\n"


def test_the_area_that_is_told_is_that_of_attacks_over_benign_windows(run):
    attack, benign = subject.masks(run.scored, run.detector, run.attacks)
    pairs = run.trace.svm[attack][:, None] - run.trace.svm[benign][None, :]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    label = charts.roc(run)["data"]["values"][0]["detector"]
    assert label == f"score: {expected:.4f}" and expected > 0.5


def test_each_device_of_a_rollout_is_drawn_once():
    """Offered it, a device runs it, refuses it or is away."""
    rollout = {"type": "bell", "number": 7, "devices": 10, "offered": 4}
    drawn = fleet.rollout([{**rollout, "running": 2, "refused": 1, "away": 1}])
    shown = {part["state"]: part["devices"] for part in drawn["data"]["values"]}
    assert shown == {"run it": 2, "refused": 1, "away": 1, "not offered": 6}


def test_a_timeline_keeps_every_peak(run):
    run_scores = np.zeros(100_000, np.int64)
    run_scores[[17, 54_321, 99_999]] = 7, 8, 9
    thinned = charts._thinned(run_scores, charts.Clock(100, 100_000))
    assert len(thinned) == charts.POINTS and [p["score"] for p in thinned if p["score"]] == [
        7,
        8,
        9,
    ]


def test_names_stay_within_the_plot_and_apart_on_a_phone():
    spans = [subject.Attack("the first attack", 0, 5), subject.Attack("b", 8, 9)]
    spans += [subject.Attack("the last attack", 97, 100)]
    texts, rows = charts._names(spans, 100, charts.Clock(1000, 100))
    assert [text.to_dict()["mark"]["align"] for text in texts] == ["left", "left", "right"]
    heights = [text.to_dict()["encoding"]["y"]["value"] for text in texts]
    assert rows == 2 and heights[0] != heights[1] and heights[0] == heights[2]


def test_the_curve_s_area_is_the_chance_that_an_attack_scores_higher(run):
    rng = np.random.default_rng(5)
    benign, attack = rng.integers(0, 50, 300), rng.integers(20, 80, 200)
    pairs = attack[:, None] - benign[None, :]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2  # the Mann-Whitney statistic
    false, true = charts._curve(benign, attack)
    assert np.trapezoid(true, false) == pytest.approx(expected)


def test_without_labels_there_is_no_curve_and_nothing_is_called_benign():
    alone = subject.of_model(MODEL, RUN / "monitored.csv", None, None, quiet)
    assert charts.roc(alone) is None and alone.benign is None
    assert "false alarms" not in dict(page.tiles(alone, []))
    assert "RECORDING.csv" in story.relearn(alone, story.alarms(alone)[0])


def test_what_is_called_benign_is_no_attack_s_and_no_echo_of_one(run):
    assert len(run.benign.scores) == 300 - run.detector.warmup, (
        "sums over 64 windows hold the first attack to the end of the run"
    )
    shown = subject.of_model(MODEL, BENIGN, BENIGN, None, quiet)
    assert len(shown.benign.scores) == 800 and "It knows what they do" in shown.benign.origin


def test_no_board_is_named_for_what_linux_alone_counts():
    detector = replace(random_detector(3, (8,), tuple(Procfs.counters)), source="procfs")
    assert not cost.costs(pack(detector), detector)


def test_cost_is_of_the_boards_and_the_bench(run):
    costs = {c.board.name: c for c in cost.costs(run.blob, run.detector)}
    assert set(costs) == {"esp32", "esp32c3", "esp32s3", "pico2_w", "pico_w"}
    assert all(0 < c.heap_share < 1 and 0 < c.flash_share < 1 for c in costs.values())
    assert 0.01 < costs["pico_w"].ms < costs["esp32"].ms < 1, "of assembler and of viper"
    assert all(c.ms for c in costs.values()), "each board's core was counted on an emulated one"
    need = budget.need(run.model)
    for c in costs.values():  # of the quarter that inlier may take
        assert c.heap_share == pytest.approx(need.heap / (c.board.heap_bytes / 4))
        assert c.flash_share == pytest.approx(need.flash / (c.board.flash_bytes / 4))


def test_an_empty_run_and_bad_labels_are_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="the run is empty, there is no model"):
        subject.of_run(tmp_path, quiet)
    shutil.copy(MODEL, tmp_path)
    with pytest.raises(BadInput, match="the run is empty, there is no monitored.csv"):
        subject.of_run(tmp_path, quiet)
    (tmp_path / "monitored.csv").write_text(BENIGN.read_text().splitlines()[0] + "\n")
    with pytest.raises(BadInput, match="it holds no window"):
        subject.of_run(tmp_path, quiet)
    shutil.copy(RUN / "monitored.csv", tmp_path)
    (tmp_path / "run.json").write_text('{"stages": [{}]}')
    with pytest.raises(BadInput, match="not the summary of a run"):
        subject.of_run(tmp_path, quiet)
    with pytest.raises(BadInput, match="--attack scan=600:700: .* has the windows 0 to 679"):
        subject.of_model(
            MODEL, RUN / "monitored.csv", None, [subject.Attack("scan", 600, 700)], quiet
        )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([MODEL], "say which windows it shall score"),
        ([MODEL, "--windows", BENIGN, "--attack", "scan"], "such as scan=300:340"),
        ([RUN, "--windows", BENIGN], "leave out --windows"),
        (["/nowhere.inlier", "--windows", BENIGN], "No such file"),
        ([BENIGN, "--windows", BENIGN], "not an inlier model"),
    ],
)
def test_bad_arguments_write_nothing(arguments, expected, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(["report", *map(str, arguments)], monkeypatch, capsys)
    assert not list(tmp_path.iterdir())


def refused(arguments, monkeypatch, capsys):
    from inlier_host import cli

    monkeypatch.setattr(sys, "argv", ["inlier", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, error = capsys.readouterr()
    assert end.value.code == 2 and not out
    return error.splitlines()[-1]
