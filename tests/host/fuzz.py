"""Bytes for the parsers: what a tool, a broken wire or an attacker makes of a
good file.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FULL = "INLIER_NIGHTLY" in os.environ
EDGES = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 63) - 1,
    (1 << 64) - 1,
]

# Every failing example is small and said; a time limit would fail on a busy
# machine.
examples = settings(
    max_examples=5_000 if FULL else 150,
    deadline=None,
    derandomize=not FULL,
    database=None,
    suppress_health_check=list(HealthCheck),
)

fewer = settings(
    examples, max_examples=examples.max_examples // 5
)  # for what signs and writes files each time

_edit = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)),
    st.tuples(
        st.just("set"),
        st.integers(0, 1 << 16),
        st.builds(
            lambda value, size, order: (value & (1 << 8 * size) - 1).to_bytes(size, order),
            st.sampled_from(EDGES),
            st.sampled_from([1, 2, 4, 8]),
            st.sampled_from(["little", "big"]),
        ),
    ),
    st.tuples(st.just("insert"), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("end"), st.integers(0, 1 << 16), st.just(b"")),
)


def _edited(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for what, place, piece in edits:
        at = place % (len(content) + 1)
        if what == "end":
            content = content[:at]
        else:
            rest = content[at:] if what == "insert" else content[at + len(piece) :]
            content = content[:at] + (b"" if what == "cut" else piece) + rest
    return content


def mutations(*good: bytes) -> st.SearchStrategy[bytes]:
    """A good file with up to five faults, or anything."""
    edited = st.builds(_edited, st.sampled_from(good), st.lists(_edit, min_size=1, max_size=5))
    return st.one_of(edited, edited, edited, st.binary(max_size=200))


# For parsers of what anybody may send: a million a night together.
PARSERS = 7
million = settings(examples, max_examples=1_000_000 // PARSERS if FULL else 100)
NIGHT_S = 3 * 3600  # for one of them, on a busy machine

numbers = st.one_of(
    st.sampled_from(EDGES), st.sampled_from(EDGES).map(lambda n: -n), st.integers(-3, 300)
)
odd_numbers = st.one_of(
    st.sampled_from([10**30, 10**400, -(10**400), float("inf"), float("nan"), -0.0, 1e400, 2.5]),
    st.floats(),
)
odd_text = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Nd", "No"]), max_size=12),
    st.sampled_from(["", "\x1b[2J", "\ud800", "[/red]", "a" * 3000, "1e999", "٣", "1_0", "None"]),
)
