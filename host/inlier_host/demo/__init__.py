"""The demonstration: a doorbell on Unix MicroPython learns its own traffic and
catches its own infection.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from inlier_host.report.subject import MONITORED
from inlier_trainer.files import check_output, write_atomic
from inlier_trainer.progress import bars
from inlier_trainer.recordings import Recording, table, write

REPORT = "report.html"


def demo(seed: int, out: Path, as_json: bool) -> None:
    """Run all stages; write recording, model, scored windows, picture and
    summary into `out`. Raises BadInput, OSError.
    """
    from inlier_host.report import page, subject

    from . import picture, stages

    out.mkdir(parents=True, exist_ok=True)
    check_output(out / MONITORED)
    console = Console(quiet=as_json, highlight=False)
    recording, model = out / "windows.csv", out / "doorbell.inlier"
    with bars(quiet=as_json) as progress:
        interpreter = stages.interpreter(lambda step: console.print(f"  {step}"))
        console.print(
            "1  The doorbell records its own windows; its servers run on loopback addresses."
        )
        stages.record(interpreter, seed, recording, progress)
        console.print(
            f"2  Two small detectors are trained on them, for {stages.FALSE_ALARMS}: "
            f"{stages.RECORD_WINDOWS * stages.WINDOW_MS // 1000} seconds of traffic promise no "
            "more. A week's promise one a week."
        )
        trained = stages.fit(recording, seed, progress)
        write_atomic(model, trained.blob)
        console.print("3  The same doorbell scores itself, and is infected.")
        # Another seed: the device rings, reports and retries at other times
        # than in the recording.
        run = stages.monitor(interpreter, seed + 1000, model, trained, progress, console.print)
        cost = next(stages.device(interpreter, "cost.py", {}))
    summary = run.summary()
    about = replace(table(recording).about, clock="")  # as the device that was recorded
    write(out / MONITORED, Recording(trained.detector.counters, run.deltas, about))
    write_atomic(out / "scores.png", picture.png(run))
    write_atomic(out / "run.json", json.dumps(summary, indent=1).encode())
    with bars(quiet=as_json) as progress:
        content = page.page(subject.of_run(out, progress), progress)
    write_atomic(out / REPORT, content.encode())
    if as_json:
        print(json.dumps(summary))
    else:
        _print(console, summary, trained.summary(), cost, out)


def _print(
    console: Console,
    summary: dict[str, Any],
    trained: dict[str, Any],
    cost: dict[str, float],
    out: Path,
) -> None:
    table = Table("stage", "kind", "windows", "alarms", "windows to alarm", "top features")
    for s in summary["stages"]:
        delay = "" if s["kind"] == "benign" else s["delay_windows"] or "not seen"
        alarms = f"[bold red]{s['alarms']}" if s["alarms"] else "0"
        table.add_row(
            s["name"],
            s["kind"],
            str(s["windows"]),
            alarms,
            str(delay),
            ", ".join(s["top_features"]),
        )
    console.print(table)
    parity = summary["parity"]
    console.print(
        f"Model: {summary['model']['bytes']} bytes, {trained['features']} features; alarms at "
        f"{', '.join(f'{k} of {n} windows' for k, n, _ in trained['horizons'])}.\n"
        f"Parity: {parity['vectors']} windows scored on the device and by the NumPy reference, "
        f"{parity['mismatches']} with a different integer.\n"
        f"Counting: a send and a receive of 64 bytes take {cost['counted_us']} µs counted, "
        f"{cost['uncounted_us']} µs uncounted "
        f"(x{cost['counted_us'] / cost['uncounted_us']:.2f}), on this machine.\n"
        f"Written to {out}: windows.csv, doorbell.inlier, {MONITORED}, scores.png, run.json, and "
        f"{REPORT}: open that in a browser"
    )
