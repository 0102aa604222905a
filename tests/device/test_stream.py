"""Windows as lines: exact, sealed, with the names again and again; a ring of
files that keeps the newest.
"""

import os

try:
    from inlier import stream
except (
    ImportError
):  # an emulated board, whose firmware leaves it out: boards/onto_a_board.sh runs it there
    stream = None


class Source:
    name = "test"
    counters = ("a", "b")


def missing():
    return "inlier.stream is not in this firmware" if stream is None else None


def test_lines_are_exact():
    if missing():
        return missing()
    lines = []
    windows = stream.Stream(Source, 250, lines.append, 7)
    windows.window((1, 1 << 29))
    windows.window((0, 3), 5, " 12 -3 1 1")
    # python3 -c "import zlib; print('%08x' % zlib.crc32(b'~b 250 test a,b'))"
    assert lines == [
        "~b 250 test a,b *aac62eaa",
        "~w 7 0 1 1,536870912 *4dfa2446",
        "~w 7 1 5 0,3 12 -3 1 1 *a300a4c4",
    ]


def test_names_come_again():
    if missing():
        return missing()
    lines = []
    windows = stream.Stream(Source, 250, lines.append, 7)
    for _ in range(stream.HEAD_EVERY + 1):
        windows.window((0, 0))
    assert [i for i in range(len(lines)) if lines[i].startswith("~b")] == [0, stream.HEAD_EVERY + 1]


def test_ring_keeps_the_newest_and_counts_boots():
    if missing():
        return missing()
    path = "test_ring"
    try:
        ring = stream.Ring(path, 2, 60, 30)
        assert ring.boot == 1
        for i in range(40):
            ring.write("line %02d" % i)  # 8 bytes with its end: four fill the buffer, eight a file
        kept = sorted(name for name in os.listdir() if name.startswith(path))
        assert kept == [path + ".4", path + ".5", path + ".boot"] or kept == [
            path + ".4",
            path + ".boot",
        ]
        with open(path + ".4") as f:
            assert f.read() == "".join("line %02d\n" % i for i in range(32, 40))
        ring = stream.Ring(path, 2, 60, 30)
        assert ring.boot == 2
        ring.write("after a boot")
        ring.flush()
        with open(path + ".4") as f:
            text = f.read()
        assert text.endswith("line 39\n") or text.endswith("after a boot\n")
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)


def test_a_boot_s_number_that_a_power_cut_tore_is_found_in_the_lines():
    """Begun again at 1, its windows would pass for some that were fetched."""
    if missing():
        return missing()
    path = "test_ring"
    try:
        ring = stream.Ring(path, 2, 200, 1)
        for _ in range(3):
            ring = stream.Ring(path, 2, 200, 1)
            windows = stream.Stream(Source, 250, ring.write, ring.boot)
            windows.window((1, 2))
        assert ring.boot == 4
        for torn in (b"", b"\xff\xff"):
            with open(path + ".boot", "wb") as f:
                f.write(torn)
            with open(path + ".0", "ab") as f:
                f.write(b"~w 9\xff\xff\n~w x 1 1 1,2\n")  # so may lines
            assert stream.Ring(path, 2, 200, 1).boot == 5
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)
