"""What a recording says of itself. In a CSV a comment line before the names, in
Parquet the metadata `inlier`, which is the same without its beginning:

    # inlier source=sockets window_ms=10000 device=e6614103e7 firmware=…

Every recorder writes it, every command reads it: an option, another file or a
model that contradicts it is refused. A file without it is what the options say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

from inlier.model import WINDOW_MS_MAX
from inlier_export.errors import BadInput
from inlier_export.printable import printable

BEGIN = "# inlier "
MARKS = ("boot", "window", "elapsed")  # columns before the counters', see recordings.py
CLOCK = "%Y-%m-%dT%H:%M:%SZ"  # as inlier.recorder.clock gives it
_PLAIN = "/:,+@"  # beside letters, digits and _.-~, which need no %XX
SHOWN = 80  # characters of a name or a cell, in what is said of it


@dataclass(frozen=True)
class About:
    """ "" or 0: it does not say. device: a name or an address; firmware: of
    which release; clock: when the first window began, RFC 3339, UTC.
    """

    source: str = ""
    window_ms: int = 0
    device: str = ""
    firmware: str = ""
    clock: str = ""

    def comment(self) -> str:
        """What a CSV begins with."""
        line = self.line()
        return f"{BEGIN}{line}\n" if line else ""

    def line(self) -> str:
        """As Parquet's metadata have it: key=value key=value."""
        return " ".join(
            f"{field.name}={quote(str(getattr(self, field.name)), _PLAIN)}"
            for field in fields(self)
            if getattr(self, field.name)
        )


NOTHING = About()  # of a file that says nothing of itself


def told(word: str) -> str:
    """A word of inlier.recorder's, which says - for what it does not know."""
    return "" if word == "-" else word


def is_clock(word: str) -> bool:
    """Whether it is a time, or - for none."""
    try:
        return word == "-" or datetime.strptime(word, CLOCK).year > 2000
    except ValueError:
        return False


def before(clock: str, ms: int) -> str:
    """The time so long before; "" where there is none."""
    if not clock:
        return ""
    then = datetime.strptime(clock, CLOCK).replace(tzinfo=UTC) - timedelta(milliseconds=ms)
    return then.strftime(CLOCK)


def at(seconds: float) -> str:
    """A time since 1970, as a recording's clock."""
    return datetime.fromtimestamp(seconds, UTC).strftime(CLOCK)


def parsed(path: Path, text: str) -> About:
    """An About from its line; keys of later versions are left out. Raises
    BadInput.
    """
    said: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key in said:
            raise BadInput(
                f"{path}: its line '{BEGIN.strip()}' holds '{printable(word, SHOWN)}'"
                f"{' twice' if equals else ''}; it must hold each key=value once: correct or "
                f"remove that line"
            )
        said[key] = printable(unquote(value, errors="replace"), SHOWN)
    window = said.get("window_ms", "")
    if window and not (
        window.isascii() and window.isdecimal() and 0 < int(window[:9]) <= WINDOW_MS_MAX
    ):
        raise BadInput(
            f"{path}: its line '{BEGIN.strip()}' says window_ms={window}; a window has from 1 to "
            f"{WINDOW_MS_MAX} milliseconds: correct or remove that line"
        )
    known = {field.name: said.get(field.name, "") for field in fields(About)}
    del known["window_ms"]
    return About(window_ms=int(window or 0), **known)


def hold_against(
    path: Path, about: About, source: str, window_ms: int, whose: str, way_out: str
) -> None:
    """Raises BadInput where a recording contradicts what `whose` says; "" and 0
    contradict nothing.
    """
    if about.source and source and about.source != source:
        raise BadInput(f"{path}: source '{about.source}' counted it, {whose} '{source}': {way_out}")
    if about.window_ms and window_ms and about.window_ms != window_ms:
        raise BadInput(
            f"{path}: its windows have {about.window_ms} ms, {whose} {window_ms} ms: {way_out}"
        )


def agreed(
    recorded: Iterable[tuple[Path, About]],
    source: str | None,
    window_ms: int | None,
    default: About,
) -> About:
    """Source and window length of all these recordings, which options may say
    as well; what neither says is the default's. The device where it is one.
    Raises BadInput for a contradiction.
    """
    so_far, first = About(source or "", window_ms or 0), Path()
    devices: set[str] = set()
    for path, about in recorded:
        hold_against(
            path, about, source or "", 0, "--source says", "leave the option out, or this file"
        )
        hold_against(
            path, about, "", window_ms or 0, "--window says", "leave the option out, or this file"
        )
        hold_against(
            path,
            about,
            so_far.source,
            so_far.window_ms,
            f"{first} has",
            "a model is for one source and one length: train one for each",
        )
        if about.source or about.window_ms:
            first = path
        so_far = About(so_far.source or about.source, so_far.window_ms or about.window_ms)
        devices.add(about.device)
    device = devices.pop() if len(devices) == 1 else ""
    return About(so_far.source or default.source, so_far.window_ms or default.window_ms, device)
