"""One process at a time sorts windows into a fleet's days: two that added to
one day at once would each replace what the other wrote.

In a folder it is a lock of the system's, which ends with its process. On an
object store it is an object that only one can create; who was killed leaves it
behind, and somebody has to look.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_trainer.progress import Progress

from .store import Store

LOCK = "sorting.lock"


@contextmanager
def alone(store: Store, progress: Progress, wait: bool) -> Iterator[bool]:
    """Whether nobody else sorts, until the end of the block. Raises BadInput,
    OSError.

    wait: in a folder until the other is done; False says so at once.
    """
    hold = _folder if store.is_local else _objects
    with hold(store, progress, wait) as is_alone:
        yield is_alone


@contextmanager
def _folder(store: Store, progress: Progress, wait: bool) -> Iterator[bool]:
    from filelock import FileLock, Timeout

    lock = FileLock(store.path(LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if wait:
            progress("waiting for another ingest", 0, 0)
            lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


@contextmanager
def _objects(store: Store, progress: Progress, wait: bool) -> Iterator[bool]:
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "since": int(time.time())}
    try:
        store.create(LOCK, json.dumps(mine).encode())
    except FileExistsError:
        if not wait:
            yield False
            return
        who = printable(json.dumps(store.read_json(LOCK)), 120)
        raise BadInput(
            f"{store.address}/{LOCK}: another ingest sorts ({who}), what this one read is staged: "
            f"run it again when that has ended; if it was killed, remove {LOCK} first"
        ) from None
    try:
        yield True
    finally:
        store.remove(LOCK)
