"""Captures, byte by byte: what each field of a file says, which lengths are
damage, and where a file is said to break.
"""

import gzip
import os
import struct
from pathlib import Path

import pytest

from inlier_export.errors import BadInput
from inlier_trainer.pcap import reader
from inlier_trainer.pcap.reader import Broken, chunks
from test_pcap import block

S = 1_000_000_000  # of nanoseconds
MIB = 1 << 20


def read(path):
    """(link, octets, length on the link, nanoseconds) of each packet, in order,
    and what is said of damage.
    """
    found = []
    try:
        for chunk in chunks(path):
            columns = (chunk.at, chunk.captured, chunk.original, chunk.time_ns)
            for at, n, original, time_ns in zip(*(c.tolist() for c in columns), strict=True):
                found.append((chunk.link, chunk.data[at : at + n].tobytes(), original, time_ns))
    except Broken as problem:
        return found, str(problem).removeprefix(f"{path}: ")
    return found, ""


@pytest.fixture
def told(tmp_path):
    def of(content):
        path = tmp_path / "capture"
        path.write_bytes(content)
        return read(path)

    return of


def refused(path):
    with pytest.raises(BadInput) as caught:
        list(chunks(path))
    return str(caught.value).removeprefix(f"{path}: ")


# pcap --------------------------------------------------------------------


def head(order="<", magic=0xA1B2C3D4, link=1):
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)


def record(seconds, fraction, octets, original=None, order="<"):
    original = len(octets) if original is None else original
    return struct.pack(order + "IIII", seconds, fraction, len(octets), original) + octets


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_a_pcap_says_its_link_and_each_packet_s_time_and_lengths(told, order, magic, unit_ns):
    link = 0x1404_0071  # above 16 bits: that there is a check sequence, and its length
    content = head(order, magic, link)
    content += record(3, 999_999, b"abc", order=order)
    content += record((1 << 32) - 1, 7, b"", 60, order)  # in 2106, nothing of it kept
    content += record(0, 0, b"longer", 5, order)  # says that it was shorter than what is here
    assert told(content) == (
        [
            (113, b"abc", 3, 3 * S + 999_999 * unit_ns),
            (113, b"", 60, ((1 << 32) - 1) * S + 7 * unit_ns),
            (113, b"longer", 6, 0),
        ],
        "",
    )


def test_a_pcap_may_hold_no_packet_and_no_less_than_its_head(told, tmp_path):
    assert told(head()) == ([], "")
    for n in (0, 3, 23):
        (tmp_path / "cut").write_bytes(head()[:n])
        assert refused(tmp_path / "cut") == (
            f"{n} bytes are no capture; name a pcap or pcapng file"
        )


def test_what_begins_with_no_magic_number_is_no_capture(tmp_path):
    for magic in (b"GIF8", b"\0\0\0\0", b"\xa1\xb2\xc3\xd5", b"\n\r\r\r"):
        (tmp_path / "other").write_bytes(magic + head()[4:])
        assert refused(tmp_path / "other") == "neither pcap nor pcapng; name a capture file"


def test_a_packet_of_more_than_a_mebibyte_is_damage_and_it_is_said_where(told):
    large = record(1, 0, bytes(MIB))
    assert [len(octets) for _, octets, _, _ in told(head() + large)[0]] == [MIB]
    found, said = told(head() + record(1, 0, b"x") + large + record(1, 0, bytes(MIB + 1)))
    assert len(found) == 2 and said == (
        "broken at a packet that says it has 1048577 bytes, 2 packets after byte 24; what came "
        "before it is used"
    )
    found, said = told(head() + record(1, 0, b"x") + large[:-1])
    assert len(found) == 1
    assert said == (f"the last packet is cut after {16 + MIB - 1} bytes; what came before is used")


@pytest.mark.parametrize("kept", [1, 15, 16, 18])
def test_a_packet_that_is_cut_anywhere_is_no_packet(told, kept):
    found, said = told(head() + record(1, 0, b"whole") + record(2, 0, b"cut")[:kept])
    assert [octets for _, octets, _, _ in found] == [b"whole"]
    assert said == f"the last packet is cut after {kept} bytes; what came before is used"


# In pieces, packed, through a pipe ---------------------------------------


def of_many(n=50):
    return head() + b"".join(record(i, 0, bytes([i & 255]) * (i % 9)) for i in range(n))


def test_where_it_breaks_is_counted_from_the_file_s_first_byte(told, monkeypatch):
    """A piece of 48 bytes is the head and a packet, then three of 16 bytes
    each.
    """
    monkeypatch.setattr(reader, "CHUNK_BYTES", 48)
    content = head() + record(0, 0, bytes(8)) + record(0, 0, b"") * 6
    found, said = told(content + struct.pack("<IIII", 0, 0, 1 << 30, 0))
    assert len(found) == 7 and said.startswith("broken at a packet that says it has 1073741824 ")
    assert ", 0 packets after byte 144; " in said
    said = told(gzip.compress(content, mtime=0)[:-8])[1]
    assert said == "the compressed file breaks off after 144 bytes of capture; what came is used"
    ng = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) * 2  # of 28 bytes
    said = told(ng + block("<", 1, struct.pack("<HHI", 1, 0, 0)) + bytes(12))[1]
    assert said.startswith("broken at a block that says it has 0 bytes, 0 packets after byte 28; ")


