"""What anybody may send to the host or leave on the device's flash, built by
its grammar and bent at its joints: a million a night of each kind (`make
nightly`).

An answer within bounds, or the refusal that its caller knows; never another
exception, and nothing that moves the cursor of a terminal.
"""

import contextlib
import csv
import functools
import io
import json
import struct
import tempfile
from array import array
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

import fuzz
from inlier.counters import DELTA_MAX
from inlier.kernels import plain
from inlier.line import seal
from inlier.model import Model, ModelError, crc32
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.secure import authentic, record, slots, state
from inlier.sinks.offer import BYTES_MAX
from inlier.sinks.taking import Taking
from inlier_boards.serial_line.intake import Intake
from inlier_boards.serial_line.lines import INT_MAX
from inlier_boards.serial_line.record_board import Part
from inlier_export import model_file as files
from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host import fleet_rollout_mqtt, fleet_rollout_web
from inlier_host.live import feed, prometheus, terminal
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
def place():
    """In memory where there is such a place: a million files are written."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


# MQTT and the serial line: events ----------------------------------------

WINDOW = {"window": 3, "score": 120, "ae": 5, "svm": -6, "hot": 1}
ALARM = {"alarm": "ON", "window": 3, "message": "hosts in touch: 9", "id": "a-1"}
EVENTS = (WINDOW, ALARM, {**WINDOW, "source": "sockets", "deltas": [1, 2]})
KEYS = (
    *WINDOW,
    *ALARM,
    "features",
    "source",
    "deltas",
    "began",
    "quiet",
    "grows",
    "online",
    "device",
    "time",
)
JSON = (json.dumps(WINDOW).encode(), json.dumps(ALARM).encode())


def odd(draw):
    kind = draw.random()
    if kind < 0.35:
        return draw.number()
    if kind < 0.55:
        return draw.odd_number()
    if kind < 0.75:
        return draw.odd_text()
    if kind < 0.85:
        return [[draw.odd_text(), draw.number()] for _ in draw.few(4)]
    return draw.choice((None, True, [], {}, "ON", "OFF", [1, 2], [[1]], [["a"]], [[1, 2, 3]]))


def said(draw):
    """A text that comes over MQTT or the serial line."""
    kind = draw.random()
    if kind < 0.25:
        return draw.bent(*JSON).decode(errors="replace")
    if kind < 0.27:
        return draw.choice('[{"1-') * draw.choice((1, 1000, 70_000))
    event = dict(draw.choice(EVENTS))
    for _ in draw.few(3):
        event[draw.choice(KEYS)] = odd(draw)
    if draw.maybe(0.3):
        event.pop(draw.choice(KEYS), None)
    return json.dumps(event, ensure_ascii=draw.maybe(0.5))


def test_an_event_from_anybody():
    """What is drawn of it, and what becomes metrics."""
    metrics = prometheus.Metrics("bell", ":0")

    def check(draw):
        live = Live("bell")
        for _ in range(1 + int(draw.random() * 3)):
            event = feed.parsed(said(draw))
            live.take(event)
            metrics.take(event)
            for value in event.values():
                if isinstance(value, str):
                    assert value.isprintable() and len(value) <= feed.TEXT_MAX * 10
                elif isinstance(value, int):
                    assert abs(value) <= feed.INT_MAX
        json.dumps(live.snapshot()).encode()
        terminal.spark([score for _, score, *_ in live.history], 9)
        terminal.bar(live.score, 9)
        for alarm in live.alarms:
            str(alarm["message"]).encode()
        return live.foreign == 0

    with metrics:
        fuzz.million(check)
        generate_latest(metrics.registry).decode()


# A rollout: what devices answer, and what they are offered -----------------

ANSWER = {"number": 5, "result": "refused", "why": "no memory", "offered": 6}
OFFER = {"number": 5, "type": "bell", "bytes": 3, "chunks": 2, "limits": "00ff"}
ASKED = (
    b'1.2.3.4 - - [x] "GET /offers/bell-1.json?number=5&result=running&boot=a&alarms=2 HTTP/1.1"'
)


def told(draw, good):
    """JSON, bent as an event is."""
    if draw.maybe(0.3):
        return draw.bent(json.dumps(good).encode())
    changed = dict(good)
    for _ in draw.few(3):
        changed[draw.choice((*good, "later"))] = odd(draw)
    return json.dumps(changed).encode()


def test_an_answer_of_a_device_or_of_anybody():
    def check(draw):
        if draw.maybe(0.5):
            answer = fleet_rollout_mqtt.answer(told(draw, ANSWER))
        else:
            found = fleet_rollout_web.told(draw.bent(ASKED))
            answer = found and found[1]
            assert not found or printable(found[0]) == found[0] and found[3] >= 0
        if answer:
            assert isinstance(answer.number, int) and isinstance(answer.offered, int)
            assert answer.why.isprintable() and answer.result.isprintable()
        return answer

    fuzz.million(check)


def test_an_offer_of_anybody_to_a_device():
    source = SimpleNamespace(name="sockets", counters=("a",))
    taking = Taking(SimpleNamespace(number=lambda *_: 4), "models", source)

    def check(draw):
        wanted = taking.wanted(told(draw, OFFER))
        if wanted:
            number, type_, size, limits, chunks = wanted
            assert 0 < size <= BYTES_MAX and isinstance(chunks, int) and isinstance(limits, bytes)
            assert number != 4 and not set(type_) & set("/+#\0") and isinstance(type_, str)
        return wanted

    fuzz.million(check)


# What a board prints -----------------------------------------------------

BOARD = ("~b", "1000", "sockets", "a,b")
LINES = (
    BOARD,
    ("~w", "7", "3", "1", "1,2"),
    ("~w", "7", "4", "1", "1,2", "3", "-4", "1", "1"),
)
WORDS = ("1,2", "a,b", "a,b,c", "boot,b", "a,a", "1,zz", "1,", "~w", "~b")


def word(draw):
    kind = draw.random()
    if kind < 0.3:
        return str(draw.number())
    if kind < 0.45:
        return str(draw.odd_number())
    if kind < 0.65:
        return draw.odd_text()
    if kind < 0.8:
        return ",".join(str(draw.number()) for _ in range(1 + int(draw.random() * 4)))
    return draw.choice(WORDS)


def sealed(text):
    return seal(text.encode(errors="replace").decode())  # as it is read from a line


def line(draw):
    kind = draw.random()
    if kind < 0.2:
        return seal(" ".join(BOARD))
    if kind < 0.4:
        return seal("~w %d %d %d 1,2" % tuple(int(9 * draw.random()) for _ in range(3)))
    if kind < 0.45:
        return "~w " + draw.odd_text()
    words = list(draw.choice(LINES))
    at = int(9 * draw.random())
    words[at : at + draw.getrandbits(1)] = [word(draw)]
    return sealed(" ".join(words))


def test_lines_of_a_board():
    def check(draw):
        taken = Intake(draw.maybe(0.5))
        lines = [line(draw) for _ in draw.few(8)]
        windows = 0
        try:
            for text in lines:
                for window in taken.take(text):
                    windows += 1
                    assert len(window.deltas) == len(taken.counters)
                    assert len(window.scores) in (0, 4)
                    assert 0 <= min(window.deltas) <= max(window.deltas) <= DELTA_MAX
                    assert 0 <= window.index <= INT_MAX
                    assert 0 <= window.boot <= INT_MAX + len(lines)
        except BadInput as error:  # other counters than before
            assert printable(str(error)) == str(error)
        return windows

    fuzz.million(check)


PARTS = (
    b"boot,window,elapsed,a,b\n1,0,1,5,6\n1,1,1,7,8\n",
    b"# inlier source=sockets window_ms=1000\nboot,window,elapsed,a\n1,0,1,2\n",
    b"boot,window,elapsed,a\n1,2",
)


def test_a_part_that_was_left(place):
    path = place / "p.csv.part"

    def check(draw):
        path.write_bytes(draw.bent(*PARTS))
        with contextlib.suppress(BadInput):
            part = Part(place / "p.csv")
            assert part.rows >= 0 and isinstance(part.lines.boot, int)
            return part.rows
        return 0

    fuzz.million(check)


# Flash -------------------------------------------------------------------

BITS = {"B": 8, "H": 16, "I": 32}


def test_a_state_whose_seal_fits(place):
    """Structure-aware: mostly of this model, the right lengths, small numbers."""
    model = Model(GOLDEN)
    kept = record.Record(str(place / "state"), b"", b"INLT")
    keeper = state.Keeper(str(place / "state"), b"")
    pipeline = Pipeline(model, Replay((), model.counters()), plain)
    deltas = [array("i", [level] * len(model.counters())) for level in (0, DELTA_MAX)]
    ours = crc32(model.params) & 0xFFFFFFFF
    grades, features = len(pipeline.alarm.horizons.grades), model.features
    sizes = (grades, 4 * features, len(state._hosts(pipeline)))
    fields = [BITS[kind] for kind in state._HEAD[2:-5]]  # all but told and sizes

    def check(draw):
        head = [draw.getrandbits(3) if draw.maybe(0.9) else draw.unsigned(bits) for bits in fields]
        lengths = sizes if draw.maybe(0.9) else tuple(draw.unsigned(16) for _ in sizes)
        which = ours if draw.maybe(0.9) else draw.unsigned(32)
        content = bytearray(sum(sizes))
        for at in draw.few(3):
            content[draw.getrandbits(16) % grades] = draw.getrandbits(3)
            high = 30 if draw.maybe(0.95) else 32
            struct.pack_into("<I", content, grades + 4 * at, draw.unsigned(high))
        if draw.maybe(0.1):
            content = draw.octets(600)
        told = (
            bytes(draw.getrandbits(2) for _ in range(4)) if draw.maybe(0.5) else draw.randbytes(4)
        )
        payload = struct.pack(state._HEAD, which, *head, told, *lengths) + content
        sealed = struct.pack("<4sIH", b"INLT", 1, len(payload)) + payload
        (place / "state.0").write_bytes(sealed + kept._seal(sealed))
        taken = keeper.restore(pipeline)
        assert pipeline.alarm.hold <= max(model.cooldown, model.warmup)
        assert -1 <= pipeline.index < 1 << 30
        if taken and draw.maybe(0.2):
            pipeline.score(draw.choice(deltas))
            assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30
            pipeline.explain()
        return taken

    fuzz.million(check)


@pytest.fixture(scope="module")
def installed(place):
    folder = place / "slots"
    folder.mkdir()
    slots.Slots(authentic.Authentic(KEY)).update(str(folder), SIGNED)
    return folder


def test_a_record_of_the_slots(installed, monkeypatch):
    """One that is not ours changes nothing; ours, whatever it holds, is a model
    of ours or a refusal.
    """
    # What a slot holds never changes here: it is checked once, not each time.
    accept = functools.cache(slots.Slots(authentic.Authentic(KEY))._accept)
    monkeypatch.setattr(slots.Slots, "_accept", lambda self, *given: accept(*given))
    models = slots.Slots(authentic.Authentic(KEY))
    seals = {key: record.Record("", key, b"INLS")._seal for key in (KEY, b"")}
    entry = slots._entry(SIGNED)

    def check(draw):
        key = draw.choice((KEY, b""))
        if draw.maybe(0.2):
            payload = draw.octets(60)
        else:
            number, place = draw.unsigned(32), draw.choice((0, 1, draw.getrandbits(8)))
            digest = entry[4:] if draw.maybe(0.7) else draw.randbytes(16)
            payload = bytes([place]) + struct.pack("<I16s", number, digest)
            payload += draw.randbytes(20) if draw.maybe(0.7) else draw.octets(30)
            if draw.maybe(0.3):
                payload = bytes([place]) + entry + entry
        content = struct.pack("<4sIH", b"INLS", 9, len(payload)) + payload
        for i in (0, 1):
            (installed / f"slots.{i}").write_bytes(content + seals[key](content))
        try:
            assert models.load(str(installed)).source == "replay"
            return key
        except ModelError:
            assert key
            return False

    fuzz.million(check)


# Files -------------------------------------------------------------------

NAMES = ("a", "b", *MARKS, "missed", "", "a ")
DIALECTS = ({}, {"lineterminator": "\n"}, {"delimiter": ";"}, {"quoting": csv.QUOTE_ALL})
BEGINS = (b"", b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"\0")
ENDS = (b"", b"", b"", b"1,", b'"', b"\r\n\r\n", b"\0")
ABOUT = ("source=sockets", "window_ms=10000", "device=x", "firmware=1.2", "clock=-")
ABOUT_VALUES = ("%41", "%", "2026-13-01T00:00:00Z")
ABOUT_KEYS = ("source", "window_ms", "device", "firmware", "clock", "later", "", "source")


def cell(draw, odd_share):
    if not draw.maybe(odd_share):
        return str(draw.getrandbits(draw.choice((3, 12, 30))))
    return draw.choice((str(draw.number()), str(draw.odd_number()), draw.odd_text(), " 1"))


def about_line(draw):
    words = list(ABOUT)
    for _ in draw.few(3):
        value = draw.choice((str(draw.number()), draw.odd_text(), *ABOUT_VALUES))
        words[draw.choice((0, 1, 2, 3, 4))] = f"{draw.choice(ABOUT_KEYS)}={value}"
    return draw.choice(("inlier ", "inlier ", "inlier ", "inlier", "")) + " ".join(words)


def table(draw):
    """Half of them as good as a recorder's, the others odd in some way."""
    out, odd_share = io.StringIO(), draw.choice((0, 0, 0.02, 0.3))
    for _ in draw.few(2):
        about = about_line(draw) if draw.maybe(odd_share) else "inlier " + " ".join(ABOUT[:4])
        out.write(f"# {about}\n")
        if draw.maybe(0.9):
            break
    head = ["a", "b"] if draw.maybe(0.5) else [*MARKS, "a", "b"]
    if draw.maybe(odd_share):
        head = [draw.choice((draw.choice(NAMES), draw.odd_text())) for _ in draw.few(4)]
    rows = [[cell(draw, odd_share) for _ in head] for _ in draw.few(5)]
    if rows and draw.maybe(odd_share):
        rows[-1] = [cell(draw, odd_share) for _ in draw.few(6)]
    dialect = draw.choice(DIALECTS) if draw.maybe(0.5) else {}
    csv.writer(out, **dialect).writerows([head, *rows])
    content = out.getvalue().encode(errors="surrogatepass")
    if draw.maybe(0.5):
        return content
    return draw.choice(BEGINS) + content + draw.choice(ENDS)


