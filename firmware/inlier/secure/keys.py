"""Keys that models are signed with: 64 hexadecimal digits, in a file or an
environment variable.

Make one with `openssl rand -hex 32 > fleet.key`.
"""

import os
from binascii import unhexlify

KEY_BYTES = 32
VARIABLE = "INLIER_KEY"
_READ_MAX = 256  # a file without end is no key


class KeyFault(ValueError):
    """There is no usable key; says where it was looked for and what to do. The
    key itself is never in the text.
    """


def parse(text, where):
    """The key (bytes) in `text`. Raises KeyFault.

    where: for the error.
    """
    try:
        key = unhexlify(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFault(
            "%s does not hold 64 hexadecimal digits; make a key with 'openssl rand -hex 32'" % where
        )
    return key


def from_file(path):
    """Raises KeyFault and OSError."""
    with open(path) as f:
        return parse(f.read(_READ_MAX), "key file '%s'" % path)


def from_environment(name=VARIABLE):
    """The key in an environment variable, None where it is not set. Raises
    KeyFault.
    """
    text = os.getenv(name)
    return None if text is None else parse(text, "environment variable " + name)
