"""What is asked of `inlier train`, checked before anything is read."""

from functools import partial
from pathlib import Path

from inlier_export.errors import BadInput
from inlier_host.options import milliseconds, one_of, together


def layer_sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 256 for part in parts):
        raise BadInput(f"--hidden {text}: give sizes from 1 to 256, such as 16,4,16")
    return tuple(int(part) for part in parts)


def check(
    recordings: list[Path],
    outputs: list[Path | None],
    source: str | None,
    window: str | None,
    false_alarms: str,
    hidden: str,
    detectors: str,
    backend: str,
    allow_constant: list[str],
    add: list[str],
) -> None:
    """Raises BadInput."""
    from inlier_export.inputs import check_input
    from inlier_trainer.autoencoder import BACKENDS
    from inlier_trainer.files import check_outputs
    from inlier_trainer.learnable import check_constant
    from inlier_trainer.sources import counters_of
    from inlier_trainer.threshold import per_week
    from inlier_trainer.trainer import DETECTORS

    added = [Path(text.rpartition("@")[0] or text) for text in add]
    constant = set(allow_constant) - {"all"}
    together(
        lambda: source is None or counters_of(source),
        lambda: window is None or milliseconds(window),
        lambda: per_week(false_alarms),
        lambda: layer_sizes(hidden),
        lambda: one_of("--detectors", detectors, DETECTORS),
        lambda: one_of("--backend", backend, BACKENDS),
        lambda: check_constant(constant, _possible(source, constant)),
        lambda: check_outputs(outputs, [*recordings, *added]),
        *(partial(check_input, path, "recording") for path in (*recordings, *added)),
    )


def _possible(source: str | None, names: set[str]) -> tuple[str, ...]:
    """Counters that may be meant: of any source where recordings say it. Of an
    unknown source, its name is what is wrong.
    """
    from inlier_trainer.sources import SOURCES

    if source is None:
        return tuple(dict.fromkeys(name for counters in SOURCES.values() for name in counters))
    return SOURCES.get(source, tuple(names))
