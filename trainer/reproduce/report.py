"""The results for people: median and worst of the seeds, a table a device and column set."""

from collections.abc import Callable
from itertools import groupby

import numpy as np
from rich.console import Console
from rich.table import Table

from .protocol import Result


def show(results: list[Result]) -> None:
    console = Console()
    order = {key: i for i, key in enumerate(dict.fromkeys((r.detector, r.form) for r in results))}
    ranked = sorted(results, key=lambda r: (r.device, r.columns, order[r.detector, r.form], r.seed))
    for (device, columns), of_device in groupby(ranked, key=lambda r: (r.device, r.columns)):
        table = Table(
            "detector", "form", "accuracy", "Mirai", "Gafgyt", "false alarms", "95 % of the worst", "AUC", "bytes",
            title=f"{device}, columns: {columns}; per cent, median / worst",
        )  # fmt: skip
        for (detector, form), group in groupby(of_device, key=lambda r: (r.detector, r.form)):
            seeds = list(group)
            worst = max(seeds, key=lambda r: r.fpr)
            size = seeds[0].model_bytes
            table.add_row(
                detector,
                form,
                _shares([r.accuracy for r in seeds], min),
                _shares([r.tpr_mirai for r in seeds], min),
                _shares([r.tpr_gafgyt for r in seeds], min),
                _shares([r.fpr for r in seeds], max),
                f"{100 * worst.fpr_low:.2f} to {100 * worst.fpr_high:.2f}",
                f"{np.median([r.auc for r in seeds]):.5f}",
                "" if size is None else str(size),
            )
        console.print(table)
    differing = sum(r.mismatches for r in results)
    console.print(
        f"Rows whose integers under MicroPython are not the NumPy reference's: {differing}.\n"
        f"Seeds: {len({r.seed for r in results})}. Thresholds come from benign rows alone."
    )


def _shares(values: list[float], worst: Callable[[list[float]], float]) -> str:
    return f"{100 * float(np.median(values)):.2f} / {100 * worst(values):.2f}"
