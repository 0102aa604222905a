"""The published experiment: what is refused, how figures are formed, and one
split of a device where the data is at hand.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from inlier_boards.build.micropython import find_or_build
from inlier_export.errors import BadInput
from inlier_host.reproduce import nbaiot, protocol, report
from inlier_trainer.threshold import row_threshold, row_thresholds

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
    scores = np.array(
        [1, 1, 9, 1, 9, 9, 9, 1]
    )  # four benign, one over; two of Mirai, two of Gafgyt, one missed
    accuracy, mirai, gafgyt, fpr, low, high, auc = protocol.measure(scores, 5, (4, 2, 2))
    assert (accuracy, mirai, gafgyt, fpr) == (6 / 8, 1, 0.5, 0.25)
    assert (round(low, 3), round(high, 3)) == (0.046, 0.699), "Wilson's interval of 1 in 4"
    assert auc == (3 * 3.5 + 3 * 0.5) / 16, "pairs ranked right, ties a half"


def test_people_see_the_median_and_the_worst_of_the_seeds_whatever_their_order(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
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
            7000 + seed,
        )
        for seed, gafgyt, fpr in figures
    ]
    report.show(results)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "svm" in line)
    told = " ".join(line.split())
    assert (
        told == "svm MicroPython 90.00 / 90.00 50.00 / 50.00 100 / 72.83 0.00 / 1.00 0.00-2.00 "
        "0.90000 7003"
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


def test_two_detectors_together_keep_one_rate_whether_they_agree_or_not():
    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 1 << 40, (2, 5000))
    for second in (one * 3, other):
        first_limit, second_limit = row_thresholds([one, second], 0.01)
        either = (one > first_limit) | (second > second_limit)
        assert (
            47 <= either.sum() <= 49 and (one > first_limit).sum() == (second > second_limit).sum()
        )
    assert row_threshold(one, 0.01) == row_thresholds([one, one * 3], 0.01)[0], (
        "who agrees costs nothing"
    )


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
    results = protocol.one(tmp_path, device.name, "without_HH_jit", 1, find_or_build())
    by = {(r.detector, r.form): r for r in results}
    assert (
        all(r.mismatches == 0 for r in results)
        and by["both", "int8"].tpr_mirai == by["both", "int8_micropython"].tpr_mirai
    )
    assert (
        by["both", "int8_micropython"].model_bytes <= 8192
        and by["both", "int8_micropython"].fpr <= 0.05
    )
    assert {d for d, _ in by} == {
        "autoencoder",
        "svm",
        "both",
        "rbf_svm",
        "isolation_forest",
        "lof",
    }
