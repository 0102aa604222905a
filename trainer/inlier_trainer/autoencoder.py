"""The autoencoder: Keras, fitted on quantised benign features."""

import os
from collections.abc import Callable

import numpy as np

from inlier_export.quantise import INPUT_BITS, Floats
from inlier_export.reference import Bytes

# fitted on at most so many windows, spread evenly in time: more changes nothing
# but the time it takes
ROWS_MAX = 50_000
STEPS = 4000  # so many batches at least,
EPOCHS_MIN = 8  # and each window so often
BATCH = 64
REPORTS = (
    20  # an epoch costs Keras as much as a hundred small batches: have few, over repeated windows
)


def fit(
    x_quantised: Bytes,
    hidden: tuple[int, ...],
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    noise: float = 0,
) -> list[tuple[Floats, Floats]]:
    """Weights (out, in) and biases (out,) float32 of each dense layer; ReLU
    hidden layers, linear output.

    x_quantised: uint8 (n, features), q + 128. noise: standard deviation, in q /
    64, of what is added to the input and to be removed again, so that few rows
    are not learned by heart (Vincent et al., "Extracting and composing robust
    features with denoising autoencoders", 2008). The same input and seed give
    the same weights, in any process on the same kind of machine.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums depend on the number of cores
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rows = x_quantised
    if len(rows) > ROWS_MAX:
        rows = rows[np.linspace(0, len(rows) - 1, ROWS_MAX).astype(np.int64)]
    x = (rows.astype(np.float32) - 128) / (1 << INPUT_BITS)
    width = x.shape[1]
    model = keras.Sequential([keras.Input((width,))])
    if noise:
        model.add(keras.layers.GaussianNoise(noise))
    for size in hidden:
        model.add(keras.layers.Dense(size, activation="relu"))
    model.add(keras.layers.Dense(width))
    repeats = max(1, -(-STEPS * BATCH // REPORTS // len(x)))
    epochs = REPORTS if repeats > 1 else max(EPOCHS_MIN, -(-STEPS * BATCH // len(x)))
    x = np.tile(x, (repeats, 1))
    batches = -(-len(x) // BATCH)
    decay = keras.optimizers.schedules.CosineDecay(4e-3, epochs * batches, alpha=0.02)
    model.compile(
        optimizer=keras.optimizers.Adam(decay),
        loss="mse",
        jit_compile=False,
        steps_per_execution=min(batches, 100),
    )

    class Report(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            progress(epoch + 1, epochs)

    model.fit(x, x, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[Report()])
    return [
        (layer.kernel.numpy().T.copy(), layer.bias.numpy())
        for layer in model.layers
        if layer.weights
    ]
