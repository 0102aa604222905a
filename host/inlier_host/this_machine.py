"""`inlier monitor`: the runtime on this machine, live or over a recording."""

import asyncio
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inlier import monitor
from inlier.counters import DELTA_MAX
from inlier.model import Model
from inlier.packet_counters import Packets
from inlier.pipeline import Pipeline
from inlier.procfs import Procfs
from inlier.replay import Replay
from inlier.sinks import Sink
from inlier_export.errors import BadInput
from inlier_export.model_file import model_of, read_blob, read_model
from inlier_trainer.sources import open_source

if TYPE_CHECKING:
    from inlier_trainer.recordings import Recording

# index, ae, svm, quiet (the quiet score), hot; event: 1 raised, 2 one that is
# on has grown, -1 cleared; gone: 1 gone quiet, -1 back; features: [(name, per
# cent)] when raised or grown; lost: of source packets, those that the kernel
# dropped
Scored = dict[str, Any]


def prepare(path: Path, source: str | None, interface: str | None) -> tuple[Pipeline, Any]:
    """The model at `path` over this machine's counters, and what counts them.
    Raises BadInput.

    source: None: the model's.
    interface: whose packets.
    """
    blob = read_blob(path)
    if source is None:
        source = model_of(path, blob).source
        if source not in (Procfs.name, Packets.name):
            raise BadInput(
                f"{path}: its source '{source}' does not count a whole machine: watch its device "
                f"by --mqtt or --serial, or score a recording by --replay"
            )
    counting = open_source(source, interface)
    model = model_of(path, blob, counting.name, tuple(counting.counters))
    return Pipeline(model, counting), counting


def live(
    watched: tuple[Pipeline, Any], count: int, each: Callable[[Scored], None], sink: Any = None
) -> None:
    """Score this machine's windows as they end, `count` of them (-1: until
    interrupted).

    sink: one of inlier.sinks.
    """
    pipeline, counting = watched
    sink = sink or Sink()
    failed: list[Exception] = []

    async def run() -> None:
        ended = asyncio.Event()

        def on_window(pipeline: Pipeline) -> None:
            try:
                each(_scored(pipeline, counting))
                sink.on_window(pipeline)
            except Exception as error:  # such as a broken pipe: a device's monitor would go on
                failed.append(error)
            if failed or pipeline.index + 1 == count:
                ended.set()

        faults = monitor.Faults(lambda text: print(text, file=sys.stderr))
        scoring = asyncio.create_task(
            monitor.run(
                pipeline, sink.on_alarm, sink.on_clear, on_window, sink.on_quiet, faults=faults
            )
        )
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait((scoring, waiting), return_when=asyncio.FIRST_COMPLETED)
        if scoring.done():
            scoring.result()  # raises why
        scoring.cancel()
        if failed:
            raise failed[0]

    asyncio.run(run())


def replay(path: Path, recording: Path, sinks: Callable[[], Any] = Sink) -> Iterator[Scored]:
    """replayed() of files. Raises BadInput, OSError."""
    from inlier_trainer.recordings import read_for

    model = read_model(path)
    return replayed(model, read_for(recording, model), sinks)


def replayed(
    model: Model, recorded: "Recording", sinks: Callable[[], Any] = Sink
) -> Iterator[Scored]:
    """Score the windows of a recording of the model's source, from boot, and
    again from boot after each interruption; index is the recording's row.
    What is left of a window that was interrupted is not scored: {"index",
    "interrupted"}.

    sinks: makes one of inlier.sinks, of each boot one.
    """
    row = 0
    for rows in recorded.stretches:
        for lost in range(row, rows.start):
            yield {"index": lost, "interrupted": True}
        pipeline = Pipeline(model, Replay((), model.counters()))
        pipeline.index = rows.start - 1
        sink = sinks()
        for deltas in recorded.windows[rows]:
            pipeline.deltas[:] = array("i", [min(d, DELTA_MAX) for d in deltas.tolist()])
            pipeline.score(pipeline.deltas)
            _tell(pipeline, sink)
            yield _scored(pipeline)
        row = rows.stop
        if pipeline.alarm.active and row < len(recorded.windows):
            sink.on_clear(pipeline)  # the device that began again knows of no alarm
    for lost in range(row, len(recorded.windows)):
        yield {"index": lost, "interrupted": True}


def _tell(pipeline: Pipeline, sink: Any) -> None:
    """As inlier.monitor tells a sink of a window."""
    if pipeline.event > 0:
        sink.on_alarm(pipeline, pipeline.explain())
    elif pipeline.event < 0:
        sink.on_clear(pipeline)
    if pipeline.quiet.event:
        sink.on_quiet(pipeline)
    sink.on_window(pipeline)


def _scored(pipeline: Pipeline, counting: Any = None) -> Scored:
    said = {
        "index": pipeline.index,
        "ae": pipeline.ae,
        "svm": pipeline.svm,
        "quiet": pipeline.quiet.score,
        "hot": pipeline.hot,
        "gone": pipeline.quiet.event,
        "event": pipeline.event,
    }
    if pipeline.event > 0:
        said["features"] = pipeline.explain()
    if hasattr(counting, "lost"):
        said["lost"] = counting.lost
    return said
