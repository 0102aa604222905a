"""What anybody may send to the host or leave on the device's flash, built by
its grammar and bent at its joints: a million a night (`make nightly`).

An answer within bounds, or the refusal that its caller knows; never another
exception, and nothing that moves the cursor of a terminal.
"""

import contextlib
import csv
import io
import json
import struct
from array import array
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fuzz
from inlier.counters import DELTA_MAX
from inlier.kernels import plain
from inlier.line import seal
from inlier.model import Model, ModelError, crc32
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.secure import authentic, record, slots, state
from inlier_boards.serial_line.record_board import NUMBER_MAX, Intake, Part
from inlier_export import model_file as files
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.live import feed, terminal
from inlier_host.live.state import Live
from inlier_trainer import recordings
from inlier_trainer.about import MARKS
from inlier_trainer.pcap import count
from test_pcap import DEVICE, TALK, block, framed

GOLDEN = (Path(__file__).parents[1] / "golden/model.inlier").read_bytes()
KEY = bytes(range(32))
SIGNED = files.pack(files.unpack(GOLDEN), KEY)

pytestmark = pytest.mark.timeout(fuzz.NIGHT_S if fuzz.FULL else 120)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


# MQTT and the serial line: events ----------------------------------------

odd = st.one_of(
    fuzz.numbers,
    fuzz.odd_numbers,
    fuzz.odd_text,
    st.sampled_from([None, True, [], {}]),
)
features = st.one_of(
    odd, st.lists(st.one_of(odd, st.tuples(fuzz.odd_text, odd), st.lists(odd)), max_size=4)
)
WINDOW = {"window": 3, "score": 120, "ae": 5, "svm": -6, "hot": 1}
ALARM = {"alarm": "ON", "window": 3, "message": "hosts in touch: 9", "id": "a-1"}
events = st.builds(
    lambda good, changes, lost: {k: v for k, v in {**good, **changes}.items() if k not in lost},
    st.sampled_from([WINDOW, ALARM, {**WINDOW, "source": "sockets", "deltas": [1, 2]}]),
    st.dictionaries(
        st.sampled_from([*WINDOW, *ALARM, "features", "source", "deltas", "began"]),
        st.one_of(odd, features, st.lists(fuzz.numbers, max_size=4)),
        max_size=3,
    ),
    st.sets(st.sampled_from([*WINDOW, *ALARM]), max_size=1),
)
texts = st.one_of(
    events.map(json.dumps),
    st.builds(lambda e, ascii: json.dumps(e, ensure_ascii=ascii), events, st.just(False)),
    fuzz.mutations(json.dumps(WINDOW).encode(), json.dumps(ALARM).encode()).map(
        lambda b: b.decode(errors="replace")
    ),
    st.builds(lambda c, n: c * n, st.sampled_from('[{"1-'), st.sampled_from([1, 1000, 70_000])),
)


@fuzz.million
@given(st.lists(texts, min_size=1, max_size=4))
def test_an_event_from_anybody(said):
    live = Live("bell")
    for text in said:
        event = feed.parsed(text)
        live.take(event)
        for value in event.values():
            if isinstance(value, str):
                assert value.isprintable() and len(value) <= feed.TEXT_MAX * 10
            elif isinstance(value, int):
                assert abs(value) <= feed.NUMBER_MAX
    json.dumps(live.snapshot()).encode()
    terminal.spark([score for _, score in live.history], 9)
    terminal.bar(live.score, 9)
    for alarm in live.alarms:
        str(alarm["message"]).encode()


# What a board prints -----------------------------------------------------

words = st.one_of(
    fuzz.numbers.map(str),
    fuzz.odd_numbers.map(str),
    fuzz.odd_text,
    st.lists(fuzz.numbers, min_size=1, max_size=4).map(lambda n: ",".join(map(str, n))),
    st.sampled_from(["1,2", "a,b", "a,b,c", "boot,b", "a,a", "1,zz", "1,", "~w", "~b"]),
)


def sealed(text):
    return seal(text.encode(errors="replace").decode())  # as it is read from a line


