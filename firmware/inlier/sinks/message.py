"""An alarm as people read it: what changed, when it began, how sure, and what
to do about a false one; and, apart from it, that a device has gone quiet.

Runs when there is something to say, not on the steady path: it may allocate.
"""

from ..benign import most
from . import Sink

# What a counter counts, in words; a counter that is missing here goes by its
# own name.
WORDS = {
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
    "syn_out": "connections begun",
    "syn_in": "connections begun from outside",
    "synack_in": "connections answered",
    "rst_in": "connections reset by others",
    "udp_out": "datagrams sent",
    "udp_in": "datagrams received",
    "icmp": "ICMP messages",
    "arp": "ARP messages",
    "dns": "names looked up",
    "broadcast": "broadcasts received",
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
GAP = 24  # windows without evidence: no horizon lets more of them pass
ADVICE = "If that is benign, teach it: inlier train --add."


def what_changed(pipeline, features):
    """'connects to new peers: 41 in this window, at most 1 before; ...' of the
    features that contributed, each counter once.

    One within what it did before is odd only beside the others.
    """
    model = pipeline.model
    counters = model.counters()
    told = []
    said = []
    for name, _ in features:
        counter, _, span = name.partition("~")
        if counter in told or counter not in counters:
            continue
        told.append(counter)
        c = counters.index(counter)
        words = WORDS.get(counter, counter)
        usual = most(model, c)
        if pipeline.deltas[c] > usual:
            said.append(
                "%s: %d in this window, at most %d before" % (words, pipeline.deltas[c], usual)
            )
        elif span:
            said.append("%s: more than ever over about %s windows" % (words, span))
        else:
            said.append("%s: more than the rest explains" % words)
    return "; ".join(said) or "unusual together: %s" % ", ".join(WORDS.get(c, c) for c in counters)


def score(pipeline):
    """The score in per cent of the lowest threshold."""
    return 100 * pipeline.svm // max(1, pipeline.least)


def far_below(model, f):
    """'bytes received, packets received': the counters below their usual."""
    table = model.table()
    counters = model.counters()
    kinds = len(model.kinds)
    words = []
    for i in range(model.features):
        p = 12 * i
        if table[p + 10] and f[i] < (table[p + 4] | table[p + 5] << 8):
            name = counters[i // kinds]
            name = WORDS.get(name, name)
            if name not in words:
                words.append(name)
    return ", ".join(words) or "its traffic"


def lasting(model, windows):
    """'40 s', '9 minutes', '5 hours': so many windows, rounded down."""
    s = windows * model.window_ms // 1000
    if s < 120:
        return "%d s" % s
    return "%d minutes" % (s // 60) if s < 7200 else "%d hours" % (s // 3600)


def state(pipeline):
    """What is said of every window. horizons: [k, n, threshold in per cent of
    the lowest, windows of the last n over it] each; gone: whether the device
    has gone quiet; held: whether nothing can be raised in the next window, as
    after boot. features: of a window over a threshold.
    """
    least = max(1, pipeline.least)
    counts = pipeline.alarm.horizons.counts
    told = {
        "score": score(pipeline),
        "ae": pipeline.ae,
        "svm": pipeline.svm,
        "hot": int(pipeline.hot),
        "window": pipeline.index,
        "horizons": [
            [k, n, 100 * limit // least, counts[h]]
            for h, (k, n, limit) in enumerate(pipeline.model.horizons())
        ],
        "gone": int(pipeline.quiet.active),
        "held": int(pipeline.alarm.hold > 0),
        "source": pipeline.model.source,
        "window_ms": pipeline.model.window_ms,
        "deltas": list(pipeline.deltas),
    }
    if pipeline.hot:
        told["features"] = [list(feature) for feature in pipeline.explain()]
    return told


class Episode:
    """Follows an alarm from its first window over threshold to its clear, and
    describes it.

    Call `window` after each window; `alarm`, `clear` and `quiet` as the
    monitor's callbacks do, before it.
    """

    def __init__(self):
        self.began = 0
        self._raised = None  # in which window, where one is on
        self._silent = None  # the first window of a device that has gone quiet
        self._last_hot = -1000
        self._peak = 0

    def window(self, pipeline):
        if not pipeline.hot:
            return
        if pipeline.index - self._last_hot > GAP:
            self.began = pipeline.index
            self._peak = 0
        self._last_hot = pipeline.index
        self._peak = max(self._peak, score(pipeline))

    def alarm(self, pipeline, features):
        """{"alarm": "ON", ...}: window and began are indices since boot, score
        is in per cent of the lowest threshold. Again, of an alarm that is on:
        it grows, which `grows` says.
        """
        self.window(pipeline)
        model = pipeline.model
        grows = self._raised is not None
        if grows:
            since = "On for " + lasting(model, pipeline.index - self._raised)
        else:
            self._raised = pipeline.index
            ago = lasting(model, pipeline.index - self.began)
            since = "Began just now" if ago == "0 s" else "Began %s ago" % ago
        times = self._peak // 100
        sure = "far over" if times >= 10 else "clearly over" if times >= 2 else "just over"
        return {
            "alarm": "ON",
            "grows": int(grows),
            "window": pipeline.index,
            "began": self.began,
            "score": self._peak,
            "features": [list(feature) for feature in features],
            "message": "%s%s. %s; %s its threshold (%d.%d times). %s"
            % (
                "It grows: " if grows else "",
                what_changed(pipeline, features),
                since,
                sure,
                times,
                self._peak // 10 % 10,
                ADVICE,
            ),
        }

    def clear(self, pipeline):
        """{"alarm": "OFF", ...}, of the alarm that `alarm` described."""
        since = self._since(pipeline, None if self._raised is None else self.began)
        self._raised = None
        return {
            "alarm": "OFF",
            "window": pipeline.index,
            "began": self.began,
            "score": self._peak,
            "features": [],
            "message": "Calm again %s." % since,
        }

    def _since(self, pipeline, began):
        """None: unknown, for secure/state.py keeps an alarm without its words."""
        if began is None:
            return "after a reboot"
        return "after " + lasting(pipeline.model, pipeline.index - began)

    def quiet(self, pipeline):
        """{"quiet": "ON" or "OFF", ...}: the device has gone quiet, or is
        back.
        """
        model = pipeline.model
        active = pipeline.quiet.active
        if active:
            self._silent = pipeline.index + 1 - model.quiet_after
            message = "gone quiet: %s far below what is usual for %s; often its network is away" % (
                far_below(model, pipeline.f),
                lasting(model, model.quiet_after),
            )
        else:
            message = "back " + self._since(pipeline, self._silent)
            self._silent = None
        return {
            "quiet": "ON" if active else "OFF",
            "window": pipeline.index,
            "message": message,
        }


class Teller(Sink):
    """What the sinks have in common that put an alarm into words: they override
    `tell`, which gets each event of an Episode, a dict, and `tell_state`, which
    gets `state` of every state_every-th window (0: of none).
    """

    def __init__(self, state_every=0):
        self._episode = Episode()
        self._state_every = state_every

    def on_alarm(self, pipeline, features):
        self.tell(self._episode.alarm(pipeline, features))

    def on_clear(self, pipeline):
        self.tell(self._episode.clear(pipeline))

    def on_quiet(self, pipeline):
        self.tell(self._episode.quiet(pipeline))

    def on_window(self, pipeline):
        self._episode.window(pipeline)
        if self._state_every and pipeline.index % self._state_every == 0:
            self.tell_state(state(pipeline))
