"""The live view on a terminal."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from inlier_export.printable import printable

from .state import Live, told

COLOURS = {"calm": "green", "alarm": "bold red"}  # else yellow
BARS = "▁▂▃▄▅▆▇█"
SCORE_SHOWN_MAX = 200  # per cent of the lowest threshold: the bar's end


def spark(scores: list[int], width: int) -> Text:
    """The last `width` scores; a full bar is the threshold or more, and red."""
    text = Text()
    for score in scores[-width:]:
        level = max(0, min(len(BARS) - 1, score * len(BARS) // 100))
        text.append(BARS[level], "red" if score > 100 else "cyan")
    return text


def bar(score: int, width: int) -> Text:
    """The score on a scale to SCORE_SHOWN_MAX, with the lowest threshold marked
    at its middle.
    """
    filled = max(0, min(width, score * width // SCORE_SHOWN_MAX))
    text = Text("█" * filled + "░" * (width - filled), "red" if score > 100 else "cyan")
    text = text[: width // 2] + Text("│", "bold") + text[width // 2 :]
    return text.append(f" {score / 100:.1f} times the lowest threshold")


def filled(horizon: list[int]) -> Text:
    """A horizon, and how many of its windows are over its threshold now."""
    k, n, limit, count = horizon
    over = f"{k} of {n} over {limit / 100:.1f} times: {count} now"
    return Text(over, "red" if count >= k else "yellow" if 2 * count >= k else "dim")


def draw(live: Live, width: int) -> Panel:
    inner = max(20, width - 6)
    head = Text.assemble(
        (f"● {live.status}", COLOURS.get(live.status, "yellow")),
        f"   window {live.window}" if live.window >= 0 else "",
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("score", bar(live.score, min(40, inner - 47) if inner > 63 else 16))
    grid.add_row("", spark([score for _, score, *_ in live.history], inner - 12))
    for i, horizon in enumerate(live.horizons):
        grid.add_row("" if i else "horizons", filled(horizon))
    if live.gone_quiet:
        grid.add_row("quiet", Text(live.gone_quiet, "yellow"))
    if live.features:
        odd = ", ".join(f"{name} {share} %" for name, share in live.features)
        grid.add_row("last odd", Text(odd))  # as it is: no markup in names
    alarms = Table.grid(padding=(0, 2))
    for alarm in list(live.alarms)[:5]:
        until = "on" if alarm["on"] else f"to {told(alarm['until'])}"
        if alarm["grew"]:
            until += f", grew {told(alarm['grew'])}"
        alarms.add_row(
            told(alarm["at"]),
            Text(until, "bold red" if alarm["on"] else "dim"),
            Text(str(alarm["message"])),
        )
    parts: list[RenderableType] = [head, grid]
    if live.alarms:
        parts += [Text("alarms", "bold"), alarms]
    if live.problem:
        parts.append(Text(live.problem, "yellow"))
    if live.foreign:
        parts.append(Text(f"{live.foreign} messages were no events of inlier's", "yellow"))
    return Panel(Group(*parts), title=Text(printable(live.name)), box=box.ROUNDED)


class Terminal:
    """Redraws at each event, at most ten times a second."""

    def __init__(self, live: Live):
        self._live = live
        self._console = Console()
        self._screen = Screen(
            draw(live, self._console.width), console=self._console, refresh_per_second=10
        )

    def update(self) -> None:
        self._screen.update(draw(self._live, self._console.width))

    def __enter__(self) -> "Terminal":
        self._screen.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.stop()
