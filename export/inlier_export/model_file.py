"""Writes the model file whose format inlier.model defines, and reads it back
into a Detector.
"""

import hmac
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlier.model import (
    BIAS_MAX,
    FLAG_HMAC,
    FLAG_ROWS,
    HEADER,
    HEADER_BYTES,
    HORIZON,
    MAGIC,
    VERSION,
    Model,
    ModelError,
)
from inlier.secure import authentic, selftest

from . import reference
from .errors import BadInput
from .inputs import MODEL_MAX, read_input
from .reference import Detector, Layer, Schema


def pack(d: Detector, key: bytes | None = None) -> bytes:
    """The model file, signed if there is a key. Raises ModelError if the
    runtime would refuse it.
    """
    schema = d.schema
    meta = json.dumps(d.metadata, sort_keys=True, separators=(",", ":"))
    text = "\0".join([d.source, *d.counters, meta]).encode()
    body = bytearray()
    for k, n, threshold in d.horizons:
        body += struct.pack(HORIZON, k, n, threshold)
    body += bytes(schema.scales) + bytes(schema.persistence)
    body += struct.pack(f"<{len(d.layers)}H", *(len(layer.weights) for layer in d.layers))
    body += np.stack([8 - schema.shifts, schema.caps], axis=1).astype(np.uint8).tobytes()
    body += _table(d).tobytes()
    for layer in d.layers:
        body += _pack_layer(layer)
    body += text
    length = HEADER_BYTES + len(body) + 4
    flags = (0 if key is None else FLAG_HMAC) | (FLAG_ROWS if d.by_rows else 0)
    fixed = MAGIC, VERSION, flags, len(d.counters), length, d.window_ms
    thresholds = d.threshold_ae, d.threshold_quiet
    sizes = len(schema.scales), len(schema.persistence), len(d.layers), len(d.horizons)
    alarm = d.clear_after, d.quiet_after, d.cooldown, d.warmup
    header = (*fixed, *thresholds, *sizes, *alarm, len(text), d.number, _self_test(d))
    blob = struct.pack(HEADER, *header) + bytes(body)
    blob += struct.pack("<I", zlib.crc32(blob))
    if key is not None:
        blob += hmac.digest(key, blob, "sha256")
    Model(blob)
    return blob


# FEATURE_BYTES a feature, as inlier.model has it.
_COLUMNS = {
    "offset": "<u2",
    "high": "<u2",
    "low": "<u2",
    "far": "<u2",
    "input_shift": "u1",
    "weights": ("u1", 3),
}
_FEATURE = np.dtype(list(_COLUMNS.items()))


def _table(d: Detector) -> NDArray[np.void]:
    table = np.zeros(d.features, _FEATURE)
    for name in _COLUMNS:
        table[name] = getattr(d, name)
    return table


def _self_test(d: Detector) -> int:
    """The digest that the runtime must reach on its self-test windows, by the
    NumPy reference.
    """
    deltas = np.empty((selftest.WINDOWS, len(d.counters)), np.int64)
    for i, row in enumerate(deltas):
        selftest.window(i, row)
    t = reference.run(d, deltas)
    digest = 0
    for x, ae, svm, hot in zip(t.x, t.ae, t.svm, t.hot, strict=True):
        digest = selftest.add(digest, x.tobytes(), int(ae), int(svm), bool(hot))
    return digest


