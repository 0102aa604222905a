"""The key that models are signed with, where the command line finds it."""

from pathlib import Path

from inlier.secure import keys
from inlier_export.errors import BadInput
from inlier_export.inputs import MIB, read_input


def find(path: Path | None) -> bytes | None:
    """The key in the file at `path`, else in the environment, else None. Raises
    BadInput.
    """
    try:
        if not path:
            return keys.from_environment()
        return keys.parse(read_input(path, MIB, "key file").decode(), f"key file '{path}'")
    except keys.KeyFault as fault:
        raise BadInput(str(fault)) from None
    except UnicodeDecodeError:
        raise BadInput(
            f"key file '{path}' is no text; make a key with 'openssl rand -hex 32'"
        ) from None
