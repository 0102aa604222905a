"""Windows as lines: exact, sealed, with the names again and again, kept in a
ring.
"""

import sys

from golden import folder

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
    windows.window((0, 0))
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
        "~w 7 2 1 0,0 *a26c2ebf",
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


def test_windows_are_recorded_in_a_ring_whole_to_the_last_and_go_on_after_a_restart():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    path = folder() + "/w"
    for count in (2, 1):
        asyncio.run(recorder.record(Source(), 5, ring.Ring(path), count))
    with open(path + ".0") as f:
        lines = f.read().split("\n")
    boots = [text.split(" ")[:3] for text in lines if text.startswith("~w")]
    assert boots == [["~w", "1", "0"], ["~w", "1", "1"], ["~w", "2", "0"]]
    assert lines[-1] == "" and all(
        line.seal(text.rpartition(" *")[0]) == text for text in lines[:-1]
    )


def test_without_a_count_it_records_without_end_and_each_window_is_in_the_ring_at_once():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    from inlier import ticker

    path = folder() + "/w"
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

    punctual.run(ticker, main())
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
