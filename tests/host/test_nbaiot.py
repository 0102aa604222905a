"""The published experiment: what is refused, how figures are formed, made-up
rows under MicroPython, and one split of a device where the data is at hand.
"""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.features import LOG_MAX
from inlier_boards.build.micropython import find_or_build
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_host.reproduce import detectors, hinges, nbaiot, protocol, report
from inlier_trainer import autoencoder
from inlier_trainer.threshold import row_threshold

DATA = Path(os.environ.get("INLIER_DATA", Path(__file__).parents[3] / "shared/data")) / "nbaiot"


def write(path, rows, columns=nbaiot.COLUMNS):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def ones(n, value=1.5):
    return np.full((n, len(nbaiot.COLUMNS)), value)


def test_uci_s_layout_is_read_and_a_pooled_family_fills_in(tmp_path):
    write(tmp_path / "Bell/benign_traffic.csv", ones(3))
    write(tmp_path / "Bell/mirai_attacks/scan.csv", ones(2, 7))
    write(tmp_path / "Bell/mirai_attacks/udp.csv", ones(1, 8))
    write(tmp_path / "attacks_pooled/gafgyt.csv", ones(4, 9))
    (bell,) = nbaiot.read(tmp_path)
    assert bell.name == "Bell" and bell.benign.shape == (3, 115)
    assert bell.attacks["mirai"][:, 0].tolist() == [7, 7, 8] and len(bell.attacks["gafgyt"]) == 4


def test_nine_devices_are_read_two_of_which_never_had_mirai(tmp_path):
    names = [*(f"Camera_{i}" for i in range(7)), *nbaiot.NO_MIRAI]
    for name in names:
        write(tmp_path / name / "benign_traffic.csv", ones(2))
        write(tmp_path / name / "gafgyt_attacks/udp.csv", ones(3))
        if name not in nbaiot.NO_MIRAI:
            write(tmp_path / name / "mirai_attacks/udp.csv", ones(4))
    read = list(nbaiot.read(tmp_path))
    assert sorted(d.name for d in read) == sorted(names)
    assert {len(d.attacks["mirai"]) for d in read if d.name in nbaiot.NO_MIRAI} == {0}
    assert {len(d.attacks["mirai"]) for d in read if d.name not in nbaiot.NO_MIRAI} == {4}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda d: write(d / "Bell/benign_traffic.csv", ones(2)[:, 1:], nbaiot.COLUMNS[1:]),
            "misses the column 'MI_dir_L5_w",
        ),
        (
            lambda d: write(
                d / "Bell/benign_traffic.csv", np.ones((2, 116)), (*nbaiot.COLUMNS, "pigeons")
            ),
            "has a column that N-BaIoT does not, 'pigeons'",
        ),
        (
            lambda d: write(d / "Bell/benign_traffic.csv", [*ones(2), ones(1, np.nan)[0]]),
            "line 4, column 'MI_dir_L5_weight'",
        ),
        (
            lambda d: write(d / "Bell/benign_traffic.csv", ones(0)),
            "Bell: 0 benign rows, at least 250",
        ),
        (
            lambda d: (d / "attacks_pooled/mirai.csv").unlink(),
            "no rows of mirai; unpack them into mirai_attacks",
        ),
        (lambda d: (d / "Bell/benign_traffic.csv").unlink(), "no device in it"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, change, expected):
    write(tmp_path / "Bell/benign_traffic.csv", ones(3))
    for family in nbaiot.FAMILIES:
        write(tmp_path / f"attacks_pooled/{family}.csv", ones(2))
    change(tmp_path)
    with pytest.raises(BadInput) as caught:
        list(protocol.run(nbaiot.read(tmp_path), Path("micropython"), lambda *_: None))
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_rates_are_of_their_own_class():
    # four benign, one over; two of Mirai; two of Gafgyt, one missed
    scores = np.array([1, 1, 9, 1, 9, 9, 9, 1])
    each = np.ones(2, np.int64)
    told = protocol.measure(scores, 5, [each, each])
    rates = [told[name] for name in ("accuracy", "tpr_mirai", "tpr_gafgyt", "fpr")]
    assert rates == [6 / 8, 1, 0.5, 0.25]
    interval = round(told["fpr_low"], 3), round(told["fpr_high"], 3)
    assert interval == (0.046, 0.699), "Wilson's interval of 1 in 4"
    assert told["auc"] == (3 * 3.5 + 3 * 0.5) / 16, "pairs ranked right, ties a half"


