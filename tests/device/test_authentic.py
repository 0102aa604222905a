"""Only what the key's owner signed is loaded, and nothing older than what ran
before.
"""

from binascii import hexlify, unhexlify

import golden
from golden import KEY, signed

try:
    from inlier.secure import authentic, keys, selftest
except ImportError:  # a MicroPython without hashlib
    authentic = None

from inlier.model import Model, ModelError


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
