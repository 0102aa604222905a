"""inlier export and verify: what they sign is what the device checks; what is
wrong is told in one sentence, exit 2.
"""

import hmac
import json
from pathlib import Path

import pytest

from inlier.model import ModelError
from inlier.secure import authentic
from inlier_export.model_file import pack, python_module, unpack
from test_cli import refused

GOLDEN = Path(__file__).parents[1] / "golden/model.inlier"
KEY = bytes(range(32))


@pytest.fixture
def key(tmp_path, monkeypatch):
    monkeypatch.delenv("INLIER_KEY", raising=False)
    path = tmp_path / "fleet.key"
    path.write_text(KEY.hex() + "\n")
    return path


def test_hmac_is_the_standard_library_s():
    for size in (0, 1, 63, 64, 65, 1000):
        for key in (b"", KEY, bytes(200)):
            assert authentic.hmac_sha256(key, bytes(size)) == hmac.digest(
                key, bytes(size), "sha256"
            )


def test_a_signed_model_is_the_same_detector():
    detector = unpack(GOLDEN.read_bytes())
    detector.number = 5
    signed = pack(detector, KEY)
    authentic.Authentic(KEY).check(signed, 5)
    assert pack(unpack(signed)) == pack(detector) and len(signed) == len(pack(detector)) + 32


def test_metadata_that_is_no_json_is_a_model_error():
    blob = bytearray(GOLDEN.read_bytes())
    at = blob.rindex(b'{"seed')
    blob[at] = ord("[")
    blob[-4:] = __import__("zlib").crc32(blob[:-4]).to_bytes(4, "little")
    with pytest.raises(ModelError, match="no JSON"):
        unpack(bytes(blob))


def test_export_then_verify(inlier, key, tmp_path):
    out, module = tmp_path / "signed.inlier", tmp_path / "model.py"
    code, text, _ = inlier(
        "export", GOLDEN, "-o", out, "--key", key, "--number", 9, "--module", module, "--json"
    )
    assert code == 0 and json.loads(text)["number"] == 9
    assert module.read_text() == python_module(out.read_bytes())
    code, text, _ = inlier("verify", out, "--key", key, "--at-least", 9, "--json")
    found = json.loads(text)
    assert code == 0 and found["signed"] and found["signature_checked"] and found["number"] == 9
    refused(inlier("verify", out, "--key", key, "--at-least", 10), "number 9 is older than 10")
    key.write_text("00" * 32)
    refused(inlier("verify", out, "--key", key), "not signed with this key, or was altered")


def test_numbers_grow_by_themselves(inlier, key, tmp_path):
    for _ in range(2):
        inlier("export", GOLDEN, "-o", tmp_path / "m", "--key", key)
    assert authentic.number((tmp_path / "m").read_bytes()) > 1_700_000_000, "seconds since 1970"


def test_the_key_may_stand_in_the_environment(inlier, monkeypatch, tmp_path):
    monkeypatch.setenv("INLIER_KEY", KEY.hex())
    assert inlier("export", GOLDEN, "-o", tmp_path / "m")[0] == 0
    authentic.Authentic(KEY).check((tmp_path / "m").read_bytes())


def test_without_a_key_nothing_is_signed_or_called_authentic(inlier, key, tmp_path):
    refused(inlier("export", GOLDEN, "-o", tmp_path / "m"), "no key: give --key or set INLIER_KEY")
    refused(
        inlier("verify", GOLDEN), "no key: give --key or set INLIER_KEY, or say --allow-unsigned"
    )
    refused(inlier("verify", GOLDEN, "--key", key), "model is not signed; export it with --key")
    code, text, _ = inlier("verify", GOLDEN, "--allow-unsigned")
    assert code == 0 and "NOT SIGNED" in text and not (tmp_path / "m").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"00" * 31])
def test_a_bad_key_file_is_told_without_its_content(inlier, key, tmp_path, content):
    key.write_bytes(content)
    refused(
        inlier("export", GOLDEN, "-o", tmp_path / "m", "--key", key),
        "make a key with 'openssl rand -hex 32'",
    )
    refused(
        inlier("export", GOLDEN, "-o", tmp_path / "m", "--key", tmp_path / "none"), "No such file"
    )


def test_what_is_no_model_is_refused(inlier, key, tmp_path):
    for content in (b"", b"INLR", bytes(100)):
        (tmp_path / "bad").write_bytes(content)
        refused(
            inlier("export", tmp_path / "bad", "-o", tmp_path / "m", "--key", key), "inlier model"
        )
        refused(inlier("verify", tmp_path / "bad", "--key", key), "inlier model")
