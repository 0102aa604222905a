"""A queue in order, of a bounded length, that loses scores before alarms."""

from inlier.sinks.outbox import Outbox


def put(box, *names):
    """Scores and, in capitals, alarms."""
    for name in names:
        box.put("t/" + name, name, True, int(name[0].isupper()))


def names(box):
    """What waits, in order; taken out."""
    taken = []
    while len(box):
        entry = box.first()
        taken.append(entry[1])
        box.remove(entry)
    return taken


def test_a_full_queue_drops_the_oldest_score_before_any_alarm():
    for had, new, kept, dropped, lost in (
        (("s1", "A1", "s2"), "A2", ["s1", "A1", "s2", "A2"], 0, 0),  # there is room
        (("s1", "A1", "s2", "A2"), "A3", ["A1", "s2", "A2", "A3"], 1, 0),
        (("A1", "s1", "s2", "A2"), "s3", ["A1", "s2", "A2", "s3"], 1, 0),
        (("A1", "A2", "A3", "s1"), "A4", ["A1", "A2", "A3", "A4"], 1, 0),
        (("A1", "A2", "A3", "A4"), "s1", ["A1", "A2", "A3", "A4"], 1, 0),
        (("A1", "A2", "A3", "A4"), "A5", ["A2", "A3", "A4", "A5"], 0, 1),
    ):
        box = Outbox(4)
        put(box, *had)
        put(box, new)
        assert (box.dropped, box.lost) == (dropped, lost), new
        assert names(box) == kept, new
    box = Outbox(1)
    put(box, "A1", "A2", "A3", "s1", "s2")
    assert (box.dropped, box.lost) == (2, 2) and names(box) == ["A3"], "each is counted"


def test_unless_told_otherwise_32_wait():
    box = Outbox()
    put(box, *["A"] * 33)
    assert len(box) == 32 and box.lost == 1


def test_an_entry_keeps_what_it_was_put_with_until_it_is_delivered():
    box = Outbox()
    assert box.first() is None and len(box) == 0
    box.put("topic", b"payload", False, 1)
    box.put("topic", b"payload", False, 1)
    put(box, "s1")
    assert box.first() == ("topic", b"payload", False, 1) and box.holds("topic")
    assert box.holds("t/s1") and not box.holds("t")
    first = box.first()
    box.remove(first)
    assert len(box) == 2 and box.first() is not first, "an equal one is another"
    box.remove(first)  # it was dropped meanwhile
    assert names(box) == [b"payload", "s1"] and not box.holds("topic")