def test_what_is_read_grows_to_the_whole_file_and_is_unknown_of_a_pipe(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", 100)
    path = tmp_path / "capture"
    for content in (of_many(), gzip.compress(of_many(), mtime=0)):
        path.write_bytes(content)
        done = [chunk.read for chunk in chunks(path)]
        assert done == sorted(done) and done[-1] == len(content) and len(done) > 5
    reading, writing = os.pipe()
    os.write(writing, of_many())
    os.close(writing)
    packets, done = 0, []
    for chunk in chunks(Path(f"/dev/fd/{reading}")):
        packets += len(chunk.at)
        done.append(chunk.read)
    os.close(reading)
    assert packets == 50 and set(done) == {0}


def test_a_packed_file_is_read_as_far_as_it_is_whole(told, tmp_path):
    whole = told(of_many(1000))[0]
    packed = gzip.compress(of_many(1000), mtime=0)
    for damaged in (
        packed[:-8],  # its length and checksum are missing,
        packed[:-4] + bytes(4),  # or wrong
        packed + b"and more",  # what follows is no member of its
    ):
        found, said = told(damaged)
        assert found == whole
        assert said.startswith("the compressed file breaks off after ")
    path = tmp_path / "damaged"
    for content in (packed[:30], packed[:10] + b"\xff" * 60, b"\x1f\x8b\x07" + packed[3:]):
        path.write_bytes(content)
        said = refused(path)
        assert said.startswith("not a gzip file all through (") and said.endswith("; copy it again")


def test_a_file_that_cannot_be_read_is_one_sentence():
    """Nothing is at address 0 of a process."""
    assert refused(Path("/proc/self/mem")) == (
        "Input/output error; the disk or the device fails: copy what is there to another one"
    )


# pcapng ------------------------------------------------------------------


def section(order="<"):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(link, *options, order="<", end=True):
    body = struct.pack(order + "HHI", link, 0, 65535)
    for code, value in options:
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(order, 1, body + bytes(4 if end and options else 0))


def enhanced(ticks, octets, original=None, number=0, captured=None, order="<"):
    captured = len(octets) if captured is None else captured
    original = len(octets) if original is None else original
    fields = (number, ticks >> 32, ticks & 0xFFFF_FFFF, captured, original)
    return block(order, 6, struct.pack(order + "IIIII", *fields) + octets)


def simple(octets, original=None, order="<"):
    original = len(octets) if original is None else original
    return block(order, 3, struct.pack(order + "I", original) + octets)


def resolution(value):
    return (9, bytes([value]))


def since(seconds, order="<"):
    return (14, struct.pack(order + "q", seconds))


@pytest.mark.parametrize(
    ("options", "expected_ns"),
    [
        ((), 7_000_003_000),  # microseconds, by default
        ((resolution(6),), 7_000_003_000),
        ((resolution(9),), 7_000_003),
        ((resolution(3),), 7_000_003_000_000),
        ((resolution(0x80 | 3),), 7_000_003 * S // 8),  # 2^-3 s
        ((resolution(0x80 | 20),), 6_675_723_075),  # 7,000,003 * 10^9 / 2^20, rounded down
        ((resolution(0x80 | 127),), 0),
        # the options before it, of any length, are passed over
        *(((((2, b"x" * n), resolution(9))), 7_000_003) for n in (0, 1, 2, 3, 4, 5, 20)),
        (((9, b""),), 7_000_003_000),  # of no value
        (((8, b"\6"), (10, b"\3")), 7_000_003_000),  # others
    ],
)
@pytest.mark.parametrize("end", [True, False], ids=["ended", "open"])
def test_an_interface_says_what_a_tick_is(told, options, expected_ns, end):
    content = section() + interface(1, *options, end=end) + enhanced(7_000_003, b"a")
    assert told(content) == ([(1, b"a", 1, expected_ns)], "")


def test_an_option_without_its_value_says_nothing(told):
    cut = block("<", 1, struct.pack("<HHIHH", 1, 0, 0, 9, 1))
    assert told(section() + cut + enhanced(7, b"a")) == ([(1, b"a", 1, 7000)], "")


@pytest.mark.parametrize("order", "<>")
def test_ticks_may_begin_at_another_time_than_1970_on_each_interface(told, order):
    content = section(order) + interface(1, since(1_700_000_000, order), order=order)
    content += interface(1, resolution(9), since(-2, order), order=order)
    content += interface(1, (14, b"\1" * 7), (8, b"\1" * 8), order=order)  # too short, another
    content += enhanced(7, b"a", order=order) + enhanced(2 * S, b"b", number=1, order=order)
    content += enhanced(7, b"c", number=2, order=order)
    found, said = told(content)
    assert [time_ns for _, _, _, time_ns in found] == [1_700_000_000 * S + 7000, 0, 7000]
    assert not said


@pytest.mark.parametrize("order", "<>")
def test_a_pcapng_s_packets_are_of_the_interface_that_they_name_in_their_section(told, order):
    other = ">" if order == "<" else "<"
    content = section(order) + interface(1, order=order) + interface(101, order=order)
    content += enhanced((5 << 32) + 9, b"abc", 60, 1, order=order)
    content += block(order, 5, b"statistics, say") + block(order, 4, b"")
    content += enhanced(8, b"longer", 5, 0, order=order)
    content += section(other) + interface(113, order=other)
    content += enhanced(8, b"", 70, 0, order=other) + simple(b"abcde", order=other)
    content += simple(b"cut", 90, order=other)
    assert sorted(told(content)[0]) == [
        (1, b"longer", 6, 8_000),
        (101, b"abc", 60, ((5 << 32) + 9) * 1000),
        (113, b"", 70, 8_000),
        (113, b"abcde", 5, 8_000),
        (113, b"cut\0", 90, 8_000),  # where padding begins it does not say
    ]
    assert not told(content)[1]


def test_packets_that_have_no_time_and_none_before_them_are_of_1970_and_the_first_interface(told):
    content = section() + interface(101) + interface(1) + simple(b"a") + simple(b"")
    assert told(content) == ([(101, b"a", 1, 0), (101, b"", 0, 0)], "")


def length_only(length):
    return struct.pack("<II", 5, length)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (length_only(0) + bytes(20), "a block that says it has 0 bytes"),
        (length_only(8) + bytes(20), "a block that says it has 8 bytes"),
        (length_only(11) + bytes(20), "a block that says it has 11 bytes"),
        (length_only(13) + bytes(20), "a block that says it has 13 bytes"),
        (length_only(14) + bytes(20), "a block that says it has 14 bytes"),
        (length_only(MIB + 4) + bytes(20), "a block that says it has 1048580 bytes"),
        (block("<", 6, bytes(16)), "a block too short for what it should hold"),
        (block("<", 3, b""), "a block too short for what it should hold"),
        (block("<", 1, bytes(4)), "a block too short for what it should hold"),
        (enhanced(0, b"abc", captured=5), "a packet that does not fit its block"),
        (enhanced(0, b"", captured=1), "a packet that does not fit its block"),
        (
            enhanced(0, b"abc", number=1),
            "a packet of an interface that no block before it describes",
        ),
        (section() + simple(b"abc"), "a packet of an interface that no block before it describes"),
        (
            interface(1, resolution(9)) + enhanced(1 << 63, b"", number=1),
            "a packet whose time is not between 1970 and 2262",
        ),
        (
            interface(1, resolution(9), since(-2)) + enhanced(2 * S - 1, b"", number=1),
            "a packet whose time is not between 1970 and 2262",
        ),
        (
            interface(1, since(1 << 62)) + enhanced(0, b"", number=1),
            "a packet whose time is not between 1970 and 2262",
        ),
    ],
)
def test_a_damaged_block_ends_what_is_read_and_what_came_before_it_is_used(told, damage, said):
    before = section() + interface(1) + enhanced(1, b"a")
    assert told(before + damage + enhanced(2, b"b")) == (
        [(1, b"a", 1, 1000)],
        f"broken at {said}, 1 packet after byte 0; what came before it is used",
    )


