"""One step a window: counters, features, scores, alarm. Needs no clock, no
asyncio and no sockets.
"""

from array import array

from .alarm import Alarm, Quiet
from .counters import Windows
from .explain import leading, top_features


def _no_error(params, work):
    return 0  # of a model without an autoencoder


class Pipeline:
    """Scores windows of `source` with `model`.

    After each `step`: deltas (array('i'), one a counter), f (log features), x
    and y (the autoencoder's inputs + 128 and their reconstruction), ae (squared
    reconstruction error) and svm (the one score of both detectors, which the
    alarm rests on), hot (it is over `least`, the lowest threshold),
    alarm.active, event (what `step` returned); quiet.score, quiet.active and
    quiet.event (1: gone quiet in this window, -1: back). `kernel` is a module
    of inlier.kernels; by default the fastest that loads here.
    """

    def __init__(self, model, source, kernel=None, latched=False):
        if kernel is None:
            from .kernels import chosen as kernel
        self.model = model
        self.windows = Windows(source, kernel.subtract)
        self.deltas = self.windows.deltas
        self._params = model.params
        self.work, self.x, self.y, self.f = kernel.prepare(model)
        self._features = kernel.features
        self._autoencoder = kernel.autoencoder
        self._evidence = kernel.evidence
        self.least = min(limit for _, _, limit in model.horizons())
        self._table = model.table()
        self._sums = array("i", [0] * 2 + [self.least, model.threshold_quiet])
        self.alarm = Alarm(model, latched)
        # bound once: each binding takes heap, and looking one up time
        self._take = self.windows.take
        self._leading = self.leading
        self.quiet = Quiet(model, self._sums)
        if not model.rows:
            self._autoencoder = _no_error
        # whether a window with both sums within their limits changes nothing
        self.idle = False
        self.ae = 0
        self.svm = 0
        self.hot = False
        self.index = -1
        self.event = 0

    def score(self, deltas):
        """Score a window from elsewhere: an int32 buffer of one delta a
        counter.
        """
        return self.step(None, deltas)

    def step(self, elapsed=1, deltas=None):
        """Take and score one window; returns 1 when it raises the alarm, 2
        when one that is on grows, -1 when it clears it, else 0.
        """
        # Few locals: a frame beyond 11 words would come from MicroPython's
        # heap.
        if deltas is None:
            deltas = self._take(elapsed)
        params = self._params
        work = self.work
        self._features(deltas, params, work)
        self.ae = self._autoencoder(params, work)
        self.index += 1
        sums = self._sums
        if self._evidence(params, work, sums) or not self.idle:
            return self._decide(sums)
        self.svm = sums[0]
        return 0

    def _decide(self, sums):
        if self.model.by_rows:
            return self._row(sums)
        self.svm = sums[0]
        hot = self.hot = sums[0] > self.least
        if sums[1] > self.quiet.threshold or not self.quiet.idle:
            self.quiet.step()
        if hot or not self.alarm.idle:
            self.event = self.alarm.step(self.svm, False, self._leading)
        self.idle = self.alarm.idle and self.quiet.idle
        return self.event

    def _row(self, sums):
        """What is too low is odd there, and no silence; and the autoencoder's
        error decides too.
        """
        self.svm = sums[0] + sums[1]
        odd = self.ae > self.model.threshold_ae
        self.hot = odd or self.svm > self.least
        self.event = self.alarm.step(self.svm, odd, self._leading)
        return self.event

    def leading(self):
        """Index of the counter that contributed most to the last window."""
        return leading(self.model, self._table, self.f, self.y)

    def explain(self, count=3):
        """The features that contributed most to the last window: [(name, per
        cent)], largest first.
        """
        return top_features(self.model, self.f, self.y, count)
