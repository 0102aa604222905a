"""`inlier monitor`: the runtime on this machine, live or over a recording."""

import asyncio
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inlier import monitor
from inlier.model import Model, ModelError, load
from inlier.pipeline import Pipeline
from inlier.replay import Replay

from .errors import BadInput
from .sources import open_source

Window = dict[str, Any]  # index, ae, svm, hot, event: 1 raised, -1 cleared; features: [(name, per cent)] when raised


def read_model(path: Path, source: str | None = None, counters: tuple[str, ...] | None = None) -> Model:
    """Raises BadInput: what is wrong with the blob at `path`, or that it is for another source."""
    try:
        return load(str(path), source, counters)
    except ModelError as error:
        raise BadInput(f"{path}: {error}") from None


def live(path: Path, source: str, count: int, each: Callable[[Window], None]) -> None:
    """Score this machine's windows as they end, `count` of them (-1: until interrupted). Raises BadInput, OSError."""
    counting = open_source(source)
    pipeline = Pipeline(read_model(path, counting.name, tuple(counting.counters)), counting)
    events: list[Window] = []
    failed: list[Exception] = []

    async def run() -> None:
        ended = asyncio.Event()

        def on_window(pipeline: Pipeline) -> None:
            event = events.pop() if events else {"event": 0}
            try:
                each(_window(pipeline, **event))
            except Exception as error:  # such as a broken pipe: a device's monitor would go on
                failed.append(error)
            if failed or pipeline.index + 1 == count:
                ended.set()

        scoring = asyncio.create_task(
            monitor.run(
                pipeline,
                lambda pipeline, features: events.append({"event": 1, "features": features}),
                lambda pipeline: events.append({"event": -1}),
                on_window,
                faults=monitor.Faults(lambda text: print(text, file=sys.stderr)),
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


def replay(path: Path, recording: Path) -> Iterator[Window]:
    """Score the windows of a CSV recording of the model's source, from boot. Raises BadInput, OSError."""
    from .windows import read_windows

    model = read_model(path)
    counters = model.counters()
    pipeline = Pipeline(model, Replay((), counters))
    for deltas in read_windows(recording, counters):
        event = pipeline.score(array("i", [min(int(d), (1 << 30) - 1) for d in deltas]))
        yield _window(pipeline, event=event, **({"features": pipeline.explain()} if event > 0 else {}))


def _window(pipeline: Pipeline, **event: Any) -> Window:
    return {"index": pipeline.index, "ae": pipeline.ae, "svm": pipeline.svm, "hot": pipeline.hot, **event}
