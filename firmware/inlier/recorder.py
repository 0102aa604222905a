"""The asyncio task that writes windows for training: the same windows that the
monitor will score.

    from inlier import recorder, sockets
    source = sockets.install()  # before anything imports `socket`
    asyncio.create_task(recorder.record("windows.csv", source, 10_000))
"""

from .counters import Windows
from .ticker import Ticker

_NAME_BYTES = 32  # at most, of a counter's name or number with its comma


async def record(path, source, window_ms, count=-1, on_window=None):
    """Append `count` windows (-1: without end) to the CSV file at `path`, begun
    with the counters' names if it is new.

    Each window is on flash when the next begins; of one that a power cut tore,
    the next takes the place. on_window(deltas) after each. Raises OSError on a
    full flash; what was written stays.
    """
    with open(path, "ab"):
        pass  # now it exists
    with open(path, "r+b") as f:
        end = f.seek(0, 2)
        begin = max(0, end - _NAME_BYTES * len(source.counters))
        f.seek(begin)
        tail = f.read(end - begin)
        torn = len(tail) - 1 - tail.rfind(b"\n")
        f.seek(end - torn)
        if torn == end:
            f.write((",".join(source.counters) + "\n").encode())
            torn = 0
        windows = Windows(source)
        ticker = Ticker(window_ms)
        while count:
            deltas = windows.take(await ticker.tick())
            line = ",".join(map(str, deltas)) + "\n"
            f.write(
                ("0" * (torn - len(line)) + line).encode()
            )  # leading zeros: nothing of the torn row is left behind it
            f.flush()
            torn = 0
            if on_window is not None:
                on_window(deltas)
            count -= 1