lines = st.one_of(
    st.builds(
        lambda good, at, word, keep: sealed(" ".join([*good[:at], word, *good[at + keep :]])),
        st.sampled_from(
            [
                ["~b", "1000", "sockets", "a,b"],
                ["~w", "7", "3", "1", "1,2"],
                ["~w", "7", "4", "1", "1,2", "3", "-4", "1", "1"],
            ]
        ),
        st.integers(0, 8),
        words,
        st.integers(0, 1),
    ),
    st.just(seal("~b 1000 sockets a,b")),
    st.builds(
        lambda b, i, e: seal(f"~w {b} {i} {e} 1,2"), *[st.integers(0, 9)] * 2, st.integers(1, 9)
    ),
    st.text(max_size=20).map(lambda text: "~w " + text),
)


@fuzz.million
@given(st.lists(lines, max_size=8), st.booleans())
def test_lines_of_a_board(said, ring):
    taken = Intake(ring)
    try:
        for line in said:
            for window in taken.take(line):
                assert len(window.deltas) == len(taken.counters) and len(window.scores) in (0, 4)
                assert 0 <= min(window.deltas) <= max(window.deltas) <= DELTA_MAX
                assert 0 <= window.index <= NUMBER_MAX and 0 <= window.boot <= NUMBER_MAX + len(
                    said
                )
    except BadInput as error:  # other counters than before
        assert printable(str(error)) == str(error)


@fuzz.million
@given(
    fuzz.mutations(
        b"boot,window,elapsed,a,b\n1,0,1,5,6\n1,1,1,7,8\n", b"boot,window,elapsed,a\n1,2"
    )
)
def test_a_part_that_was_left(place, content):
    path = place / "p.csv.part"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        part = Part(place / "p.csv")
        assert part.rows >= 0 and isinstance(part.lines.boot, int)


# Flash -------------------------------------------------------------------

HEAD = "<IIBIHHHH"
u16, u32 = (
    st.one_of(st.sampled_from([n & top for n in fuzz.EDGES]), st.integers(0, top))
    for top in (0xFFFF, 0xFFFFFFFF)
)


@fuzz.million
@given(
    st.booleans(),
    st.tuples(u32, u32, st.integers(0, 255), u32, u16, u16),
    st.tuples(u16, u16) | st.none(),
    st.binary(max_size=12) | st.none(),
    st.lists(u32, max_size=3),
)
def test_a_state_whose_seal_fits(place, ours, head, sizes, body, means):
    """Structure-aware: mostly of this model and the right length."""
    model = Model(GOLDEN)
    pipeline = Pipeline(model, Replay((), model.counters()), plain)
    n = 4 * model.features
    which = crc32(model.params) & 0xFFFFFFFF if ours else head[0]
    content = bytearray(n)
    for i, mean in enumerate(means):
        struct.pack_into("<I", content, 4 * i, mean)
    payload = struct.pack(HEAD, which, *head[1:], *(sizes or (n, 0)))
    payload += bytes(content) if body is None else body
    sealed = struct.pack("<4sIH", b"INLT", 1, len(payload)) + payload
    kept = record.Record(str(place / "state"), b"", b"INLT")
    (place / "state.0").write_bytes(sealed + kept._seal(sealed))
    taken = state.Keeper(str(place / "state"), b"").restore(pipeline)
    assert pipeline.alarm.hold <= max(model.cooldown, model.warmup)
    assert -1 <= pipeline.index < 1 << 30
    if taken:
        for level in (0, DELTA_MAX, 0):
            pipeline.score(array("i", [level] * len(model.counters())))
            assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slots")
    slots.Slots(authentic.Authentic(KEY)).update(str(folder), SIGNED)
    return folder


@fuzz.million
@given(
    st.booleans(),
    st.one_of(
        st.builds(
            lambda place, number, digest, other: (
                bytes([place]) + struct.pack("<I16s", number, digest) + other
            ),
            st.integers(0, 255),
            u32,
            st.binary(min_size=16, max_size=16) | st.none().map(lambda _: slots._entry(SIGNED)[4:]),
            st.binary(min_size=20, max_size=20) | st.binary(max_size=30),
        ),
        st.binary(max_size=60),
    ),
)
def test_a_record_of_the_slots(installed, sealed_by_us, payload):
    """One that is not ours changes nothing; ours, whatever it holds, is a model
    of ours or a refusal.
    """
    key = KEY if sealed_by_us else b""
    content = struct.pack("<4sIH", b"INLS", 9, len(payload)) + payload
    seal_of = record.Record("", key, b"INLS")._seal
    for i in (0, 1):
        (installed / f"slots.{i}").write_bytes(content + seal_of(content))
    models = slots.Slots(authentic.Authentic(KEY))
    try:
        assert models.load(str(installed)).source == "replay"
    except ModelError:
        assert sealed_by_us


