"""What the source `packets` counts is the same in C and in Python: the sizes of
its memory, and its hash.
"""

import re
from pathlib import Path

from inlier import packet_counters

LWIP = Path(__file__).parents[2] / "firmware/lwip"
HEADER = (LWIP / "packets.h").read_text()


def test_python_s_bitmaps_slots_and_patience_are_those_of_the_c_module():
    said = {name: int(n) for name, n in re.findall(r"#define INLIER_(\w+) (\d+)$", HEADER, re.M)}
    assert len(said) == 5
    assert said == {name: getattr(packet_counters, name) for name in said}


def test_python_s_counters_are_those_of_the_c_module_in_their_order():
    names = re.findall(r"N_(\w+),", (LWIP / "counters.h").read_text())
    assert packet_counters.Packets.counters == tuple(name.lower() for name in names)
    assert len(names) == 18


def test_the_hash_is_a_32_bit_multiplication_folded_once():
    """0x9E3779B1 is the prime next to 2^32 over the golden ratio. Its upper 17
    bits, 0x13C6E, go into the lower ones: 0x79B1 ^ 0x3C6E = 0x45DF, and 0x9E37 ^ 1.
    """
    for word, hashed in ((0, 0), (1, 0x9E3645DF), (2, 0x3C6E8BBF), (0xFFFFFFFF, 0x61C845DE)):
        assert packet_counters.mix(word) == hashed
