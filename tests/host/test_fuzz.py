"""Whatever is read from outside is taken within bounds or refused by the error
that the command line knows, never else.
"""

import contextlib
import gzip
import io
import json
from array import array
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fuzz
from inlier.counters import DELTA_MAX
from inlier.kernels import plain
from inlier.model import Model, ModelError, crc32
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.secure import authentic, keys, record, slots, state
from inlier_export import model_file as files
from inlier_export.errors import BadInput
from inlier_host import options
from inlier_host.commands import evaluate as cli_evaluate
from inlier_host.commands import report as cli_report
from inlier_host.commands import train_options
from inlier_host.report import subject
from inlier_trainer import added, recordings, threshold
from inlier_trainer.pcap import count
from inlier_trainer.pcap.packets import decode
from inlier_trainer.pcap.reader import Broken, chunks
from test_pcap import DEVICE, pcap, pcapng, talk

GOLDEN = (Path(__file__).parents[1] / "golden/model.inlier").read_bytes()
KEY = bytes(range(32))
SIGNED = files.pack(files.unpack(GOLDEN), KEY)
COUNTERS = ("a", "b", "c")
CSV = b"a,b,c\n1,2,3\n0,0,1073741823\n12,3456,7\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def scores_stay_in_bounds(model):
    pipeline = Pipeline(model, Replay((), model.counters()), plain)
    for level in (0, 1, DELTA_MAX):
        pipeline.score(array("i", [level] * len(model.counters())))
        assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30
    pipeline.explain()


@fuzz.examples
@given(fuzz.mutations(GOLDEN), st.booleans())
def test_model(content, mended):
    if mended and len(content) > 48:
        content = content[:8] + len(content).to_bytes(4, "little") + content[12:-4]
        content += crc32(content).to_bytes(4, "little")
    try:
        model = Model(content)
    except ModelError:
        return
    scores_stay_in_bounds(model)
    with contextlib.suppress(ModelError):  # metadata that is no JSON: the runtime never looks at it
        files.unpack(content)


@fuzz.examples
@given(fuzz.mutations(SIGNED))
def test_a_signed_model_is_the_maker_s_or_refused(content):
    if content == SIGNED:
        return
    with pytest.raises(ModelError):
        authentic.Authentic(KEY).check(content)


@fuzz.examples
@given(fuzz.mutations(CSV, CSV.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + CSV))
def test_windows_csv(place, content):
    path = place / "w.csv"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        rows = recordings.read(path, COUNTERS).windows
        assert rows.shape[1] == 3 and rows.dtype == np.int64 and (rows >= 0).all()


def parquet():
    out = io.BytesIO()
    pl.DataFrame({name: [1, 2, 3] for name in COUNTERS}).write_parquet(out)
    return out.getvalue()


@fuzz.examples
@given(fuzz.mutations(parquet()))
def test_windows_parquet(place, content):
    path = place / "w.parquet"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        rows = recordings.read(path, COUNTERS).windows
        assert rows.shape[1] == 3 and (rows >= 0).all()


@fuzz.examples
@given(fuzz.mutations(CSV))
def test_a_replay_on_the_device(content):
    text = content.decode("latin-1")
    with contextlib.suppress(ValueError):  # says which row
        source = Replay(io.StringIO(text))
        values = [0] * len(source.counters)
        while source.advance():
            source.read(values)
            assert min(values) >= 0


CAPTURES = [
    pcap(talk()),
    pcap(talk(113), 113, ">", nano=True),
    pcap(talk(127), 127),
    pcapng(talk()),
    pcapng(talk(), ">"),
]


@fuzz.examples
@given(fuzz.mutations(*CAPTURES, *(gzip.compress(capture, mtime=0) for capture in CAPTURES)))
def test_captures(place, content):
    path = place / "capture"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        counted = count.count(path, DEVICE, 3_600_000)
        assert (counted.windows >= 0).all() and len(counted.windows) == len(counted.seen)
    with contextlib.suppress(BadInput, Broken):
        for chunk in chunks(path):
            assert (chunk.at + chunk.captured <= len(chunk.data)).all()
            decode(chunk)