def _pack_layer(layer: Layer) -> bytes:
    rows, cols = layer.weights.shape
    padded = rows + -rows % 4
    assert np.abs(layer.bias).max() <= BIAS_MAX
    bias = np.zeros(padded, "<i4")
    shift = np.zeros(padded, np.uint8)
    weights = np.full((padded, cols), 128, np.uint8)
    bias[:rows] = layer.bias
    shift[:rows] = layer.shift
    weights[:rows] = layer.weights.view(np.uint8) ^ 128  # w + 128
    blocks = weights.reshape(padded // 4, 4, cols).transpose(0, 2, 1)
    return bias.tobytes() + shift.tobytes() + blocks.tobytes()


@dataclass(frozen=True)
class ModelFile:
    """A model file, parsed once: what is copied, what a device loads of it, and
    what the reference computes with.
    """

    blob: bytes
    model: Model
    detector: Detector


def parsed(blob: bytes) -> ModelFile:
    """Raises ModelError."""
    model = Model(blob)
    return ModelFile(blob, model, _detector(model, authentic.number(blob)))


def unpack(blob: bytes) -> Detector:
    """The Detector in a model file. Raises ModelError."""
    return parsed(blob).detector


def _metadata(m: Model) -> dict[str, Any]:
    """Raises ModelError."""
    try:
        metadata = json.loads(m.metadata())
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise ModelError("model's training metadata is no JSON object; export it again")
    return metadata


def _detector(m: Model, number: int) -> Detector:
    metadata = _metadata(m)
    table = np.frombuffer(m.table(), _FEATURE)
    counters = m.counters()
    n = len(counters)
    per_counter = np.frombuffer(m.params[: 2 * n], np.uint8).reshape(n, 2)
    layers = []
    for count, (weights, cols, bias, shift, blocks) in zip(m.rows, m.layers(), strict=True):
        w = (
            np.frombuffer(weights, np.uint8)
            .reshape(blocks, cols, 4)
            .transpose(0, 2, 1)
            .reshape(4 * blocks, cols)
        )
        layers.append(
            Layer(
                (w[:count] ^ 128).view(np.int8),
                np.frombuffer(bias, "<i4")[:count].astype(np.int64),
                np.frombuffer(shift, np.uint8)[:count].astype(np.int64),
            )
        )
    schema = Schema(
        counters,
        scales=tuple(k for k, _ in m.kinds[: m.means]),
        persistence=tuple(k for k, _ in m.kinds[m.means :]),
        shifts=8 - per_counter[:, 0].astype(np.int64),
        caps=per_counter[:, 1].astype(np.int64),
    )
    return Detector(
        source=m.source,
        window_ms=m.window_ms,
        schema=schema,
        **{name: table[name].astype(np.int64) for name in _COLUMNS},
        layers=layers,
        horizons=tuple(m.horizons()),
        threshold_ae=m.threshold_ae,
        threshold_quiet=m.threshold_quiet,
        by_rows=m.by_rows,
        clear_after=m.clear_after,
        quiet_after=m.quiet_after,
        cooldown=m.cooldown,
        warmup=m.warmup,
        metadata=metadata,
        number=number,
    )


def python_module(blob: bytes) -> str:
    """Source of a Python module whose MODEL is the blob: frozen into firmware
    it stays in flash.
    """
    lines = [f"    {blob[i : i + 24]!r}" for i in range(0, len(blob), 24)]
    return (
        '"""An inlier model, exported; load with inlier.model.Model(MODEL)."""\n\nMODEL = (\n'
        + "\n".join(lines)
        + "\n)\n"
    )


def read_blob(path: Path) -> bytes:
    """The bytes of the file, unchecked but for their number. Raises BadInput."""
    return read_input(path, MODEL_MAX, "model")


def read_file(path: Path) -> ModelFile:
    """Raises BadInput: what is wrong with the blob at `path`."""
    try:
        return parsed(read_blob(path))
    except ModelError as error:
        raise BadInput(f"{path}: {error}") from None


def read_model(
    path: Path, source: str | None = None, counters: tuple[str, ...] | None = None
) -> Model:
    """Raises BadInput: what is wrong with the blob at `path`, or that it is for
    another source.
    """
    return model_of(path, read_blob(path), source, counters)


def model_of(
    path: Path, blob: bytes, source: str | None = None, counters: tuple[str, ...] | None = None
) -> Model:
    """The model of a blob that was read from `path`, which may be a pipe and
    give it once. Raises BadInput.
    """
    try:
        model = Model(blob, source, counters)
        _metadata(model)  # whose fault a device never sees, and a command too late
        return model
    except ModelError as error:
        raise BadInput(f"{path}: {error}") from None
