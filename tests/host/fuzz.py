"""Bytes for the parsers: what a tool, a broken wire or an attacker makes of a
good file.
"""

import os
import random
import struct
import time
from collections.abc import Callable

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

# for what signs and writes files each time
fewer = settings(examples, max_examples=examples.max_examples // 5)

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


# For parsers of what anybody may send: a million cases a night of each, drawn
# by hand. hypothesis takes longer to draw one than most of them to parse it.
CASES = 1_000_000 if FULL else 500
AGAIN = "INLIER_FUZZ"  # of the environment: begin with this case
NIGHT_S = 6 * 3600  # for one of them, on a busy machine


class Draw(random.Random):
    """What one case is made of; the same number gives the same."""

    def maybe(self, share: float) -> bool:
        return self.random() < share

    def number(self) -> int:
        where = self.random()
        if where < 0.6:
            return int(self.random() * 304) - 3
        edge = self.choice(EDGES)
        return edge if where < 0.8 else -edge

    def odd_number(self) -> object:
        if self.maybe(0.7):
            return self.choice(_ODD_NUMBERS)
        return struct.unpack("d", self.randbytes(8))[0]

    def odd_text(self) -> str:
        if self.maybe(0.5):
            return self.choice(_ODD_TEXTS)
        return "".join(self.choices(_ODD_CHARACTERS, k=int(self.random() * 12)))

    def few(self, most: int) -> range:
        """To repeat something up to so many times."""
        return range(int(self.random() * (most + 1)))

    def octets(self, most: int) -> bytes:
        return self.randbytes(int(self.random() * (most + 1)))

    def unsigned(self, bits: int) -> int:
        return self.choice(EDGES) & (1 << bits) - 1 if self.maybe(0.3) else self.getrandbits(bits)

    def bent(self, *good: bytes) -> bytes:
        """As `mutations` draws them."""
        if self.maybe(0.25):
            return self.octets(200)
        content = self.choice(good)
        for _ in range(1 + int(self.random() * 5)):
            what, place = self.choice(_EDITS), self.getrandbits(16)
            if what == "set" and self.maybe(0.5):
                size = self.choice((1, 2, 4, 8))
                value = self.choice(EDGES) & (1 << 8 * size) - 1
                piece = value.to_bytes(size, self.choice(("little", "big")))
            else:
                piece = self.randbytes(1 + int(self.random() * (8 if what == "set" else 40)))
            content = _edited(content, [(what, place, piece)])
        return content


_EDITS = ("set", "set", "insert", "cut", "end")
_ODD_NUMBERS = (10**30, 10**400, -(10**400), float("inf"), float("nan"), -0.0, 1e400, 2.5)
_ODD_TEXTS = (
    "", "\x1b[2J", "\ud800", "[/red]", "a" * 3000, "1e999", "\u0663", "1_0", "None", "\0", "%00",
)  # fmt: skip
_ODD_CHARACTERS = "a1 =,;\"'\\\r\n\t\0\x07\x1b\x85\u200b\u202e\u2028\u0660\u00b2\ud800\U0001f600%#~"


def million(check: Callable[[Draw], object]) -> None:
    """CASES of them; the first that fails is named, and made again by that
    name. check: says whether the case was taken, be it only in part; one in a
    hundred must be, or nothing behind the first refusal is tried.
    """
    taken = 0
    first = int(os.environ.get(AGAIN, time.time_ns() // 1000 if FULL else 0))
    draw = Draw()
    for case in range(first, first + CASES):
        draw.seed(case)
        try:
            taken += bool(check(draw))
        except Exception as error:
            raise AssertionError(f"{AGAIN}={case} makes it again: {error!r}") from error
    assert taken > CASES // 100, f"{taken} of {CASES} were taken"
