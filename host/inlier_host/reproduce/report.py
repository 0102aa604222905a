"""The results for people: median and worst of the seeds, a table a device and
column set.
"""

from collections.abc import Callable
from itertools import groupby

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from .protocol import Result

SHOWN = {"int8_micropython": "MicroPython"}


def show(results: list[Result]) -> None:
    console = Console()
    order = {key: i for i, key in enumerate(dict.fromkeys((r.detector, r.form) for r in results))}
    ranked = sorted(results, key=lambda r: (r.device, r.columns, order[r.detector, r.form], r.seed))
    for (device, columns), of_device in groupby(ranked, key=lambda r: (r.device, r.columns)):
        heads = (
            "detector",
            "form",
            "accuracy",
            "Mirai",
            "Gafgyt",
            "distinct Gafgyt",
            "first packets",
            "false alarms",
            "95 % of worst",
            "AUC",
            "bytes",
        )
        table = Table(
            *(Column(head, overflow="fold") for head in heads),
            title=f"{device}, columns: {columns}; per cent, median / worst",
            box=SIMPLE,
            padding=(0, 1, 0, 0),
        )
        for (detector, form), group in groupby(of_device, key=lambda r: (r.detector, r.form)):
            seeds = list(group)
            worst = max(seeds, key=lambda r: r.fpr)
            sizes = [r.model_bytes for r in seeds if r.model_bytes is not None]
            table.add_row(
                detector,
                SHOWN.get(form, form),
                _shares([r.accuracy for r in seeds], min),
                _shares([r.tpr_mirai for r in seeds], min),
                _shares([r.tpr_gafgyt for r in seeds], min),
                _shares([r.distinct_gafgyt for r in seeds], min),
                _shares([r.first_packets_seen for r in seeds], min),
                _shares([r.fpr for r in seeds], max),
                f"{100 * worst.fpr_low:.2f}-{100 * worst.fpr_high:.2f}",
                f"{np.median([r.auc for r in seeds]):.5f}",
                str(max(sizes, default="")),
            )
        console.print(table)
    differing = sum(r.mismatches for r in results)
    share = max((r.first_packets for r in results), default=0)
    console.print(
        f"First packets: the commonest row of Gafgyt, {100 * share:.0f} % of its rows.\n"
        f"Rows whose integers under MicroPython are not the NumPy reference's: {differing}.\n"
        f"Seeds: {len({r.seed for r in results})}. Thresholds come from benign rows alone."
    )


def _shares(values: list[float | None], worst: Callable[[list[float]], float]) -> str:
    known = [share for share in values if share is not None]
    if not known:
        return "none"
    return " / ".join(
        "100" if share == 1 else f"{100 * share:.2f}"
        for share in (float(np.median(known)), worst(known))
    )
