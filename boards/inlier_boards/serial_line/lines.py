"""The lines of inlier.line, read: out of what an application prints as well,
and whole or not at all.
"""

import re

from inlier.line import seal

# The last one in a line counts: a loss of power, or an application that prints
# without an end of line, may leave something before it.
_BEGIN = re.compile(r".*(~[bwe] .*)", re.DOTALL)


INT_MAX = (1 << 31) - 1  # what a device counts and scores is an int32


class Damaged(Exception):
    """A line of inlier's that is not as it was written."""


def opened(line: str) -> tuple[str, str] | None:
    """(kind, what it says): ("b", "1000 sockets a,b"); None for a line of
    another's. Raises Damaged.
    """
    found = _BEGIN.match(line.rstrip())
    if not found:
        return None
    body = found[1].rpartition(" *")[0]
    if seal(body) != found[1]:
        raise Damaged
    return body[1], body[3:]
