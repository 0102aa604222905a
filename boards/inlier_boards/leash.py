"""Emulators, boards and brokers end with the process that started them, however
that ends: QEMU would run on for ever behind a test run that was killed.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

# The kernel kills it when the thread that started it ends (prctl(2),
# PR_SET_PDEATHSIG). One that ended before that was set is noticed by the shell,
# which has another parent then.
_LEASH = ("setpriv", "--pdeathsig", "KILL", "sh", "-c", 'test "$PPID" = "$0" && exec "$@"')


def leashed(command: Sequence[str | Path]) -> list[str | Path]:
    """`command`, under the same process id, on the leash of this thread; as it
    is where the system has no setpriv (util-linux 2.33, Linux).
    """
    leash = (*_LEASH, str(os.getpid())) if shutil.which(_LEASH[0]) else ()
    return [*leash, *command]
