"""One step a window: counters, features, both scores, alarm. Needs no clock, no
asyncio and no sockets.
"""

from .alarm import Alarm
from .counters import Windows
from .explain import top_features


class Pipeline:
    """Scores windows of `source` with `model`.

    After each `step`: deltas (array('i'), one a counter), x and y (quantised
    features + 128 and their reconstruction), ae and svm (ints), hot (a score is
    over its threshold), alarm.active. `kernel` is a module of inlier.kernels;
    by default the fastest that loads here.
    """

    def __init__(self, model, source, kernel=None, latched=False):
        if kernel is None:
            from .kernels import chosen as kernel
        self.model = model
        self.windows = Windows(source)
        self.deltas = self.windows.deltas
        self._params = model.params
        self._work, self.x, self.y = kernel.prepare(model)
        self._features = kernel.features
        self._autoencoder = kernel.autoencoder
        self._svm = kernel.svm
        self.alarm = Alarm(*model.alarm, latched)
        self.ae = 0
        self.svm = 0
        self.hot = False
        self.index = -1

    def step(self, elapsed=1):
        """Take and score one window; returns 1 when it raises the alarm, -1
        when it clears it, else 0.
        """
        return self.score(self.windows.take(elapsed))

    def score(self, deltas):
        """The same for a window from elsewhere: an int32 buffer of one delta a
        counter.
        """
        # Few locals: a frame beyond 11 words would come from MicroPython's
        # heap.
        self._features(deltas, self._params, self._work)
        self.ae = self._autoencoder(self._params, self._work)
        self.svm = self._svm(self._params, self._work)
        self.hot = self.ae > self.model.threshold_ae or self.svm > self.model.threshold_svm
        self.index += 1
        return self.alarm.step(self.hot)

    def explain(self, count=3):
        """The features that contributed most to the last window: [(name, per
        cent)], largest first.
        """
        return top_features(self.model, self.x, self.y, count)
