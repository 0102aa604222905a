"""Windows as lines: exact, sealed, with the names again and again; a ring of
files that keeps the newest.
"""

import os
import sys

try:
    from inlier import line, recorder, ring
except ImportError:  # an emulated board, whose firmware leaves them out
    recorder = None

try:
    import asyncio

    import punctual
except ImportError:  # a bare board
    asyncio = None


class Source:
    name = "test"
    counters = ("a", "b")
    bits = 30

    def read(self, values):
        pass


def missing():
    return "inlier.recorder is not in this firmware" if recorder is None else None


def test_lines_are_exact():
    if missing():
        return missing()
    lines = []
    windows = recorder.Recorder(Source, 250, lines.append, 7)
    windows.window((1, 1 << 29))
    windows.window((0, 3), 5, " 12 -3 1 1")
    head, _, check = lines.pop(0).rpartition(" *")
    kind, length, source, names, device, firmware, clock = head.split(" ")
    assert (kind, length, source, names) == ("~b", "250", "test", "a,b")
    assert device and firmware.startswith(sys.implementation.name + "-")
    assert clock == "-" or len(clock) == 20 and clock[0] == "2" and clock[-1] == "Z"
    assert line.seal(head) == "%s *%s" % (head, check)
    # python3 -c "import zlib; print('%08x' % zlib.crc32(b'~w 7 0 1 1,536870912'))"
    assert lines == [
        "~w 7 0 1 1,536870912 *4dfa2446",
        "~w 7 1 5 0,3 12 -3 1 1 *a300a4c4",
    ]


def test_names_come_again():
    if missing():
        return missing()
    lines = []
    windows = recorder.Recorder(Source, 250, lines.append, 7)
    for _ in range(recorder.HEAD_EVERY + 1):
        windows.window((0, 0))
    assert [i for i in range(len(lines)) if lines[i].startswith("~b")] == [
        0,
        recorder.HEAD_EVERY + 1,
    ]


def test_ring_keeps_the_newest_and_counts_boots():
    if missing():
        return missing()
    path = "test_ring"
    try:
        kept = ring.Ring(path, 2, 60, 30)
        assert kept.boot == 1
        for i in range(40):
            kept.write("line %02d" % i)  # 8 bytes with its end: four fill the buffer, eight a file
        files = sorted(name for name in os.listdir() if name.startswith(path))
        assert files == [path + ".4", path + ".5", path + ".boot"] or files == [
            path + ".4",
            path + ".boot",
        ]
        with open(path + ".4") as f:
            assert f.read() == "".join("line %02d\n" % i for i in range(32, 40))
        kept = ring.Ring(path, 2, 60, 30)
        assert kept.boot == 2
        kept.write("after a boot")
        kept.flush()
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
        kept = ring.Ring(path, 2, 200, 1)
        for _ in range(3):
            kept = ring.Ring(path, 2, 200, 1)
            windows = recorder.Recorder(Source, 250, kept.write, kept.boot)
            windows.window((1, 2))
        assert kept.boot == 4
        for torn in (b"", b"\xff\xff"):
            with open(path + ".boot", "wb") as f:
                f.write(torn)
            with open(path + ".0", "ab") as f:
                f.write(b"~w 9\xff\xff\n~w x 1 1 1,2\n")  # so may lines
            assert ring.Ring(path, 2, 200, 1).boot == 5
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)


def test_windows_are_recorded_in_a_ring_whole_to_the_last_and_go_on_after_a_restart():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    path = "test_ring"
    try:
        for count in (2, 1):
            asyncio.run(recorder.record(Source(), 5, ring.Ring(path), count))
        with open(path + ".0") as f:
            lines = f.read().split("\n")
        boots = [text.split(" ")[:3] for text in lines if text.startswith("~w")]
        assert boots == [["~w", "1", "0"], ["~w", "1", "1"], ["~w", "2", "0"]]
        assert lines[-1] == "" and all(
            line.seal(text.rpartition(" *")[0]) == text for text in lines[:-1]
        )
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)


def test_without_a_count_it_records_without_end_and_each_window_is_in_the_ring_at_once():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    from inlier import ticker

    path = "test_ring"
    on_flash = []

    class Ring(ring.Ring):
        def write(self, line):
            super().write(line)
            with open(path + ".0") as f:
                on_flash.append(f.read().count("\n"))

    async def main():
        kept = Ring(path, flush_bytes=1)
        task = asyncio.create_task(recorder.record(Source(), 100, kept))
        while len(on_flash) < 6:
            await asyncio.sleep(0)
        task.cancel()

    try:
        punctual.run(ticker, main())
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)
    assert on_flash[:6] == [1, 2, 3, 4, 5, 6], "the names, and a line each"


def test_who_wants_no_lines_takes_the_windows():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    seen = []

    def keep(deltas, elapsed):
        seen.append((list(deltas), elapsed >= 1))

    asyncio.run(recorder.record(Source(), 5, count=2, keep=keep))
    assert seen == [([0, 0], True)] * 2


def test_a_window_of_which_the_source_lost_some_is_marked():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    source = Source()
    seen = []

    def keep(deltas, elapsed):
        seen.append(elapsed > 0)
        source.lost = 3 * (len(seen) == 1)  # packets that the kernel dropped, in the second

    asyncio.run(recorder.record(source, 5, count=3, keep=keep))
    assert seen == [True, False, True]


def test_a_count_of_boots_that_was_not_written_whole_leaves_the_former():
    """A power cut while the file is empty: the boots must not begin at 1 again,
    for `inlier record --ring` would take what follows for what it has.
    """
    if missing():
        return missing()
    path = "test_ring"
    try:
        assert [ring.Ring(path).boot for _ in range(2)] == [1, 2]
        with open(path + ".new", "w"):
            pass
        assert ring.Ring(path).boot == 3
    finally:
        for name in os.listdir():
            if name.startswith(path):
                os.remove(name)