# Files -------------------------------------------------------------------

names = st.one_of(st.sampled_from(["a", "b", *MARKS, "missed", "", "a "]), fuzz.odd_text)
cells = st.one_of(fuzz.numbers.map(str), fuzz.odd_numbers.map(str), fuzz.odd_text, st.just(" 1"))


def written(head, rows, dialect, mark, comment, end):
    out = io.StringIO()
    for line in comment:
        out.write(f"# {line}\n")
    csv.writer(out, **dialect).writerows([head, *rows])
    return mark + out.getvalue().encode(errors="surrogatepass") + end


@fuzz.million
@given(
    st.builds(
        written,
        st.one_of(st.just(["a", "b"]), st.lists(names, max_size=4)),
        st.lists(st.lists(cells, min_size=2, max_size=2) | st.lists(cells, max_size=4), max_size=5),
        st.sampled_from(
            [{}, {"lineterminator": "\n"}, {"delimiter": ";"}, {"quoting": csv.QUOTE_ALL}]
        ),
        st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"\0"]),
        st.lists(
            st.sampled_from(["inlier source=sockets window_ms=10000 device=x", "="]), max_size=2
        ),
        st.sampled_from([b"", b"1,", b'"', b"\r\n\r\n", b"\0"]),
    )
)
def test_a_csv_of_somebody_s(place, content):
    path = place / "w.csv"
    path.write_bytes(content)
    readers = (
        partial(recordings.read, counters=("a", "b")),
        lambda path: recordings.table(path).board_recording(),
    )
    for read in readers:
        try:
            recording = read(path)
            assert recording.windows.min() >= 0 and recording.stretches
        except BadInput as error:
            assert len(printable(str(error))) < 2000 and "\n" not in printable(str(error))


def bent(talk, link, at, piece):
    seconds, packet, sent = talk
    data = framed(link, packet, sent)
    return seconds, data[:at] + piece + data[at + len(piece) :]


frames = st.builds(
    bent,
    st.sampled_from(TALK),
    st.sampled_from([1, 113, 276, 127, 101]),
    st.integers(0, 80),
    st.binary(max_size=4),
)
records = st.tuples(frames, u32, u32, st.integers(-3, 3) | u32, st.integers(-3, 3) | u32)


def small(change, size):
    return size + change & 0xFFFFFFFF if abs(change) <= 3 else change


def as_pcap(link, order, magic, packets):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for (seconds, data), second, fraction, held, whole in packets:
        at = 1_700_000_000 + int(seconds) if second % 3 else second
        lengths = small(held, len(data)), small(whole, len(data))
        out += struct.pack(order + "IIII", at & 0xFFFFFFFF, fraction % 1_000_000, *lengths) + data
    return out


def as_pcapng(link, order, resolution, packets):
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    option = struct.pack(order + "HHBxxx", 9, 1, resolution % 256)
    out += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + option)
    for (_, data), high, low, held, whole in packets:
        head = (0 if high % 3 else high, high % 0x60000 if low % 5 else high, low)
        lengths = small(held, len(data)), small(whole, len(data))
        out += block(order, 6, struct.pack(order + "IIIII", *head, *lengths) + data)
    return out


links, orders = st.sampled_from([1, 113, 276, 127, 101, 9]), st.sampled_from("<>")
magics = st.sampled_from([0xA1B2C3D4, 0xA1B23C4D])


@fuzz.million
@given(
    st.one_of(
        st.builds(
            as_pcap,
            links,
            orders,
            st.sampled_from([0xA1B2C3D4, 0xA1B23C4D]),
            st.lists(records, max_size=5),
        ),
        st.builds(as_pcapng, links, orders, u32, st.lists(records, max_size=5)),
    )
)
def test_a_capture_of_somebody_s(place, content):
    path = place / "capture"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        counted = count.count(path, DEVICE, 3_600_000)
        assert (counted.windows >= 0).all() and len(counted.windows) == len(counted.seen)
        assert printable(counted.broken) == counted.broken