def test_a_row_that_is_there_three_times_counts_once_among_the_distinct():
    rows = ones(5)
    rows[3:, 0] = 7, 8  # three first packets, two others
    rows[:, nbaiot.COLUMNS.index("HH_jit_L5_mean")] = range(5)  # a Unix time
    gafgyt = protocol.copies(rows)
    assert gafgyt.tolist() == [3, 3, 3, 1, 1]
    scores = np.array([1, 9, 1, 1, 1, 9, 1])  # benign, Mirai, first packets, the others
    told = protocol.measure(scores, 5, [np.ones(1, np.int64), gafgyt])
    assert (told["tpr_mirai"], told["tpr_gafgyt"]) == (1, 1 / 5)
    assert told["distinct_gafgyt"] == pytest.approx(1 / 3), "one of three different rows"
    assert (told["first_packets"], told["first_packets_seen"]) == (3 / 5, 0)


def test_a_row_at_the_threshold_is_not_over_it():
    """As the device has it."""
    each = np.ones(1, np.int64)
    told = protocol.measure(np.array([5, 5, 6]), 5, [each, each])
    assert (told["fpr"], told["tpr_mirai"], told["tpr_gafgyt"]) == (0, 0, 1)


def test_no_row_that_is_trained_on_is_tested_on(tmp_path, monkeypatch):
    class Enough(Exception):
        pass

    benign = np.repeat(np.arange(10.0)[:, None], len(nbaiot.COLUMNS), axis=1)
    for name, rows in (("benign", benign), ("mirai", benign[:2] + 100), ("gafgyt", benign[:0])):
        np.save(tmp_path / f"{name}.npy", rows)
        np.save(tmp_path / f"{name}_copies.npy", np.ones(len(rows), np.int64))
    seen = []

    def floats(test):
        seen.append(test[:, 0].tolist())
        raise Enough

    def fit(rows, columns, seed):
        seen.append(rows[:, 0].tolist())
        return SimpleNamespace(fitted=SimpleNamespace(floats=floats))

    monkeypatch.setattr(protocol.detectors, "fit", fit)
    with pytest.raises(Enough):
        protocol.one(tmp_path, "Bell", "all", 1, Path("micropython"))
    trained, tested = seen
    assert len(trained) == 8 and sorted(trained + tested[:2]) == list(range(10))
    assert tested[2:] == [100, 101]


def test_a_family_without_rows_has_no_share():
    none = np.empty(0, np.int64)
    told = protocol.measure(np.array([1, 9, 9]), 5, [none, np.ones(2, np.int64)])
    assert told["tpr_mirai"] is None and told["distinct_mirai"] is None
    assert told["tpr_gafgyt"] == 1


def test_people_see_the_median_and_the_worst_of_the_seeds_whatever_their_order(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    figures = ((3, 1.0, 0.01), (1, 0.7283, 0.0), (2, 1.0, 0.0))  # seed, Gafgyt seen, false alarms
    results = [
        protocol.Result(
            "Bell",
            "all",
            "svm",
            "int8_micropython",
            seed,
            0.9,
            0.5,
            gafgyt,
            fpr,
            0.0,
            0.02,
            0.9,
            None,
            0.8,
            0.64,
            float(gafgyt == 1),
            7000 + seed,
        )
        for seed, gafgyt, fpr in figures
    ]
    report.show(results)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "svm" in line)
    told = " ".join(line.split())
    assert (
        told == "svm MicroPython 90.00 / 90.00 50.00 / 50.00 100 / 72.83 80.00 / 80.00 100 / 0.00 "
        "0.00 / 1.00 0.00-2.00 0.90000 7003"
    )


def test_a_row_drawn_like_the_others_exceeds_the_threshold_at_the_rate_asked_for():
    rng = np.random.default_rng(1)
    exceeded = [
        int(s[-1]) > row_threshold(s[:-1], 0.02) for s in rng.integers(0, 1 << 40, (4000, 120))
    ]
    assert 0.012 < np.mean(exceeded) < 0.02, "2 of 121 ranks are above it"
    scores = np.arange(10_000)
    assert row_threshold(scores, 0.003) == 10_000 - 30
    assert row_threshold(scores[:100], 0.003) >= 99, "too few rows to tell: nothing seen is allowed"


