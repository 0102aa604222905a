"""The key that models are signed with, where the command line finds it."""

from pathlib import Path

from inlier.secure import keys
from inlier_export.errors import BadInput


def find(path: Path | None) -> bytes | None:
    """The key in the file at `path`, else in the environment, else None. Raises
    BadInput and OSError.
    """
    try:
        return keys.from_file(str(path)) if path else keys.from_environment()
    except keys.KeyFault as fault:
        raise BadInput(str(fault)) from None
    except UnicodeDecodeError:
        raise BadInput(
            f"key file '{path}' is no text; make a key with 'openssl rand -hex 32'"
        ) from None
