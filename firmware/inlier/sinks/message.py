"""An alarm as people read it: what changed, when it began, how sure, and what
to do about a false one.

Runs when an alarm is raised or clears, not on the steady path: it may allocate.
"""

from .benign import usual

# What a counter counts, in words; a counter that is missing here goes by its
# own name.
_WORDS = {
    "bytes_out": "bytes sent",
    "bytes_in": "bytes received",
    "sends": "sends",
    "receives": "receives",
    "connects": "connections begun",
    "connects_refused": "connections refused",
    "connects_failed": "connections failed",
    "accepts": "connections accepted",
    "datagrams_out": "datagrams sent",
    "datagrams_in": "datagrams received",
    "lookups": "names looked up",
    "peers": "hosts in touch",
    "ports": "remote ports tried",
    "peers_new": "connects to new peers",
    "packets_out": "packets sent",
    "packets_in": "packets received",
    "tcp_active_opens": "connections begun",
    "tcp_passive_opens": "connections accepted",
    "tcp_attempt_fails": "connections failed",
    "tcp_retrans_segs": "segments sent again",
    "tcp_out_rsts": "connections reset",
    "udp_in_datagrams": "datagrams received",
    "udp_no_ports": "datagrams to closed ports",
    "udp_out_datagrams": "datagrams sent",
    "icmp_in_msgs": "ICMP messages received",
    "icmp_out_msgs": "ICMP messages sent",
}
ADVICE = "If that is benign, teach it: inlier train --add."


def what_changed(pipeline, features):
    """'connects to new peers: 41 in this window, usually 0-1; ...' of the
    features that contributed, each counter once.

    A counter within its range is passed over: it is odd only beside the others.
    """
    model = pipeline.model
    counters = model.counters()
    scales = len(model.scales)
    told = []
    said = []
    for name, _ in features:
        counter, _, span = name.partition("~")
        if counter in told or counter not in counters:
            continue
        told.append(counter)
        c = counters.index(counter)
        words = _WORDS.get(counter, counter)
        low, high = usual(model, c * scales)
        value = pipeline.deltas[c]
        if value < low or value > high:
            usually = "%d" % low if low == high else "%d-%d" % (low, high)
            said.append("%s: %d in this window, usually %s" % (words, value, usually))
        elif span:  # nothing odd in this window alone: a mean over many is off
            i = c * scales + [1 << k for k in model.scales].index(int(span))
            more = "more" if pipeline.x[i] > 128 else "fewer"
            said.append("%s: %s than usual over about %s windows" % (words, more, span))
    return "; ".join(said) or "unusual together: %s" % ", ".join(_WORDS.get(c, c) for c in told)


def score(pipeline):
    """The larger of both scores in per cent of its threshold."""
    model = pipeline.model
    ae = 100 * pipeline.ae // max(1, model.threshold_ae)
    return max(0, ae, 100 * pipeline.svm // max(1, model.threshold_svm))


def state(pipeline):
    """What is said of every window. features: of one over a threshold."""
    told = {
        "score": score(pipeline),
        "ae": pipeline.ae,
        "svm": pipeline.svm,
        "hot": int(pipeline.hot),
        "window": pipeline.index,
        "source": pipeline.model.source,
        "deltas": list(pipeline.deltas),
    }
    if pipeline.hot:
        told["features"] = [list(feature) for feature in pipeline.explain()]
    return told


class Episode:
    """Follows an alarm from its first window over threshold to its clear, and
    describes it.

    Call `window` after each window; `alarm` and `clear` as the monitor's
    callbacks do, before it.
    """

    def __init__(self):
        self.began = 0
        self._last_hot = -1000
        self._peak = 0

    def window(self, pipeline):
        if not pipeline.hot:
            return
        if (
            pipeline.index - self._last_hot > pipeline.model.alarm[1]
        ):  # further apart than k of n looks back
            self.began = pipeline.index
            self._peak = 0
        self._last_hot = pipeline.index
        self._peak = max(self._peak, score(pipeline))

    def alarm(self, pipeline, features):
        """{"alarm": "ON", ...}: window and began are indices since boot, score
        is in per cent of its threshold.
        """
        self.window(pipeline)
        model = pipeline.model
        ago_s = (pipeline.index - self.began) * model.window_ms // 1000
        began = "%d s ago" % ago_s if ago_s else "just now"
        times = self._peak // 100
        sure = "far over" if times >= 10 else "clearly over" if times >= 2 else "just over"
        return {
            "alarm": "ON",
            "window": pipeline.index,
            "began": self.began,
            "score": self._peak,
            "features": [list(feature) for feature in features],
            "message": "%s. Began %s; %s its threshold (%d.%d times). %s"
            % (what_changed(pipeline, features), began, sure, times, self._peak // 10 % 10, ADVICE),
        }

    def clear(self, pipeline):
        """{"alarm": "OFF", ...}, of the alarm that `alarm` described."""
        lasted_s = (pipeline.index - self.began) * pipeline.model.window_ms // 1000
        return {
            "alarm": "OFF",
            "window": pipeline.index,
            "began": self.began,
            "score": self._peak,
            "features": [],
            "message": "Quiet again after %d s." % lasted_s,
        }
