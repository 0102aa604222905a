"""The same autoencoder as an int8 `.tflite`, for people who run TFLite Micro,
and how far it is from our integers.

TFLite requantises by a 32-bit multiplier and rounds; we shift. So its
reconstruction differs by a few quanta, and what must agree is the alarm.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import reference
from .quantise import INPUT_BITS, Floats
from .reference import Bytes, Detector, Ints

SAMPLES = 500


def to_tflite(layers: list[tuple[Floats, Floats]], x: Bytes) -> bytes:
    """Full-integer int8 model: input int8 q (scale 1/64, zero point 0), output
    int8.

    x: (n, features), benign examples.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    width = layers[0][0].shape[1]
    model = keras.Sequential([keras.Input((width,), batch_size=1)])
    for i, (weights, _) in enumerate(layers):
        model.add(
            keras.layers.Dense(len(weights), activation=None if i == len(layers) - 1 else "relu")
        )
    model.set_weights([part for weights, bias in layers for part in (weights.T, bias)])
    examples = _reals(x[np.linspace(0, len(x) - 1, min(len(x), SAMPLES)).astype(int)])
    # Both ends of int8, so that the converter's input scale is 1/64.
    examples = np.concatenate(
        [examples, np.full((1, width), -2), np.full((1, width), 127 / 64)]
    ).astype(np.float32)

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for row in examples:
            yield [row[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with _silence():
        content: bytes = converter.convert()
    return content


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """TensorFlow and LiteRT report their progress in print() and from C++:
    nothing in it is for our users.
    """
    kept = os.dup(2)
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _reals(x: Bytes) -> NDArray[np.float64]:
    return (x.astype(np.float64) - 128) / (1 << INPUT_BITS)


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter  # LiteRT's older name
        except ImportError:
            import tensorflow as tf

            Interpreter = tf.lite.Interpreter
    with _silence():
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
    return interpreter


def reconstruct(content: bytes, x: Bytes) -> Bytes:
    """LiteRT's reconstruction of x (n, features), in our quanta: bytes, q +
    128.
    """
    interpreter = _interpreter(content)
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = sink["quantization"]
    y = np.empty(x.shape, np.float64)
    for i, row in enumerate(x):
        interpreter.set_tensor(source["index"], (row.astype(np.int16) - 128).astype(np.int8)[None])
        interpreter.invoke()
        y[i] = (interpreter.get_tensor(sink["index"])[0].astype(np.float64) - zero) * scale
    return (np.clip(np.rint(y * (1 << INPUT_BITS)), -128, 127) + 128).astype(np.uint8)


@dataclass
class Deviation:
    """Of LiteRT's reconstruction from ours, in quanta of int8; and windows
    whose alarm decision differs.
    """

    largest: int
    mean: float
    windows: int
    decisions_differing: int


def compare(content: bytes, detector: Detector, deltas: Ints) -> Deviation:
    """Run both over windows (n, counters), as from boot."""
    ours = reference.run(detector, deltas)
    theirs = reference.score(detector, ours.f, reconstruct(content, ours.x))
    off = np.abs(theirs.y.astype(np.int64) - ours.y)
    differing = int((theirs.event != ours.event).sum())
    return Deviation(int(off.max()), round(float(off.mean()), 3), len(deltas), differing)
