"""Writes the model file whose format inlier.model defines, and reads it back
into a Detector.
"""

import hmac
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from inlier.model import (
    BIAS_MAX,
    FLAG_HMAC,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    VERSION,
    Model,
    ModelError,
)
from inlier.secure import authentic, selftest

from . import reference
from .errors import BadInput
from .inputs import MODEL_MAX, read_input
from .reference import Detector, Layer


def pack(d: Detector, key: bytes | None = None) -> bytes:
    """The model file, signed if there is a key. Raises ModelError if the
    runtime would refuse it.
    """
    text = "\0".join(
        [d.source, *d.counters, json.dumps(d.metadata, sort_keys=True, separators=(",", ":"))]
    ).encode()
    body = bytearray(bytes(d.scales) + bytes(d.knots))
    body += struct.pack(f"<{len(d.layers)}H", *(len(layer.weights) for layer in d.layers))
    body += bytes(8 - int(s) for s in d.shifts)
    body += np.stack([d.offset, d.multiplier], axis=1).astype("<u2").tobytes()
    for layer in d.layers:
        body += _pack_layer(layer)
    body += (d.svm_weights.astype(np.int16) + 128).astype(np.uint8).tobytes()
    body += text
    length = HEADER_BYTES + len(body) + 4
    sizes = len(d.scales), len(d.knots), len(d.layers)
    thresholds = d.threshold_ae, d.threshold_svm
    flags = 0 if key is None else FLAG_HMAC
    fixed = (
        MAGIC,
        VERSION,
        flags,
        len(d.counters),
        length,
        d.window_ms,
        *thresholds,
        *sizes,
        *d.alarm,
        len(text),
    )
    blob = struct.pack(HEADER, *fixed, d.number, _self_test(d)) + bytes(body)
    blob += struct.pack("<I", zlib.crc32(blob))
    if key is not None:
        blob += hmac.digest(key, blob, "sha256")
    Model(blob)
    return blob


def _self_test(d: Detector) -> int:
    """The digest that the runtime must reach on its self-test windows, by the
    NumPy reference.
    """
    deltas = np.array(
        [selftest.window(i, [0] * len(d.counters)) for i in range(selftest.WINDOWS)], np.int64
    )
    t = reference.run(d, deltas)
    digest = 0
    for x, ae, svm, hot in zip(t.x, t.ae, t.svm, t.hot, strict=True):
        digest = selftest.add(digest, x.tobytes(), int(ae), int(svm), bool(hot))
    return digest


def _pack_layer(layer: Layer) -> bytes:
    rows, cols = layer.weights.shape
    padded = -(-rows // 4) * 4
    assert np.abs(layer.bias).max() <= BIAS_MAX
    bias = np.zeros(padded, "<i4")
    shift = np.zeros(padded, np.uint8)
    weights = np.full((padded, cols), 128, np.uint8)
    bias[:rows] = layer.bias
    shift[:rows] = layer.shift
    weights[:rows] = layer.weights.astype(np.int16) + 128
    blocks = weights.reshape(padded // 4, 4, cols).transpose(0, 2, 1)
    return bias.tobytes() + shift.tobytes() + blocks.tobytes()


def _metadata(m: Model) -> dict[str, Any]:
    """Raises ModelError."""
    try:
        metadata = json.loads(m.metadata())
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise ModelError("model's training metadata is no JSON object; export it again")
    return metadata


def unpack(blob: bytes) -> Detector:
    """The Detector in a model file. Raises ModelError."""
    m = Model(blob)
    n = m.features
    metadata = _metadata(m)
    quantisation = np.frombuffer(m.quantisation(), "<u2").reshape(n, 2).astype(np.int64)
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
                (w[:count].astype(np.int16) - 128).astype(np.int8),
                np.frombuffer(bias, "<i4")[:count].astype(np.int64),
                np.frombuffer(shift, np.uint8)[:count].astype(np.int64),
            )
        )
    return Detector(
        source=m.source,
        counters=m.counters(),
        window_ms=m.window_ms,
        scales=tuple(m.scales),
        shifts=8 - np.frombuffer(m.shifts(), np.uint8).astype(np.int64),
        offset=quantisation[:, 0],
        multiplier=quantisation[:, 1],
        layers=layers,
        knots=tuple(m.knots),
        svm_weights=(np.frombuffer(m.svm_weights(), np.uint8).astype(np.int16) - 128)
        .astype(np.int8)
        .reshape(n, -1),
        threshold_ae=m.threshold_ae,
        threshold_svm=m.threshold_svm,
        alarm=m.alarm,
        metadata=metadata,
        number=authentic.number(blob),
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


def read(path: Path) -> Detector:
    return unpack(read_blob(path))


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
