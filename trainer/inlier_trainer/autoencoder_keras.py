"""The autoencoder fitted by Keras (`--backend keras`): the same hidden inputs,
examples and number of steps as autoencoder.py's.
"""

import os

import numpy as np

from .autoencoder import BATCH, RATE, RATE_LAST, Examples, FloatLayers, kept, steps


def fit(rows: Examples, hidden: tuple[int, ...], seed: int) -> FloatLayers:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums depend on the number of cores
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(seed)
    copies = max(4, -(-steps(len(rows.x)) * BATCH // len(rows.x)))
    drawn = np.tile(np.arange(len(rows.x)), copies)
    x = rows.x[drawn] * kept(rng, len(drawn), rows)
    model = keras.Sequential([keras.Input((x.shape[1],))])
    for size in hidden:
        model.add(keras.layers.Dense(size, activation="relu"))
    model.add(keras.layers.Dense(x.shape[1]))
    batches = -(-len(x) // BATCH)
    decay = keras.optimizers.schedules.CosineDecay(RATE, batches, alpha=RATE_LAST)
    model.compile(
        optimizer=keras.optimizers.Adam(decay),
        loss="mse",
        jit_compile=False,
        steps_per_execution=min(batches, 100),
    )
    model.fit(x, rows.y[drawn], batch_size=BATCH, epochs=1, verbose=0)
    return [
        (layer.kernel.numpy().T.copy(), layer.bias.numpy())
        for layer in model.layers
        if layer.weights
    ]