def test_the_outer_hinge_opens_at_the_edge_and_weighs_sixteen_times_the_inner():
    f = np.array([[0, 100], [64, 100]])  # one wide statistic, one that never changes
    high, low, weights = hinges.bounds(hinges.Ranges.of(f))
    assert high.tolist() == [64, 48, 116, 108], "edge, half way; an octave around what is constant"
    assert low.tolist() == [0, 16, 84, 92]
    assert weights.tolist() == [64, 4, 127, 8], "inversely proportional to the half range"
    high, low, weights = hinges.bounds(hinges.Ranges.of(np.array([[0], [LOG_MAX]])))
    assert weights.min() >= 1 and high.max() <= LOG_MAX, "what the model file holds"


def made_up(n, seed):
    """Rows of twelve statistics that rise and fall together."""
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(4, 0.5, (n, 1)) + rng.normal(0, 0.3, (n, 12)))


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "STEPS", 300)  # how well it is fitted is no matter here
        patch.setattr(autoencoder, "EPOCHS", 1)
        return detectors.fit(made_up(400, 1), nbaiot.COLUMNS[:12], 1)


def test_made_up_rows_score_the_same_under_micropython_and_either_side_is_odd(fitted):
    extremes = np.concatenate([np.zeros((1, 12)), np.full((1, 12), 1e12), np.eye(12) * 1e6])
    odd = np.concatenate([made_up(50, 2) / 64, made_up(50, 3) * 64])
    rows = detectors.counters(np.concatenate([made_up(300, 4), odd, extremes]))
    said = detectors.score(fitted, rows, find_or_build())
    assert [wrong for _, _, wrong in said.values()] == [0, 0, 0]
    for name, (scores, _, _) in said.items():
        over = scores > fitted.limit(name)
        assert over[:300].mean() <= 0.02, name
        if name != "autoencoder":  # which saturates, and promises less
            assert over[300:].all(), f"{name}: far above and far below alike"


def test_the_svm_alone_has_no_part_of_the_autoencoder_s(fitted):
    d = fitted.fitted.variants()["svm"]
    assert not d.layers and not d.weights[:, 2].any() and d.weights[:, :2].all()


def test_a_verdict_that_differs_is_counted(fitted):
    rows = detectors.counters(made_up(5, 2) * 64)
    lax = replace(fitted.models["svm"], horizons=((1, 1, reference.NEVER),))
    # The same scores, but nothing is odd.
    other = replace(fitted, blobs={**fitted.blobs, "svm": pack(lax)})
    said = detectors.score(other, rows, find_or_build())
    assert [wrong for _, _, wrong in said.values()] == [0, 5, 0]


def test_the_distance_weighs_as_the_inner_hinge_does_and_once_a_statistic():
    far, weights = hinges.far_bounds(hinges.farthest(np.array([[-5, 64], [3, 32]])))
    assert far[::2].tolist() == [16, 64], "an octave at least"
    assert weights.tolist() == [8, 0, 2, 0]


@pytest.mark.skipif(
    not DATA.is_dir(),
    reason=f"needs N-BaIoT's sample at {DATA}: set INLIER_DATA to the folder above it",
)
def test_the_thermostat_under_micropython_gives_the_reference_s_integers(tmp_path):
    (device,) = (d for d in nbaiot.read(DATA) if d.name.startswith("Ecobee"))
    for name, rows in (
        ("benign", device.benign),
        *((f, a[::20]) for f, a in device.attacks.items()),
    ):
        np.save(tmp_path / f"{name}.npy", rows)
        np.save(tmp_path / f"{name}_copies.npy", protocol.copies(rows))
    results = protocol.one(tmp_path, device.name, "without_HH_jit", 1, find_or_build())
    by = {(r.detector, r.form): r for r in results}
    assert all(r.mismatches == 0 for r in results)
    for name in ("svm", "both"):
        told = by[name, "int8_micropython"]
        assert told.tpr_mirai == by[name, "int8"].tpr_mirai
        assert told.tpr_mirai >= 0.999 and told.tpr_gafgyt >= 0.999 and told.fpr <= 0.05
        assert told.first_packets > 0.6 and told.first_packets_seen == 1
    assert by["both", "int8_micropython"].model_bytes <= 8192
    assert {d for d, _ in by} == {
        "autoencoder",
        "svm",
        "both",
        "rbf_svm",
        "isolation_forest",
        "lof",
    }
