"""Text of others as a terminal may show it: names, cells of tables, messages."""


def printable(text: str, limit: int | None = None) -> str:
    """`text` with what is no visible character escaped as Python does it, so
    that it moves no cursor, forges no line and turns no writing round; cut
    after `limit` characters, with an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
