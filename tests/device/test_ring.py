"""Lines in a ring of files: those that wait in RAM, the newest that are kept,
and boots that are counted through power cuts.
"""

import os

from golden import folder

try:
    from inlier import recorder, ring
except ImportError:  # an emulated board, whose firmware leaves them out
    ring = None


def missing():
    return "inlier.ring is not in this firmware" if ring is None else None


def files(place):
    """Numbers of the ring's files that are kept."""
    ends = [name[2:] for name in os.listdir(place) if name.startswith("w.")]
    return sorted([int(end) for end in ends if end.isdigit()])


def text(place, number):
    with open("%s/w.%d" % (place, number)) as f:
        return f.read()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def test_lines_wait_until_with_their_ends_they_are_as_long_as_a_flush():
    if missing():
        return missing()
    place = folder()
    kept = ring.Ring(place + "/w", flush_bytes=10)
    expected = ""
    for _ in range(3):
        kept.write("12345678")
        assert files(place) == ([0] if expected else []), "9 bytes"
        assert not expected or text(place, 0) == expected
        kept.write("")
        expected += "12345678\n\n"
        assert text(place, 0) == expected, "10 bytes"
    kept.write("1")
    kept.flush()
    assert text(place, 0) == expected + "1\n", "and whenever that is asked for"


def test_a_file_is_full_at_its_bytes_and_the_newest_files_are_kept():
    if missing():
        return missing()
    place = folder()
    others = ("w2.0", "w.old", "v.0")
    for other in others:
        write(place + "/" + other, b"")
    kept = ring.Ring(place + "/w", segments=3, segment_bytes=20, flush_bytes=1)
    for i in range(25):
        kept.write("line %04d" % i)  # with its end 10 bytes: two fill a file
        last = i // 2
        full = (i + 1) // 2  # a file that is full makes room for the next
        assert files(place) == list(range(max(0, full - 2), last + 1)), i
        assert text(place, last) == "".join(["line %04d\n" % j for j in range(2 * last, i + 1)])
    left = os.listdir(place)
    assert all([other in left for other in others]), "what is not the ring's own stays"
    kept = ring.Ring(place + "/w", segments=3, segment_bytes=20, flush_bytes=1)
    for line in ("a boot", "2", "3"):  # 17, 19 and 21 bytes
        kept.write(line)
    assert text(place, 12) == "line 0024\na boot\n2\n3\n", "it goes on in the last, 12, not in 9"
    assert files(place) == [11, 12]


def test_unless_told_otherwise_it_keeps_eight_files_of_32_kb_written_a_kilobyte_at_once():
    if missing():
        return missing()
    place = folder()
    kept = ring.Ring(place + "/w")
    kept.write("." * 1022)
    assert files(place) == []
    kept.write("")
    for _ in range(30):
        kept.write("." * 1023)
    kept.write("." * 1022)
    kept.flush()
    for size in (32767, 33791):  # the first was not full
        assert os.stat(place + "/w.0")[6] == size and files(place) == [0]
        kept.write("." * 1023)
    assert files(place) == [0, 1]
    place = folder()
    kept = ring.Ring(place + "/w", segment_bytes=1, flush_bytes=1)
    for _ in range(9):
        kept.write("")
    assert files(place) == [2, 3, 4, 5, 6, 7, 8], "and one to come"


def test_it_may_lie_in_the_folder_where_the_application_runs():
    if missing():
        return missing()
    place = folder()
    former = os.getcwd()
    os.chdir(place)
    try:
        ring.Ring("w").flush()
        assert ring.Ring("w").boot == 2
    finally:
        os.chdir(former)
    assert files(place) == [0]


def test_a_boot_s_number_that_a_power_cut_tore_is_found_in_the_lines():
    """Begun again at 1, its windows would pass for some that were fetched."""
    if missing():
        return missing()
    path = folder() + "/w"
    for torn in (b"", b"\xff\xff", b"x"):
        for i in (0, 1):  # the highest, in whichever file it lies
            lines = b"~b 250 test a,b 77 - -\n~w %d 0 1 1,2\n~w x 1 1 1,2\n~w 9\xff\n\xff\n~w"
            write("%s.%d" % (path, i), lines % (4 - i))
        write(path + ".boot", torn)
        assert ring.Ring(path).boot == 5, torn
    assert ring.Ring(path).boot == 6


def test_a_count_of_boots_that_was_not_written_whole_leaves_the_former():
    """A power cut while the file is empty: the boots must not begin at 1 again,
    for `inlier record --ring` would take what follows for what it has.
    """
    if missing():
        return missing()
    path = folder() + "/w"
    assert [ring.Ring(path).boot for _ in range(2)] == [1, 2]
    write(path + ".new", b"")
    assert ring.Ring(path).boot == 3


def test_what_a_recorder_keeps_in_it_has_the_number_of_its_boot():
    if missing():
        return missing()
    path = folder() + "/w"
    for _ in range(3):
        kept = ring.Ring(path, flush_bytes=1)
        recorder.Recorder(Source, 250, kept.write, kept.boot).window((1, 2))
    os.remove(path + ".boot")
    assert ring.Ring(path).boot == 4, "as the lines say"


class Source:
    name = "test"
    counters = ("a", "b")
