"""What a deployment does in which order, on a board that is a folder: its
scripts run here, and its own self-test is made up.
"""

import contextlib
from dataclasses import replace

import pytest

from board_of_a_folder import BOARD, FACTS, PASSED, Line, There
from inlier_boards.catalogue import EXAMPLES
from inlier_boards.deployment import deploy as deploying
from inlier_boards.deployment import payload
from inlier_boards.deployment.deploy import Deployment
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

DETECTOR = random_detector(1, (8,), ("a", "b", "c"), (0,))
MODEL = pack(replace(DETECTOR, source="sockets"))
FORMER = {"inlier/model.py": b"former", "inlier/gone.py": b"former"}
RUNTIME = {"inlier/model.py": b"new", "inlier/kernels/plain.py": b"new", "inlier/__init__.py": b""}
STAMP = payload.digest(RUNTIME).encode()
EXAMPLE = (EXAMPLES / "main_sockets.py").read_bytes()


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = There(Line(), tmp_path)
    monkeypatch.setattr(deploying, "Connection", lambda port: there.line)
    monkeypatch.setattr(deploying, "identify", there.identify)
    monkeypatch.setattr(deploying, "choose", there.choose)
    monkeypatch.setattr(deploying.selftest, "run", there.self_test)

    def runtime(facts, board, say):
        say("mpy-cross")
        return dict(RUNTIME)

    monkeypatch.setattr(payload, "runtime", runtime)
    return there


def installed(**others):
    """What a whole deployment leaves."""
    return {
        **{f"lib/{name}": content for name, content in RUNTIME.items()},
        "lib/inlier/deployed": STAMP,
        "model.inlier": MODEL,
        **others,
    }


def test_all_is_copied_beside_what_runs_tested_there_and_then_put_in_its_place(there):
    there.put({f"lib/{name}": content for name, content in FORMER.items()})
    there.put({"model.inlier": b"former"})
    done = there.deploy(MODEL)
    assert there.holds() == installed(**{"main.py": EXAMPLE})
    moves = [("model.inlier", "model.inlier"), ("main.py", "main.py")]
    activate = f"activate('lib/.inlier', [('inlier', 'lib/inlier')], {moves})"
    assert there.line.said == [
        "connect port True",  # with an empty heap
        "remove('lib/.inlier')",
        "make_folder('lib')",
        "make_folder('lib/.inlier')",
        "make_folder('lib/.inlier/inlier')",
        "make_folder('lib/.inlier/inlier/kernels')",
        "self-test",
        activate,
        "restart",
        "close",
    ]
    assert there.line.limits[activate] == 120, "half a hundred files take a while to remove"
    assert there.asked == [("self-test", "lib/.inlier", "lib/.inlier/model.inlier")]
    names = [*RUNTIME, "inlier/deployed", "model.inlier", "main.py"]
    size = sum(map(len, (*RUNTIME.values(), STAMP, MODEL, EXAMPLE)))
    assert done == Deployment("port", BOARD, FACTS, names, size, "copied", PASSED)
    assert done.summary() == {
        "port": "port", "board": "pico_w", "machine": "Pico", "micropython": "1.25.0",
        "free_bytes": 800_000, "files": 6, "bytes": size, "main": "copied",
        "self_test": {"kernel": "plain", "windows": 20, "heap_bytes": 9000, "instructions": None,
                      "ms": 1.5},
    }  # fmt: skip


