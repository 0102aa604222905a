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
    # '%08x' % zlib.crc32(b'~w 7 0 1 1,536870912')
    assert lines == [
        "~w 7 0 1 1,536870912 *4dfa2446",
        "~w 7 1 5 0,3 12 -3 1 1 *a300a4c4",
        "~w 7 2 1 0,0 *a26c2ebf",
    ]


def test_names_come_again_before_every_32nd_window():
    if missing():
        return missing()
    lines = []
    windows = recorder.Recorder(Source, 250, lines.append, 7)
    for _ in range(65):
        windows.window((0, 0))
    kinds = [text[:2] for text in lines]
    assert kinds == (["~b"] + ["~w"] * 32) * 2 + ["~b", "~w"]


def test_a_window_that_was_scored_says_what_of_it():
    if missing():
        return missing()
    lines = []

    class Scored:
        deltas = (3, 4)
        ae, svm, hot, event = 5, -6, True, 1

    recorder.Recorder(Source, 250, lines.append, 7).scored(Scored)
    assert lines[1].startswith("~w 7 0 1 3,4 5 -6 1 1 *")


def standing_in(name, module, call):
    """What `call` gives while `module` stands for the module of that name;
    None: there is none.
    """
    former = sys.modules.get(name)
    sys.modules[name] = module
    try:
        return call()
    finally:
        del sys.modules[name]
        if former is not None:
            sys.modules[name] = former


def test_a_clock_that_nobody_has_set_is_none():
    """A board's begins in 2000 or 2021."""
    if missing():
        return missing()
    for year, said in ((2000, "-"), (2024, "-"), (2025, "2025-02-03T04:05:06Z")):

        class Time:
            gmtime = staticmethod(lambda year=year: (year, 2, 3, 4, 5, 6, 0, 34))

        assert standing_in("time", Time, recorder.clock) == said

    class Bare:
        pass

    assert standing_in("time", Bare, recorder.clock) == "-", "no clock at all"


class Os:
    """Stands in for the module, of which a bare board lacks most."""

    def __init__(self, **has):
        for name, value in has.items():
            setattr(self, name, value)


def with_os(module, call):
    former = recorder.os
    recorder.os = module
    try:
        return call()
    finally:
        recorder.os = former


def test_a_board_is_known_by_its_number_a_computer_by_its_name():
    if missing():
        return missing()

    class Machine:
        unique_id = staticmethod(lambda: b"\x0a\xff\x00")

    class Qemu:
        pass

    assert standing_in("machine", Machine, recorder.device) == "0aff00"
    computer = Os(uname=lambda: ("Linux", "bell", "6.1"))
    for module, said in ((computer, "bell"), (Os(), "-")):
        assert with_os(module, lambda: standing_in("machine", Qemu, recorder.device)) == said


def boot_of(module, *given):
    """The boot's number in a window's line."""
    lines = []
    with_os(module, lambda: recorder.Recorder(Source, 250, lines.append, *given)).window((0, 0))
    return lines[1].split(" ")[1]


def test_a_boot_has_another_number_where_there_is_chance_and_0_where_there_is_none():
    if missing():
        return missing()
    for drawn, said in ((b"\0\0", "1"), (b"\1\2", "514"), (b"\xff\xff", "65536")):
        chance = Os(urandom=lambda n, drawn=drawn: (drawn + b"\1\1")[:n])
        assert boot_of(chance) == said
        assert boot_of(chance, 0) == "0" and boot_of(chance, 7) == "7", "or the one it is given"
    assert boot_of(Os()) == "0"


def test_the_firmware_is_interpreter_and_runtime_by_their_versions():
    if missing():
        return missing()
    import inlier

    name, version = sys.implementation.name, sys.implementation.version
    said = name + "-" + ".".join([str(part) for part in version[:3]])
    assert recorder.firmware() == said + ",inlier-" + inlier.__version__


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


def test_without_a_ring_windows_are_printed():
    if missing() or asyncio is None:
        return missing() or "needs asyncio"
    if sys.implementation.name == "micropython":
        asyncio.run(recorder.record(Source(), 5, count=1))
        return None  # its output can't be looked at
    from contextlib import redirect_stdout
    from io import StringIO

    with redirect_stdout(StringIO()) as printed:
        asyncio.run(recorder.record(Source(), 5, count=2))
    assert [text[:2] for text in printed.getvalue().splitlines()] == ["~b", "~w", "~w"]


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
        seen.append(elapsed)
        source.lost = 3 * (len(seen) == 1)  # packets that the kernel dropped, in the second

    asyncio.run(recorder.record(source, 5, count=3, keep=keep))
    assert seen[1] == 0 and min(seen[0], seen[2]) >= 1