def test_a_csv_of_somebody_s(place):
    path = place / "w.csv"
    readers = (
        partial(recordings.read, counters=("a", "b")),
        lambda path: recordings.table(path).board_recording(),
    )

    def check(draw):
        path.write_bytes(table(draw))
        try:
            recording = draw.choice(readers)(path)
            assert recording.windows.min() >= 0 and recording.stretches
            return True
        except BadInput as error:
            assert len(printable(str(error))) < 2000 and "\n" not in printable(str(error))
            return False

    fuzz.million(check)


FRAMES = {
    link: [(seconds, framed(link, packet, sent)) for seconds, packet, sent in TALK]
    for link in (1, 113, 276, 127, 101)
}


def packet(draw, link):
    """(time, frame, time's parts, changes of its lengths)."""
    seconds, data = draw.choice(FRAMES[link])
    at, piece = int(81 * draw.random()), draw.octets(4)
    data = data[:at] + piece + data[at + len(piece) :]
    changes = [
        int(7 * draw.random()) - 3 if draw.maybe(0.8) else draw.unsigned(32) for _ in range(2)
    ]
    if draw.maybe(0.6):
        changes = [0, 0]
    return (seconds, data), draw.unsigned(32), draw.unsigned(32), *changes


def small(change, size):
    return size + change & 0xFFFFFFFF if abs(change) <= 3 else change