def test_how_far_it_is_is_told_in_bytes_of_all_that_is_copied(there):
    there.deploy(MODEL)
    copying = [told[1:] for told in there.told if told[0] == "copying"]
    sizes = [3, 3, 0, len(STAMP), len(MODEL), len(EXAMPLE)]
    expected, before = [], 0
    for size in sizes:
        expected += [(before + size // 2, sum(sizes)), (before + size, sum(sizes))]
        before += size
    assert copying == expected
    assert there.told[0] == ("mpy-cross", 0, 0), "a compiler that is built first takes long"


def test_a_runtime_that_is_there_is_not_copied_again(there):
    there.deploy(MODEL)
    there.line.said.clear()
    there.asked.clear()
    other = pack(replace(DETECTOR, source="sockets", number=9))
    done = there.deploy(other)
    assert done.copied == ["model.inlier"] and done.main == "same"
    assert there.asked == [("self-test", "", "lib/.inlier/model.inlier")], "the one in use"
    assert there.line.said[-3:-1] == [
        "activate('lib/.inlier', [], [('model.inlier', 'model.inlier')])", "restart"
    ]  # fmt: skip
    assert there.holds() == installed(**{"main.py": EXAMPLE, "model.inlier": other})


@pytest.mark.parametrize("stamp", [b"", b"another", STAMP[:-1]])
def test_another_runtime_is_replaced_with_all_its_files(there, stamp):
    there.put({"lib/inlier/deployed": stamp, "lib/inlier/gone.py": b"former"})
    there.deploy(MODEL)
    assert there.holds() == installed(**{"main.py": EXAMPLE})


def test_a_runtime_within_the_firmware_needs_no_copy(there):
    there.facts = replace(FACTS, frozen="1.0")
    assert there.deploy(MODEL).copied == ["model.inlier", "main.py"]
    assert there.asked == [("self-test", "", "lib/.inlier/model.inlier")]
    assert there.holds() == {"model.inlier": MODEL, "main.py": EXAMPLE}


@pytest.mark.parametrize(
    ("mine", "replaced", "main", "left"),
    [
        (EXAMPLE, True, "same", EXAMPLE),
        (b"print('mine')", True, "copied", EXAMPLE),
        (b"print('mine')", False, "kept", b"print('mine')"),
    ],
    ids=["same", "replaced", "kept"],
)
def test_a_main_py_of_one_s_own_is_replaced_only_when_told_so(there, mine, replaced, main, left):
    there.put({"main.py": mine})
    there.replace_main = replaced
    assert there.deploy(MODEL).main == main and there.holds()["main.py"] == left
    assert (("main", "pico_w") in there.asked) == (main != "same")


def test_the_rest_of_a_copy_that_was_cut_does_not_come_along(there):
    there.put({"lib/.inlier/inlier/renamed.py": b"", "lib/.inlier/model.inlier": b"cut"})
    (there.flash / "lib/.inlier/model.inlier").chmod(0o755)  # a file all the same
    there.deploy(MODEL)
    assert there.holds() == installed(**{"main.py": EXAMPLE})


@pytest.mark.parametrize("at", ["self-test", "copying"])
@pytest.mark.parametrize("error", [BadInput("odd"), Interrupted("Ctrl-C"), KeyboardInterrupt()])
def test_what_goes_wrong_before_the_end_leaves_what_ran(there, at, error):
    before = {"model.inlier": b"former", "lib/inlier/model.py": b"former"}
    there.put(before)

    def progress(now, done, of):
        if now == at and done > of // 2:
            raise error

    there._bars = lambda: contextlib.nullcontext(progress)
    with pytest.raises(type(error)) as raised:
        there.deploy(MODEL)
    assert raised.value is error and there.holds() == before
    assert there.line.said[-4:] == ["interrupt", "remove('lib/.inlier')", "restart", "close"]


def test_a_line_that_is_gone_hides_not_what_went_wrong(there):
    def gone():
        raise BadInput("it was unplugged")

    there.line.interrupt = there.line.restart = gone
    deploying.selftest.run = lambda *_: (_ for _ in ()).throw(BadInput("self-test"))
    with pytest.raises(BadInput, match="^self-test$"):
        there.deploy(MODEL)
    assert there.line.said[-1] == "close"


def test_a_board_that_does_not_answer_is_let_go(there):
    def connect(port, soft_reset):
        raise BadInput("nothing there")

    there.line.connect = connect
    with pytest.raises(BadInput, match="nothing there"):
        there.deploy(MODEL)
    assert there.line.said == ["close"], "what was not reached is not begun again"


def test_without_a_port_it_is_found_and_without_a_name_the_board_says_which_it_is(
    there, monkeypatch
):
    monkeypatch.setattr(deploying, "find_port", lambda: "found")
    there.deploy(MODEL, port=None, name=None)
    assert there.line.said[0] == "connect found True"


def test_a_name_of_no_board_is_refused_before_one_is_looked_for(there, monkeypatch):
    monkeypatch.setattr(deploying, "find_port", None)
    with pytest.raises(BadInput, match="no board 'pony': choose one of "):
        there.deploy(MODEL, port=None, name="pony")
    assert not there.line.said


@pytest.mark.parametrize("short", [0, 1])
def test_the_copy_must_fit_beside_what_is_there(there, short):
    """Five files of a block and an empty one, three folders of two."""
    need = (5 + 3 * 2) * 4096
    there.facts = replace(FACTS, free_bytes=need - short)
    there.put({"lib/inlier/deployed": b"another"})
    if not short:
        assert there.deploy(MODEL).copied_bytes < need
        return
    before = there.holds()
    with pytest.raises(BadInput, match=f"pico_w: {need} bytes of flash .* {need - 1} are free"):
        there.deploy(MODEL)
    assert there.holds() == before and "make_folder('lib')" not in there.line.said


def test_the_rest_of_a_former_copy_takes_no_space(there):
    """As long as it is there nothing is free, as There.identify has it."""
    there.put({"lib/.inlier/rest": b""})
    assert there.deploy(MODEL).main == "copied"


@pytest.mark.parametrize(
    ("source", "counts", "replay", "example", "why"),
    [
        ("sockets", "sockets", None, "sockets", None),
        ("replay", "sockets", None, "replay", None),
        ("sockets", "replay", b"a\n1\n", "replay", None),
        ("replay", "replay", None, "replay", None),
        ("sockets", "procfs", None, "", "is for source 'sockets', pico_w counts 'procfs': train"),
        ("sockets", "sockets", b"a\n1\n", "", "--replay: pico_w has traffic of its own to count"),
    ],
)
def test_a_model_runs_where_its_source_counts_or_windows_are_replayed(
    there, source, counts, replay, example, why
):
    there.board = replace(BOARD, source=counts)
    blob = pack(replace(DETECTOR, source=source))
    if why:
        with pytest.raises(BadInput, match=why):
            there.deploy(blob, replay)
        assert there.holds() == {} and there.line.said[-2:] == ["restart", "close"]
        return
    assert there.deploy(blob, replay).main == "copied"
    found = there.holds()
    assert found["main.py"] == (EXAMPLES / f"main_{example}.py").read_bytes()
    assert found.get("windows.csv") == replay and found["model.inlier"] == blob


def test_a_model_that_leaves_the_application_too_little_is_not_copied(there):
    there.board = replace(BOARD, heap_bytes=1000)
    with pytest.raises(BadInput, match="bytes of heap, pico_w has 250 for it"):
        there.deploy(MODEL)
    assert there.holds() == {}


def test_what_is_read_back_otherwise_was_not_sent(there, monkeypatch):
    """Whichever file it is."""
    for name in (*RUNTIME, "inlier/deployed", "model.inlier", "main.py"):
        write = Line.write

        def damaged(line, path, content, progress, name=name, write=write):
            write(
                line, path, content + b"?" if path == f"lib/.inlier/{name}" else content, progress
            )

        with monkeypatch.context() as patch:
            patch.setattr(Line, "write", damaged)
            with pytest.raises(BadInput, match=f"port: {name} is not on the board as it was sent"):
                there.deploy(MODEL)
        assert there.holds() == {}, name
