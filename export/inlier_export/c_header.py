"""A model and what scores it as one C99 header, for firmware without
MicroPython (Arduino, ESP-IDF, Zephyr): the model's arrays before c/scorer.h.
"""

import string
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from inlier.alarm import GROWN, TELL_AFTER, TOLD_MAX
from inlier.counters import DELTA_MAX
from inlier.features import FULL_BITS, LEVEL_MAX

from . import reference
from .reference import Detector

_PLAIN = (string.ascii_letters + string.digits + " -._").encode()
SCORER = Path(__file__).parent / "c" / "scorer.h"


def c_header(d: Detector) -> str:
    """The whole file. It gives the reference's integers for any windows."""
    kinds = d.schema.kinds
    numbers = {
        "WINDOW_MS": d.window_ms,
        "MODEL_NUMBER": d.number,
        "COUNTERS": len(d.counters),
        "KINDS": len(kinds),
        "MEANS": len(d.schema.scales),
        "FEATURES": d.features,
        "LAYERS": len(d.layers),
        "WIDEST": max((len(layer.weights) for layer in d.layers), default=1),
        "HORIZONS": len(d.horizons),
        "LONGEST": d.horizons[-1][1],
        "BY_ROWS": int(d.by_rows),
        "AE_THRESHOLD": d.threshold_ae,
        "QUIET_THRESHOLD": d.threshold_quiet,
        "CLEAR_AFTER": d.clear_after,
        "QUIET_AFTER": d.quiet_after,
        "COOLDOWN": d.cooldown,
        "WARMUP": d.warmup,
        "TELL_AFTER": TELL_AFTER,
        "GROWN": GROWN,
        "TOLD_MAX": TOLD_MAX,
        "DELTA_MAX": DELTA_MAX,
        "LEVEL_MAX": LEVEL_MAX,
        "FULL_BITS": FULL_BITS,
    }
    lines = [
        "/* Made by `inlier export --c-header`: a model of inlier, and what scores it. */",
        "#ifndef INLIER_MODEL_H",
        "#define INLIER_MODEL_H",
        "",
        "#include <stdint.h>",
        "",
        f"#define INLIER_SOURCE {_string(d.source)}",
        *(f"#define INLIER_{name} {value}" for name, value in numbers.items()),
        "",
        "struct inlier_feature { int32_t start; int16_t offset, high, low, far; "
        "uint8_t input_shift, over, under, beyond; };",
        "struct inlier_layer { int rows, cols; const int8_t *weights; const int32_t *bias; "
        "const uint8_t *shift; };",
        "struct inlier_k_of_n { uint8_t k, n; int32_t threshold; };",
        "",
        "#define INLIER_NAMES " + _braced(map(_string, d.counters)),
        _array("int8_t", "right_shift", -d.schema.shifts),
        _array("uint8_t", "cap", d.schema.caps),
        _array("uint8_t", "decay", [k for k, _ in kinds]),
        _array("uint8_t", "out", [r for _, r in kinds]),
        _array("struct inlier_k_of_n", "horizon", map(_braced, d.horizons)),
        _array("struct inlier_feature", "features", map(_braced, _features(d))),
        *_layers(d),
        "",
        SCORER.read_text(),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _features(d: Detector) -> list[list[int]]:
    """A row a feature, in the order of struct inlier_feature."""
    columns = reference.start_state(d.offset, d.schema), d.offset, d.high, d.low, d.far
    table = np.stack([*columns, d.input_shift], axis=1)
    return np.concatenate([table, d.weights], axis=1).tolist()


def _layers(d: Detector) -> list[str]:
    lines, table = [], []
    for i, layer in enumerate(d.layers):
        rows, cols = layer.weights.shape
        lines.append(_array("int8_t", f"weights_{i}", layer.weights.ravel().tolist()))
        lines.append(_array("int32_t", f"bias_{i}", layer.bias.tolist()))
        lines.append(_array("uint8_t", f"shift_{i}", layer.shift.tolist()))
        arrays = (f"inlier_{name}_{i}" for name in ("weights", "bias", "shift"))
        table.append(_braced((rows, cols, *arrays)))
    # C99 has no array of none
    return [*lines, _array("struct inlier_layer", "layers", table or ["{0, 0, 0, 0, 0}"])]


def _array(kind: str, name: str, values: Iterable[object]) -> str:
    return f"static const {kind} inlier_{name}[] = {_braced(values)};"


def _braced(values: Iterable[object]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def _string(text: str) -> str:
    """Every byte but plain ones in octal: names are the model's, and C has its
    own ideas of `\\` and `??/`.
    """
    return '"' + "".join(chr(b) if b in _PLAIN else f"\\{b:03o}" for b in text.encode()) + '"'
