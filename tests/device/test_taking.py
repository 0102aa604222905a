"""A model that is offered: what is fetched at all, what becomes of it, and what
is not tried twice.
"""

import json
import os

from golden import folder

from inlier.model import ModelError

try:
    from inlier.sinks.taking import Taking
except ImportError as error:
    if "inlier.sinks" in str(error):  # a bare board
        raise
    Taking = None  # a MicroPython without hashlib


class Slots:
    """Stands for two slots in which model 4 runs."""

    def __init__(self, fault=None):
        self.fault = fault
        self.asked = []

    def number(self, *asked):
        self.asked.append(asked)
        if self.fault:
            raise self.fault
        return 4

    def update(self, *asked):
        self.asked.append(asked)
        if self.fault:
            raise self.fault


class Source:
    name = "sockets"
    counters = ("a", "b")


def offer(**changed):
    told = {"number": 5, "type": "bell", "bytes": 300, "chunks": 2}
    told.update(changed)
    return json.dumps(told)


def test_an_offer_that_can_be_one_is_fetched():
    if Taking is None:
        return "needs hashlib"
    taking = Taking(Slots(), "models", Source)
    for told, expected in (
        (offer(), (5, "bell", 300, b"", 2)),
        (offer().encode(), (5, "bell", 300, b"", 2)),
        (offer(number=3), (3, "bell", 300, b"", 2)),  # an older one: the slots refuse it
        (offer(bytes=1), (5, "bell", 1, b"", 2)),
        (offer(bytes=16384), (5, "bell", 16384, b"", 2)),
        (offer(type="aZz-09_A."), (5, "aZz-09_A.", 300, b"", 2)),
        (offer(limits="00fF"), (5, "bell", 300, b"\x00\xff", 2)),
        (offer(number=0, chunks="7"), (0, "bell", 300, b"", 7)),
    ):
        assert taking.wanted(told) == expected, told


def test_what_is_no_offer_or_of_a_model_that_runs_is_not():
    if Taking is None:
        return "needs hashlib"
    taking = Taking(Slots(), "models", Source)
    for told in (
        None, bytearray(), "", "[]", "{}", "5", "[" * 2000, b"\xff", offer(number=4),
        offer(number=-1),
        offer(bytes=0), offer(bytes=-1), offer(bytes=16385), offer(number=None), offer(number="x"),
        offer().replace("5", "1e999"), offer(type="+"), offer(type="a/b"), offer(type="a#"),
        offer(type="a b"), offer(type="\u00e9"), offer(type="{"), offer(type=7),
        offer(type=["b", "e"]), offer(type=None), offer(limits="xy"), offer(limits="0"),
        offer(limits=5), offer(chunks=[]),
    ):  # fmt: skip
        assert taking.wanted(told) is None, told


def test_the_number_is_of_the_model_that_runs_for_this_source_or_minus_one():
    if Taking is None:
        return "needs hashlib"
    slots = Slots()
    taking = Taking(slots, "models", Source)
    assert taking.number() == 4 and slots.asked == [("models", "sockets", ("a", "b"))]
    slots.fault = ModelError("there is none")
    assert taking.number() == -1


def test_a_model_is_installed_and_then_its_limits_kept():
    if Taking is None:
        return "needs hashlib"
    place = folder()
    for path, limits, kept in (
        (None, b"limits", []),
        (place + "/limits", b"", []),
        (place + "/limits", b"limits", ["limits"]),
    ):
        slots = Slots()
        taking = Taking(slots, "models", Source, path)
        assert taking.install(5, bytearray(b"model"), limits) is None
        assert slots.asked == [("models", b"model", "sockets", ("a", "b"))]
        assert os.listdir(place) == kept and taking.tried == -1
    with open(place + "/limits", "rb") as f:
        assert f.read() == b"limits"


def test_what_was_refused_is_not_tried_again():
    if Taking is None:
        return "needs hashlib"
    place = folder()
    for fault, why in (
        (ModelError("altered"), "altered"),
        (OSError("full"), "full"),
        (MemoryError(), "no memory"),
    ):
        slots = Slots(fault)
        taking = Taking(slots, "models", Source, place + "/limits")
        assert taking.install(5, b"model", b"limits") == why
        assert taking.tried == 5 and os.listdir(place) == []
        slots.fault = None
        assert taking.wanted(offer()) is None and taking.wanted(offer(number=6))
