"""Figures as people write them, in what commands say."""


def number_of(count: int | str, noun: str) -> str:
    """1 window, 2 windows. A count may be written already, as "0.25" is."""
    return f"{count} {noun}{'' if str(count) == '1' else 's'}"


def are(count: int) -> str:
    """1 of them is, 2 are."""
    return "is" if count == 1 else "are"


def rate(count: float) -> str:
    """In two digits."""
    return f"{float(f'{count:.2g}'):g}"


def span(weeks: float) -> str:
    """How long, in the unit that people would say it in."""
    for unit, in_a_week in (("weeks", 1), ("days", 7), ("hours", 168), ("minutes", 10_080)):
        if weeks * in_a_week >= 2 or unit == "minutes":
            break
    return f"{rate(weeks * in_a_week)} {unit}"
