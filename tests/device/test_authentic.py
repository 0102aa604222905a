"""Only what the key's owner signed is loaded, and nothing older than what ran
before.
"""

import os
from binascii import hexlify, unhexlify

import golden
from golden import KEY, signed

try:
    from inlier.secure import authentic, keys, selftest
except ImportError:  # a MicroPython without hashlib
    authentic = None

from inlier.model import HEADER_BYTES, Model, ModelError


def refused(blob, at_least=0, **options):
    try:
        authentic.Authentic(KEY, **options).check(blob, at_least)
    except ModelError as error:
        return str(error)
    return None


def test_hmac_is_rfc_4231_s():
    if authentic is None:
        return "needs hashlib"
    for key, message, expected in (
        (
            b"\x0b" * 20,
            b"Hi There",
            b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,  # longer than a block: hashed first
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            b"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (  # a block: used as it is. hmac.new(b"\xaa" * 64, b"block", "sha256").hexdigest()
            b"\xaa" * 64,
            b"block",
            b"17fdf183abeadb3f439b70ca7d86f064900bd9e62791d5a5b0e6e3cd8db333b1",
        ),
    ):
        assert hexlify(authentic.hmac_sha256(key, message)) == expected


def test_what_was_signed_loads():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob())
    assert refused(blob) is None and Model(blob).counters() == golden.model().counters()


def test_every_altered_byte_is_refused_by_the_tag_before_anything_is_parsed():
    if authentic is None:
        return "needs hashlib"
    blob = bytearray(signed(golden.blob()))
    for i in range(6, len(blob), 41):  # magic, version and flag have their own refusals
        blob[i] ^= 1 << (i & 7)
        assert "altered" in refused(blob), i
        blob[i] ^= 1 << (i & 7)


def test_the_checksum_does_not_stand_in_for_the_tag():
    if authentic is None:
        return "needs hashlib"
    other = signed(golden.blob(), bytes(32))
    Model(other)  # a fitting checksum, every bound kept
    assert "not signed with this key" in refused(other)


def test_a_tag_taken_off_is_refused_unless_unsigned_models_are_allowed():
    if authentic is None:
        return "needs hashlib"
    blob = golden.blob()
    assert "not signed" in refused(blob)
    assert refused(blob, allow_unsigned=True) is None
    forged = bytearray(signed(blob))
    forged[-1] ^= 1
    assert "altered" in refused(forged, allow_unsigned=True), "a wrong tag is worse than none"


def test_an_older_number_is_refused():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob(), number=7)
    assert refused(blob, 7) is None
    assert "number 7 is older than 8" in refused(blob, 8)


def test_the_first_model_of_all_may_have_the_number_0():
    if authentic is None:
        return "needs hashlib"
    blob = signed(golden.blob(), number=0)
    authentic.Authentic(KEY).check(blob)
    assert "number 0 is older than 1" in refused(blob, 1)


def test_a_tag_makes_no_model_of_what_has_another_magic_or_version():
    if authentic is None:
        return "needs hashlib"
    whole = signed(golden.blob())
    for i, what in ((0, "magic"), (3, "magic"), (4, "version")):
        other = bytearray(whole[: -authentic.TAG_BYTES])
        other[i] ^= 1
        other += authentic.hmac_sha256(KEY, other)
        assert "not an inlier model" in refused(other), what
    least = whole[:HEADER_BYTES] + authentic.hmac_sha256(KEY, whole[:HEADER_BYTES])
    assert refused(least) is None, "header and tag: what is in between is the loader's to check"
    assert "not an inlier model" in refused(least[:-1])


def test_a_file_is_checked_before_it_is_loaded():
    if authentic is None:
        return "needs hashlib"
    path = "authentic.tmp"  # in .gitignore
    ours = authentic.Authentic(KEY)
    try:
        for number, key, expected in ((5, KEY, None), (5, bytes(32), "altered"), (4, KEY, "older")):
            with open(path, "wb") as f:
                f.write(signed(golden.blob(), key, number))
            try:
                model = ours.load(path, at_least=5)
                assert expected is None and model.counters() == golden.model().counters()
                assert ours.load(path).source == golden.model().source
            except ModelError as error:
                assert expected and expected in str(error)
        with open(path, "wb") as f:
            f.write(signed(golden.blob(), number=0))
        assert ours.load(path), "a first model may have the number 0"
    finally:
        os.remove(path)


def test_rubbish_is_no_model():
    if authentic is None:
        return "needs hashlib"
    for blob in (b"", b"INLR", bytes(200), signed(golden.blob())[:70]):
        assert refused(blob), blob


def test_self_test_tells_a_board_that_scores_otherwise():
    if authentic is None:
        return "needs hashlib"
    blob = golden.blob()
    selftest.check(golden.model(), blob)

    class Lying:
        def __init__(self, kernel):
            self.prepare = kernel.prepare
            self.subtract = kernel.subtract
            self.features = kernel.features
            self.autoencoder = lambda params, work: kernel.autoencoder(params, work) ^ 1
            self.evidence = kernel.evidence

    from inlier.kernels import chosen

    try:
        selftest.check(golden.model(), blob, Lying(chosen))
    except ModelError as error:
        assert "otherwise" in str(error)
    else:
        raise AssertionError("one bit in a score went unseen")


def test_a_key_is_64_hexadecimal_digits():
    if authentic is None:
        return "needs hashlib"
    assert keys.parse("00" * 31 + "ff\n", "here") == unhexlify("00" * 31 + "ff")
    for text in ("", "00" * 31, "00" * 33, "secret", "0g" * 32):
        try:
            keys.parse(text, "here")
        except keys.KeyFault as fault:
            assert "here" in str(fault) and (not text or text not in str(fault)), (
                "the key is not told"
            )
        else:
            raise AssertionError(text)


def test_a_key_comes_from_a_file_or_from_the_environment():
    if authentic is None:
        return "needs hashlib"
    path = "key.tmp"  # in .gitignore
    try:
        with open(path, "w") as f:
            f.write("01" * 32 + "\n")
        assert keys.from_file(path) == b"\1" * 32
        for blanks, holds in ((192, True), (193, False)):  # a file without end is no key
            with open(path, "w") as f:
                f.write(" " * blanks + "01" * 32)
            try:
                assert keys.from_file(path) == b"\1" * 32 and holds, "read as far as 256"
            except keys.KeyFault:
                assert not holds
        with open(path, "w") as f:
            f.write("01" * 31)
        try:
            keys.from_file(path)
            raise AssertionError
        except keys.KeyFault as fault:
            assert "key file 'key.tmp' does not hold 64" in str(fault)
    finally:
        os.remove(path)
    if not hasattr(os, "putenv") or not hasattr(os, "getenv"):
        return None  # a board has no environment
    name = "INLIER_TEST_KEY"
    environment = getattr(os, "environ", None)  # CPython's putenv tells getenv nothing

    def put(text):
        os.putenv(name, text) if environment is None else environment.__setitem__(name, text)

    assert keys.from_environment(name) is None
    try:
        put("02" * 32)
        assert keys.from_environment(name) == b"\2" * 32
        put("02")
        try:
            keys.from_environment(name)
            raise AssertionError
        except keys.KeyFault as fault:
            assert "environment variable INLIER_TEST_KEY does not" in str(fault)
    finally:
        os.unsetenv(name) if environment is None else environment.pop(name)
