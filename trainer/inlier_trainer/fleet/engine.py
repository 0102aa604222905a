"""Runs a stage's tasks on Dask, each of one device or one type.

A task writes its result, then what it tells of it: done/STAGE/NAME.json, with a
digest of all that the result depends on. Where that is there and the digest is
the same, it is not done again: neither by a second start nor when Dask repeats
what a lost worker had begun.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import inlier
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer.progress import Progress, quiet

from .store import Store

Summary = dict[str, Any]
Work = Callable[..., Summary]  # (store, item, *settings) -> what it tells

# Items that travel together take about so long: a journey costs more than a
# small device, and what one worker still has in hand at the end keeps all
# waiting.
BATCH_S = 1.0
AHEAD = 3  # batches a worker: what waits does not grow with the fleet
CONNECT_S = 10.0


def once(
    store: Store,
    stage: str,
    name: str,
    key: str,
    work: Callable[[], Summary],
    result: str | None = None,
) -> Summary:
    """What `work` tells, now or when this version did it before for the same
    key.

    result: the file that it writes, which is there as it was, or is made
        again: a power cut may have emptied it, and what is told here too.
    """
    key = f"{inlier.__version__} {key}"
    place = f"done/{stage}/{name}.json"
    before = store.read_json(place)

    def size() -> int | None:
        return store.size(result) if result else None

    if isinstance(before, dict) and (before.get("key"), before.get("size")) == (key, size()):
        return {**before["told"], "again": True}
    told = work()
    store.write_json(place, {"key": key, "told": told, "size": size()}, settled=False)
    return told


@dataclass
class Ran:
    """told: by each item that went well, in the items' order.
    rejected: why others did not.
    again: how many had been done before.
    """

    told: list[Summary] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    again: int = 0


@dataclass(frozen=True)
class Cluster:
    """client: None does everything here, one item after the other."""

    client: Any = None
    workers: int = 1

    def run(
        self,
        stage: str,
        store: Store,
        work: Work,
        items: Sequence[Any],
        settings: tuple[Any, ...] = (),
        progress: Progress = quiet,
    ) -> Ran:
        """Raises what a task raises, of which BadInput and OSError are meant."""
        found: dict[int, Summary] = {}
        progress(stage, 0, len(items))
        for start, part in self._batches(store, work, items, settings):
            found.update({start + i: told for i, told in enumerate(part)})
            progress(stage, len(found), len(items))
        ran = Ran()
        for i in range(len(items)):
            if reason := found[i].get("rejected"):
                ran.rejected.append(reason)
                continue
            ran.again += bool(found[i].pop("again", False))
            ran.told.append(found[i])
        return ran

    def _batches(
        self, store: Store, work: Work, items: Sequence[Any], settings: tuple[Any, ...]
    ) -> Iterator[tuple[int, list[Summary]]]:
        cut = Cut(len(items), self.workers)

        def arguments(batch: range) -> tuple[Any, ...]:
            return store.address, work, [items[i] for i in batch], settings

        if self.client is None:
            while batch := cut.next():
                told, seconds = several(*arguments(batch))
                cut.took(seconds / len(batch))
                yield batch.start, told
            return
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        flying: dict[Any, range] = {}

        def send(batch: range) -> Any:
            future = self.client.submit(several, *arguments(batch), pure=False, retries=2)
            flying[future] = batch
            return future

        waiting = as_completed([])
        for _ in range(AHEAD * self.workers):
            if batch := cut.next():
                waiting.add(send(batch))
        for future in waiting:
            try:
                told, seconds = future.result()
            except KilledWorker as error:
                raise BadInput(
                    f"workers were lost again and again ({printable(str(error), 120)}): give them "
                    f"more memory, or take fewer of them, then start again; what was done is kept"
                ) from None
            batch = flying.pop(future)
            future.release()
            cut.took(seconds / len(batch))
            if following := cut.next():
                waiting.add(send(following))
            yield batch.start, told


class Cut:
    """Cuts items into batches of about BATCH_S, and fewer towards the end, so
    that all workers end together.
    """

    def __init__(self, items: int, workers: int) -> None:
        self._items, self._workers = items, workers
        self._at = 0
        self._each_s = BATCH_S  # one item at first: nobody knows

    def took(self, each_s: float) -> None:
        """So long, an item of the last batch that came back."""
        self._each_s = max(each_s, 1e-6)

    def next(self) -> range:
        """Empty at the end."""
        left = self._items - self._at
        size = min(int(BATCH_S / self._each_s), left // (2 * self._workers))
        batch = range(self._at, min(self._at + max(1, size), self._items))
        self._at = batch.stop
        return batch


def several(
    address: str, work: Work, items: list[Any], settings: tuple[Any, ...]
) -> tuple[list[Summary], float]:
    """What each tells, and how many seconds they took."""
    store, begin = Store(address), time.perf_counter()
    told = [work(store, item, *settings) for item in items]
    return told, time.perf_counter() - begin


@contextmanager
def cluster(workers: int, scheduler: str | None = None) -> Iterator[Cluster]:
    """Raises BadInput.

    workers: processes on this machine; 0: none, all in this one.
    scheduler: the address of another Dask, whose workers then serve.
    """
    if scheduler:
        with _connected(scheduler) as client:
            yield Cluster(client, max(1, len(client.scheduler_info()["workers"])))
        return
    if not workers:
        yield Cluster()
        return
    from distributed import Client, LocalCluster

    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # in each of the workers
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as local,
        Client(local) as client,
    ):
        yield Cluster(client, workers)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        asyncio.run(_asked(address))
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0] or "no answer"
        raise BadInput(
            f"--scheduler {address}: no Dask scheduler answers there ({why}); start one with "
            f"'dask scheduler', or leave it out for workers on this machine"
        ) from None
    with client:
        _check_versions(address, client.get_versions())
        yield client


async def _asked(address: str) -> None:
    """Whether a scheduler answers: a client would wait for ever for what took
    its connection and says nothing, as a web server does. Raises OSError,
    ValueError.
    """
    from distributed import rpc
    from distributed.security import Security

    tls = Security().get_connection_args("client")  # as Dask's own configuration says
    async with rpc(address, timeout=CONNECT_S, connection_args=tls) as there:
        told = await asyncio.wait_for(there.identity(), CONNECT_S)
    if told.get("type") != "Scheduler":
        raise ValueError(f"it is a {printable(str(told.get('type')), 40)}")


def _check_versions(address: str, found: dict[str, Any]) -> None:
    """Raises BadInput where the other side is not of our versions: what they
    send each other would not be read, or give other bytes.
    """
    if not found["workers"]:
        raise BadInput(
            f"--scheduler {address}: it has no workers; start some with 'dask worker {address}'"
        )
    ours = found["client"]
    for where, theirs in (("scheduler", found["scheduler"]), *found["workers"].items()):
        for package in ("distributed", "numpy", "python"):
            mine, its = _version(ours, package), _version(theirs or {}, package)
            if mine != its:
                raise BadInput(
                    f"--scheduler {address}: {where} has {package} {its or 'unknown'}, this "
                    f"machine {mine}: install the same on both"
                )


def _version(side: dict[str, Any], package: str) -> str:
    packages = side.get("packages", {})
    if package == "python":
        return ".".join(str(packages.get("python", "")).split(".")[:2])
    return str(packages.get(package, ""))
