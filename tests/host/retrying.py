"""A sink's loop that tries again for ever, without the time that it waits."""

import asyncio
from types import SimpleNamespace

import pytest


def run_until_cancelled(monkeypatch, module, sink, sleep):
    """sink.run() with `sleep` for asyncio.sleep in `module`, until that raises
    CancelledError.
    """
    stand_in = SimpleNamespace(sleep=sleep, TimeoutError=asyncio.TimeoutError)
    monkeypatch.setattr(module, "asyncio", stand_in)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(sink.run())
