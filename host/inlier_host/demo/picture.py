"""The picture of a demonstration: both scores over time, with thresholds,
stages and alarms.
"""

import io

import numpy as np

from .stages import WINDOW_MS, Run

INK, BENIGN, ATTACK, ALARM, WARM_UP = "#22303c", "#2a78b8", "#f6c9c0", "#c0301c", "#eceff1"


def png(run: Run) -> bytes:
    """A PNG of 1400 x 800."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    warm_up = run.trained.detector.alarm[4]
    detector = run.trained.detector
    t = np.arange(len(run.trace.ae)) * WINDOW_MS / 1000
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(14, 8), dpi=100, layout="constrained")
    panels = (
        ("autoencoder score", run.trace.ae, detector.threshold_ae),
        ("one-class SVM score", run.trace.svm, detector.threshold_svm),
    )
    for axis, (label, scores, limit) in zip(axes, panels, strict=True):
        for stage in run.stages:
            if stage.kind == "attack":
                axis.axvspan(t[stage.start], t[stage.end - 1], color=ATTACK, lw=0)
        axis.plot(t, scores, color=BENIGN, lw=1)
        axis.axvspan(0, t[warm_up], color=WARM_UP, lw=0)
        axis.axhline(limit, color=INK, ls="--", lw=1)
        axis.annotate(
            f"threshold {limit}",
            (t[warm_up], limit),
            xytext=(4, 3),
            textcoords="offset points",
            color=INK,
        )
        raised = np.flatnonzero(run.trace.event == 1)
        axis.plot(t[raised], scores[raised], "v", color=ALARM, ms=9, label="alarm")
        axis.set_yscale(
            "symlog", linthresh=100
        )  # the SVM's score is 0 as long as nothing leaves its benign range
        axis.set_ylim(0)
        axis.set_ylabel(label)
        axis.grid(axis="y", color="#e3e6e9", lw=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for stage in run.stages:
        middle = (t[stage.start] + t[stage.end - 1]) / 2
        name = stage.name if stage.kind == "attack" else stage.name.split()[0]
        axes[0].annotate(
            name, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 4),
            textcoords="offset points",
            ha="center", color=ALARM if stage.kind == "attack" else INK,
        )  # fmt: skip
    axes[0].legend(loc="upper right", bbox_to_anchor=(0.45, 1), frameon=False)
    axes[1].annotate(
        "warm-up",
        (t[warm_up] / 2, 0),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        color=INK,
    )
    axes[1].set_xlabel(f"seconds; a window every {WINDOW_MS} ms")
    axes[0].set_xlim(0, t[-1])
    figure.suptitle(
        f"A doorbell scores itself: int8 model of {len(run.trained.blob)} bytes on MicroPython, "
        f"infected three times",
        x=0.01, ha="left",
    )  # fmt: skip
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    plt.close(figure)
    return out.getvalue()
