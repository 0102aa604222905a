"""The two one-class detectors on quantised features. Scores are non-negative-leaning ints; higher is more outlying."""


class Autoencoder:
    """Score: squared reconstruction error, sum((x - y)^2), below 2^30 for any input (proved at export)."""

    def __init__(self, model, kernel):
        self._dense = kernel.dense
        self._distance = kernel.distance
        self._n = model.features
        # (weights, cols, bias, shift, blocks, output): one tuple a layer, so that a call allocates nothing
        self._layers = [layer + (bytearray(4 * layer[4]),) for layer in model.layers]
        self.y = self._layers[-1][5]

    def score(self, x):
        source = x
        for layer in self._layers:
            self._dense(layer[0], source, layer[1], layer[2], layer[3], layer[4], layer[5])
            source = layer[5]
        return self._distance(x, source, self._n)


class Svm:
    """Score: minus the linear one-class SVM's decision on the hinges of x, without its constant (in the threshold)."""

    def __init__(self, model, kernel):
        self._hinges = kernel.hinges
        self._model = model

    def score(self, x):
        m = self._model
        return self._hinges(x, m.svm_weights, m.knots, m.features, len(m.knots))
