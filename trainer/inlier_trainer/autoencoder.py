"""Fits the autoencoder: what each counter does is told from what the others do.

At every step the features of a quarter of the counters are hidden, and asked
for all the same (Vincent et al., "Extracting and composing robust features with
denoising autoencoders", 2008). Without that a network may copy each counter
through its own input, and says nothing of an upload without its download.

Plain NumPy, by Adam (Kingma and Ba, 2015): scikit-learn's MLPRegressor cannot
hide inputs anew at each step. Keras is the other back end:
autoencoder_keras.py.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inlier_export import reference
from inlier_export.quantise import INPUT_BITS, Floats
from inlier_export.reference import Ints, Layer

FloatLayers = list[tuple[Floats, Floats]]

HIDDEN_SHARE = 0.25  # of the counters, at each step
ROWS_MAX = 6000  # distinct rows: more change nothing but the time it takes
STEPS, EPOCHS, BATCH = 1500, 60, 64
RATE, DECAY_FROM, RATE_LAST = 3e-3, 0.6, 0.05
BACKENDS = ("numpy", "keras")


@dataclass(frozen=True)
class Examples:
    """Rows of log features on the autoencoder's scale, q / 64: x as int8 sees
    them, y as they are; both (n, features) float32.

    groups: features of a counter, which are hidden together.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    groups: int


def examples(f: NDArray[np.int16], offset: Ints, input_shift: Ints, groups: int) -> Examples:
    """Of distinct log features f (n, features).

    groups: features a counter.
    """
    centred = f.astype(np.int64) - offset
    unit = float(1 << INPUT_BITS)
    x = np.clip(centred >> input_shift, -128, 127) / unit
    y = centred / (2.0**input_shift * unit)
    return Examples(x.astype(np.float32), y.astype(np.float32), groups)


def distinct(f: NDArray[np.int16], seed: int, most: int = ROWS_MAX) -> NDArray[np.int16]:
    """At most so many distinct rows of f, drawn evenly."""
    few = min(len(f), 20 * most)  # to sort a million rows takes longer than to fit
    rows = np.unique(f[np.linspace(0, len(f) - 1, few).astype(np.int64)], axis=0)
    order = np.random.default_rng(seed).permutation(len(rows))
    drawn: NDArray[np.int16] = rows[order[:most]]
    return drawn


def fit(rows: Examples, hidden: tuple[int, ...], seed: int, backend: str = "numpy") -> FloatLayers:
    """Weights (out, in) and biases (out,) float32 of each dense layer; ReLU
    hidden layers, linear output. The same rows and seed give the same weights
    on the same kind of machine.
    """
    if backend == "keras":
        from . import autoencoder_keras

        return autoencoder_keras.fit(rows, hidden, seed)
    return _fit_numpy(rows, hidden, seed)


def greatest_distance(
    f: NDArray[np.int16], offset: Ints, input_shift: Ints, layers: list[Layer]
) -> Ints:
    """Of each feature above its reconstruction (features,), over log features
    f (n, features); 0 where it never lies above.
    """
    far = np.zeros(f.shape[1], np.int64)
    for start in range(0, len(f), reference.BLOCK):
        part = f[start : start + reference.BLOCK]
        y = reference.reconstruct(reference.inputs(part, offset, input_shift), layers)
        far = np.maximum(far, reference.distance(part, y, offset, input_shift).max(axis=0))
    return far


def steps(n: int) -> int:
    return max(STEPS, EPOCHS * -(-n // BATCH))


def kept(rng: np.random.Generator, n: int, rows: Examples) -> NDArray[np.bool_]:
    """(n, features): which inputs are not hidden."""
    counters = rows.x.shape[1] // rows.groups
    shown = rng.random((n, counters), dtype=np.float32) >= HIDDEN_SHARE
    return np.repeat(shown, rows.groups, axis=1)


def _fit_numpy(rows: Examples, hidden: tuple[int, ...], seed: int) -> FloatLayers:
    rng = np.random.default_rng(seed)
    n, width = rows.x.shape
    sizes = (width, *hidden, width)
    parameters: list[NDArray[np.float32]] = []
    for cols, out in pairwise(sizes):
        drawn = rng.standard_normal((cols, out)) * np.sqrt(2 / (cols + out))  # Glorot and Bengio
        parameters += [drawn.astype(np.float32), np.zeros(out, np.float32)]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    last_step = steps(n)
    for t in range(1, last_step + 1):
        drawn_rows = rng.integers(0, n, BATCH)
        x = rows.x[drawn_rows] * kept(rng, BATCH, rows)
        gradients = _gradients(parameters, x, rows.y[drawn_rows])
        late = max(0.0, (t / last_step - DECAY_FROM) / (1 - DECAY_FROM))
        rate = RATE * (1 - late * (1 - RATE_LAST)) * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for i, g in enumerate(gradients):
            first[i] += np.float32(0.1) * (g - first[i])
            second[i] += np.float32(0.001) * (g * g - second[i])
            step = first[i] / (np.sqrt(second[i]) + np.float32(1e-8))
            parameters[i] -= np.float32(rate) * step
    return [(parameters[i].T.copy(), parameters[i + 1]) for i in range(0, len(parameters), 2)]


def _gradients(
    parameters: list[NDArray[np.float32]], x: NDArray[np.float32], y: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Of the mean squared error, summed over the outputs."""
    inputs = [x]
    last = len(parameters) - 2
    for i in range(0, len(parameters), 2):
        z = inputs[-1] @ parameters[i] + parameters[i + 1]
        inputs.append(z if i == last else np.maximum(z, 0))
    back = (inputs[-1] - y) * np.float32(2 / len(x))
    gradients: list[NDArray[np.float32]] = []
    for i in reversed(range(0, len(parameters), 2)):
        before = inputs[i // 2]
        gradients = [before.T @ back, back.sum(axis=0), *gradients]
        if i:
            back = (back @ parameters[i].T) * (before > 0)
    return gradients


def ranges(f: NDArray[np.int16], reach: int = 96) -> tuple[Ints, Ints]:
    """Offset and input shift (features,) of benign rows f: q = (f - offset) >>
    shift lies within `reach`, which leaves two octaves and more of headroom.
    """
    offset = np.rint(f.mean(axis=0)).astype(np.int64)
    far = np.maximum(np.abs(f.astype(np.int64) - offset).max(axis=0), reach)
    return offset, np.ceil(np.log2(far / reach)).astype(np.int64)
