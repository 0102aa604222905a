"""The linear one-class SVM: how much each feature's excess counts.

Hard margin, on excess that its detector had not seen: as much weight in all as
keeps every benign window within the margin. What benign events do costs weight,
all else keeps it (Schoelkopf et al., "Estimating the support of a
high-dimensional distribution", 2001, for nu -> 0, with weights that are
bounded and not negative: a linear programme, which SciPy's HiGHS solves
exactly).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog  # here: without it a training ends before it begins
from scipy.sparse import csr_matrix

from inlier.model import WEIGHT_MAX
from inlier_export.reference import Ints

# What others do *to* the device: whoever floods or scans it should not raise
# its own alarm.
INBOUND = frozenset(
    (
        # of packets
        *("bytes_in", "packets_in", "syn_in", "udp_in", "rst_in", "icmp", "arp", "broadcast"),
        # of sockets
        *("receives", "connects_refused", "accepts", "datagrams_in"),
        # of procfs
        *("tcp_passive_opens", "udp_in_datagrams", "udp_no_ports", "icmp_in_msgs"),
    )
)
# What every device does when its network is away: it asks for names again.
LOOKUPS = frozenset(("dns", "lookups"))
HOLD_LOOKUPS = frozenset(("udp_out", "ports", "datagrams_out", "udp_out_datagrams"))
INBOUND_BOUND = LOOKUPS_BOUND = 1 / 8
HOLD_LOOKUPS_BOUND = 1 / 4
ROWS_MAX = 1500  # the most outlying windows: no other reaches the margin


def upper_bounds(counters: tuple[str, ...], kinds: int) -> NDArray[np.float64]:
    """Of each feature's weight (features,), counter-major."""
    bounds = [
        INBOUND_BOUND
        if name in INBOUND
        else LOOKUPS_BOUND
        if name in LOOKUPS
        else HOLD_LOOKUPS_BOUND
        if name in HOLD_LOOKUPS
        else 1.0
        for name in counters
    ]
    return np.repeat(bounds, kinds)


def weights(excess: Ints, upper: NDArray[np.float64], margin: float) -> Ints:
    """int8 weights (columns,), 1 to 127, of out-of-fold excess (n, columns) in
    sixteenths of an octave: maximise their sum subject to w . e <= margin for
    every row and 0 <= w <= upper.
    """
    rows = np.unique(excess[excess.any(axis=1)], axis=0)
    rows = rows[np.argsort(-rows.sum(axis=1), kind="stable")[:ROWS_MAX]]
    solved = linprog(
        -np.ones(len(upper)),
        A_ub=csr_matrix(rows / margin),
        b_ub=np.ones(len(rows)),
        bounds=np.stack([np.zeros(len(upper)), upper], axis=1),
        method="highs",
    )
    # at least 1: a feature that counts for nothing could do anything
    return np.clip(np.rint(solved.x * WEIGHT_MAX), 1, WEIGHT_MAX).astype(np.int64)