@fuzz.examples
@given(
    st.one_of(
        fuzz.mutations(KEY.hex().encode()).map(lambda b: b.decode("latin-1")), st.text(max_size=80)
    )
)
def test_keys(text):
    with contextlib.suppress(keys.KeyFault):
        assert len(keys.parse(text, "here")) == keys.KEY_BYTES


@pytest.mark.slow
@fuzz.fewer
@given(st.data())
def test_what_the_slots_keep(place, data):
    """Files of a folder, each mutated or not: the model that runs is one that
    the maker signed, or there is none.
    """
    folder = place / "slots"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    models = slots.Slots(authentic.Authentic(KEY), KEY)
    newer = files.pack(files.unpack(SIGNED), KEY)
    models.update(str(folder), SIGNED)
    models.update(str(folder), newer)
    for path in sorted(folder.iterdir()):
        if data.draw(st.booleans()):
            path.write_bytes(data.draw(fuzz.mutations(path.read_bytes())))
    with contextlib.suppress(ModelError):
        models.load(str(folder))
        assert SIGNED in [record.read_file(str(folder / f"slot.{i}")) for i in (0, 1)]
    with contextlib.suppress(ModelError):
        models.update(str(folder), newer)
        assert models.load(str(folder)).source == "replay", (
            "a folder in any state takes a good model"
        )


def saved_state(place):
    model = Model(GOLDEN)
    pipeline = Pipeline(model, Replay((), model.counters()))
    pipeline.score(array("i", [99] * len(model.counters())))
    state.Keeper(str(place / "saved"), b"").save(pipeline)
    return record.Record(str(place / "saved"), b"", b"INLT").read()


@fuzz.fewer
@given(st.data())
def test_state_that_an_attacker_sealed(place, data):
    """Without a key the seal is a checksum that anybody can make: what it holds
    is still checked.
    """
    payload = data.draw(fuzz.mutations(saved_state(place)))
    path = str(place / "forged")
    record.Record(path, b"", b"INLT").write(payload[:60000])
    model = Model(GOLDEN)
    pipeline = Pipeline(model, Replay((), model.counters()))
    state.Keeper(path, b"").restore(pipeline)
    for level in (0, DELTA_MAX) * 3:
        pipeline.score(array("i", [level] * len(model.counters())))
        assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30


@fuzz.examples
@example("¹")  # a digit by its looks, no number
@example("10¹s")
@given(st.one_of(st.text(max_size=20), st.from_regex(r"\A[0-9.,]{0,30}(ms|s|m|/week|/day)?\Z")))
def test_options(text):
    parsers = (
        options.milliseconds,
        train_options.layer_sizes,
        cli_evaluate._capture,
        count.device_address,
        cli_report._attack,
    )
    for parse in parsers:
        with contextlib.suppress(BadInput):
            parse(text)
    for span in (text, f"{text}:{text}"):
        with pytest.raises(BadInput):
            added.marked(f"none.csv@{span}")
        with contextlib.suppress(BadInput):
            cli_report._attack(f"scan={span}")
    with contextlib.suppress(BadInput):
        assert threshold.per_week(text) > 0


STAGES = [
    {"name": "benign", "kind": "benign", "windows": 300},
    {"name": "scan", "kind": "attack", "windows": 9},
]
SUMMARY = json.dumps({"stages": STAGES})


@fuzz.examples
@given(fuzz.mutations(SUMMARY.encode(), SUMMARY.replace("300", "1e999").encode(), b"[" * 5_000))
def test_the_summary_of_a_run(place, content):
    path = place / "run.json"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        for attack in subject._stages(path) or ():
            assert isinstance(attack.end, int)


@pytest.mark.parametrize("metadata", ["[" * 5_000, "7", "{", "null"])
def test_metadata_that_is_no_object_is_refused_on_the_host(metadata):
    at = GOLDEN.rindex(b"\0") + 1
    text = int.from_bytes(GOLDEN[34:36], "little") - (len(GOLDEN) - 4 - at) + len(metadata)
    body = GOLDEN[:34] + text.to_bytes(2, "little") + GOLDEN[36:at] + metadata.encode()
    body = body[:8] + (len(body) + 4).to_bytes(4, "little") + body[12:]
    content = body + crc32(body).to_bytes(4, "little")
    assert Model(content).metadata() == metadata, "the runtime never looks at it"
    with pytest.raises(ModelError, match="metadata"):
        files.unpack(content)