def test_in_pieces_of_any_size_a_file_says_the_same(told, monkeypatch):
    ng = section(">") + interface(1, order=">") + enhanced(1, b"abcde", order=">")
    ng += section() + interface(101) + enhanced(2, b"fg")  # cut in its first 11 bytes, too
    for content, packets in ((of_many(5), 5), (ng, 2)):
        whole = told(content)
        assert len(whole[0]) == packets and not whole[1]
        for size in range(reader.HEAD_BYTES, 48):
            monkeypatch.setattr(reader, "CHUNK_BYTES", size)
            assert told(content) == whole, size
        monkeypatch.undo()


def test_the_latest_time_and_the_largest_and_smallest_block_are_no_damage(told):
    content = section() + interface(1, resolution(9)) + block("<", 5, bytes(MIB - 12))
    content += enhanced((1 << 63) - 1, b"", 0) + block("<", 5, b"")
    assert told(content) == ([(1, b"", 0, (1 << 63) - 1)], "")
    for kept in (1, 11, 12, 31):
        found, said = told(content + enhanced(1, b"")[:kept])
        assert len(found) == 1, kept
        assert said == f"the last packet is cut after {kept} bytes; what came before is used"


def test_a_section_may_describe_so_many_interfaces_and_the_next_as_many_again(told):
    full = section() + interface(1) * 4096
    found, said = told(full * 2 + enhanced(1, b"a", number=4095) + interface(1))
    assert found == [(1, b"a", 1, 1000)]
    assert said.startswith("broken at an interface beyond 4096, 1 packet after ")
