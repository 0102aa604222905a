"""A device that is made up: what the tests of training learn from."""

import numpy as np

from inlier.sockets import Sockets
from inlier_trainer.trainer import Settings

# What some minutes can answer for, as a week can for one a week.
FALSE_ALARMS = "2/hour"
SETTINGS = Settings(
    source="sockets", counters=Sockets.counters, window_ms=1000, false_alarms=FALSE_ALARMS
)
AT = {name: i for i, name in enumerate(Sockets.counters)}


def benign(n: int, seed: int = 0) -> np.ndarray:
    """Windows of a device that posts now and then: counters that hang together,
    some rare.
    """
    rng = np.random.default_rng(seed)
    posts = rng.poisson(0.4, n)
    columns = {
        "bytes_out": posts * 400 + rng.poisson(30, n),
        "bytes_in": posts * 200 + rng.poisson(20, n),
        "sends": posts + 1,
        "receives": posts + 1,
        "connects": posts,
        "connects_refused": rng.random(n) < 0.02,
        "connects_failed": rng.random(n) < 0.01,
        "accepts": rng.poisson(0.1, n),
        "datagrams_out": rng.poisson(0.2, n),
        "datagrams_in": rng.poisson(0.2, n),
        "lookups": rng.poisson(0.1, n),
        "peers": np.minimum(posts, 3),
        "ports": np.minimum(posts, 3),
        "peers_new": rng.random(n) < 0.01,
    }
    return np.stack([columns[name] for name in Sockets.counters], axis=1).astype(np.int64)