def as_pcap(link, order, magic, packets):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for (seconds, data), second, fraction, held, whole in packets:
        at = 1_700_000_000 + int(seconds) if second % 3 else second
        lengths = small(held, len(data)), small(whole, len(data))
        out += struct.pack(order + "IIII", at & 0xFFFFFFFF, fraction % 1_000_000, *lengths) + data
    return out


def as_pcapng(link, order, resolution, since, packets):
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    option = struct.pack(order + "HHBxxxHHQ", 9, 1, resolution % 256, 14, 8, since)
    out += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + option)
    for (_, data), high, low, held, whole in packets:
        head = (0 if high % 3 else high, high % 0x60000 if low % 5 else high, low)
        lengths = small(held, len(data)), small(whole, len(data))
        out += block(order, 6, struct.pack(order + "IIIII", *head, *lengths) + data)
    return out


def test_a_capture_of_somebody_s(place):
    path = place / "capture"

    def check(draw):
        link, order = draw.choice((1, 113, 276, 127, 101)), draw.choice("<>")
        packets = [packet(draw, link) for _ in draw.few(5)]
        said = link if draw.maybe(0.9) else draw.choice((1, 101, 9))
        if draw.maybe(0.5):
            magic = draw.choice((0xA1B2C3D4, 0xA1B23C4D))
            content = as_pcap(said, order, magic, packets)
        else:
            since = 0 if draw.maybe(0.6) else draw.unsigned(64)
            content = as_pcapng(said, order, draw.unsigned(32), since, packets)
        path.write_bytes(content if draw.maybe(0.8) else draw.bent(content))
        with contextlib.suppress(BadInput):
            counted = count.count(path, DEVICE, 3_600_000)
            for windows, seen in islice(counted.parts(), 2):  # more are centuries of silence
                assert len(windows) == len(seen) and windows.min() >= 0 and seen.min() >= 0
            assert printable(counted.broken) == counted.broken
            return not counted.broken
        return False

    fuzz.million(check)
