"""What the source `packets` counts is the same in C and in Python: the sizes of
its memory, and its hash. And what counts it here.
"""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from inlier import packet_counters, packets, packets_linux

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
    bits, 0x13C6E, go into the lower ones: 0x79B1 ^ 0x3C6E = 0x45DF, and 0x9E37
    ^ 1.
    """
    for word, hashed in ((0, 0), (1, 0x9E3645DF), (2, 0x3C6E8BBF), (0xFFFFFFFF, 0x61C845DE)):
        assert packet_counters.mix(word) == hashed


def test_the_firmware_s_module_counts_where_there_is_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "_inlier_packets", SimpleNamespace(read="reads"))
    source = packets.source("ignored")
    assert (source.read, source.name, source.bits) == ("reads", "packets", 30)


def test_linux_counts_by_itself_at_the_interface_that_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "_inlier_packets", None)
    monkeypatch.setattr(packets, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(packets_linux, "Linux", lambda interface: ("Linux", interface))
    assert packets.source() == ("Linux", None) and packets.source("wlan0") == ("Linux", "wlan0")


def test_a_firmware_without_the_module_says_what_to_build(monkeypatch):
    monkeypatch.setattr(packets, "sys", SimpleNamespace(platform="rp2"))
    with pytest.raises(ImportError, match="USER_C_MODULES") as said:
        packets.source()
    assert "docs/lwip.md" in str(said.value) and (LWIP / "../../docs/lwip.md").exists()
