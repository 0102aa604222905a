"""The power fails at every write of a littlefs on a made-up flash, under
MicroPython: what is there afterwards. test_rp2040_cuts.py does the same to the
flash of a Pico.

power_cuts.py KIND MODEL OTHER, two model files; prints how many writes an
operation took, and what was wrong after a cut at one of them.
"""

import errno
import os
import sys

from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.ring import Ring
from inlier.secure.slots import Slots
from inlier.secure.state import Keeper
from inlier.sinks.log import Log

BLOCK_BYTES = 4096
BLOCKS = 48


class Flash:
    """A block device in RAM. left: writes until the power fails, in the middle
    of one; -1: it does not.
    """

    def __init__(self, content=None):
        self.content = content or bytearray(b"\xff" * (BLOCK_BYTES * BLOCKS))
        self.left = -1
        self.writes = 0

    def readblocks(self, block, buffer, offset=0):
        at = BLOCK_BYTES * block + offset
        buffer[:] = self.content[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = BLOCK_BYTES * block + offset
        self._change(at, buffer)

    def ioctl(self, op, argument):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK_BYTES
        if op == 6:  # erase
            self._change(BLOCK_BYTES * argument, b"\xff" * BLOCK_BYTES)
        return 0

    def _change(self, at, content):
        self.writes += 1
        if self.left == 0:
            half = len(content) // 2
            self.content[at : at + half] = content[:half]
            self.left = -2
        if self.left == -2:
            raise OSError(errno.EIO)
        if self.left > 0:
            self.left -= 1
        self.content[at : at + len(content)] = content


def boot(flash):
    """What a reset does: the file system as it lies there."""
    try:
        os.umount("/cut")
    except OSError:
        pass
    os.mount(os.VfsLfs2(flash), "/cut")
    os.chdir("/cut")


class Silent:
    bits = 30
    exact = False

    def __init__(self, model):
        self.name = model.source
        self.counters = model.counters()

    def read(self, values):
        pass


def blob(path):
    with open(path, "rb") as f:
        return f.read()


class Update:
    """A model's update through the slots: always a valid model."""

    def __init__(self, one, other):
        self.one, self.other = one, other

    def prepare(self):
        os.mkdir("models")
        Slots(None).update("models", self.one)
        Slots(None).update("models", self.one)

    def run(self):
        Slots(None).update("models", self.other)

    def check(self, whole):
        updated = Slots(None).load("models").warmup == Model(self.other).warmup
        return updated >= whole


class State:
    """What is kept over a reboot: the former state or the new one."""

    def __init__(self, one, other):
        self.pipeline = Pipeline(Model(one), Silent(Model(one)))

    def at(self, index):
        self.pipeline.index = index
        Keeper("state", b"k").save(self.pipeline)

    def prepare(self):
        self.at(1)
        self.at(2)

    def run(self):
        self.at(3)

    def check(self, whole):
        return Keeper("state", b"k").restore(self.pipeline) and self.pipeline.index in (
            (3,) if whole else (2, 3)
        )


class Rows:
    """The ring of windows: at most the lines in flight are lost."""

    LINES = 40

    def __init__(self, one, other):
        pass

    def prepare(self):
        self.write(0)

    def run(self):
        self.write(self.LINES)

    def write(self, start):
        ring = Ring("rows", segments=3, segment_bytes=1024, flush_bytes=256)
        for i in range(start, start + self.LINES):
            ring.write("line %d %s" % (i, "-" * 20))
        ring.flush()

    def check(self, whole):
        ring = Ring("rows", segments=3, segment_bytes=1024, flush_bytes=256)  # it can go on
        ring.write("after")
        ring.flush()
        kept = []
        for name in sorted(os.listdir()):
            if name.startswith("rows.") and name[5:].isdigit():
                kept += blob(name).decode().split("\n")
        numbers = [
            int(line.split()[1]) for line in kept if line.startswith("line ") and "-" in line
        ]
        last = numbers[-1] if numbers else -1
        return (
            numbers == list(range(numbers[0], last + 1))
            and last >= (2 * self.LINES if whole else self.LINES) - 1
            and len(numbers) >= min(last + 1, 2 * 1024 // 32)  # two of three segments
        )


class Alarms:
    """The log of alarms: the former lines, whole."""

    def __init__(self, one, other):
        pass

    def prepare(self):
        self.write(0)

    def write(self, start):
        log = Log("alarms", max_bytes=1024)
        for i in range(start, start + 12):
            log.tell({"i": i, "text": "-" * 40})
            if log.problem:
                raise log.problem

    def run(self):
        self.write(12)

    def check(self, whole):
        numbers = [event["i"] for event in Log("alarms", max_bytes=1024).lines()]
        last = numbers[-1] if numbers else -1
        # half of max_bytes, by lines of 62 bytes, are never given away
        kept = last >= (23 if whole else 11) and len(numbers) >= 7
        return kept and numbers == list(range(numbers[0], last + 1))


class Install:
    """A runtime's upgrade, with its model: one that imports, at every moment."""

    def __init__(self, one, other):
        import install

        self.install = install

    def put(self, path, text):
        with open(path, "w") as f:
            f.write(text)

    def prepare(self):
        for folder in ("lib", "lib/part", "lib/.stage", "lib/.stage/part"):
            os.mkdir(folder)
        for place, text in (("lib/part", "former"), ("lib/.stage/part", "new")):
            self.put(place + "/__init__.py", "what = '%s'" % text)
            self.put(place + "/other.py", "what = '%s'" % text)
        self.put("model", "former")
        self.put("lib/.stage/model", "new")

    def run(self):
        self.install.activate("lib/.stage", [("part", "lib/part")], [("model", "model")])

    def check(self, whole):
        for name in ("part", "part.other"):
            sys.modules.pop(name, None)
        path = sys.path[:]
        sys.path[:] = ["", "/cut/lib"]
        try:
            part = __import__("part.other")
        finally:
            sys.path[:] = path
        same = part.what == part.other.what
        model = blob("model").decode()
        return same and (model == "former" or part.what == "new") and (model == "new") >= whole


def main(kind, one, other):
    operation = globals()[kind](blob(one), blob(other))
    flash = Flash()
    os.VfsLfs2.mkfs(flash)
    boot(flash)
    operation.prepare()
    before = bytes(flash.content)
    boot(Flash(bytearray(before)))
    if operation.check(True):
        print("wrong: what was before passes for what comes after")
    boot(flash)
    flash.writes = 0
    operation.run()
    writes = flash.writes
    boot(flash)
    if not operation.check(True):
        print("wrong without a cut")
    for cut in range(writes):
        flash = Flash(bytearray(before))
        boot(flash)
        flash.left = cut
        try:
            operation.run()
        except OSError:
            pass
        flash.left = -1
        boot(Flash(bytearray(flash.content)))
        try:
            good = operation.check(False)
        except Exception as error:
            good = False
            print("wrong:", repr(error))
        if not good:
            print("wrong after a cut at write", cut)
    print(writes, "writes")


if __name__ == "__main__":
    main(*sys.argv[1:])
