"""Sink for AWS IoT Device Defender: a metrics report at most every 300 s, with
inlier's score and alarm as custom metrics. Legacy: AWS takes no new customers
since 2026-08-31; docs/alarms.md says how to move away.

    from inlier.sinks import defender, mqtt
    # the thing's name, its certificate
    aws = mqtt.Mqtt("bell1", "….iot.eu-central-1.amazonaws.com", ssl=context)
    sink = defender.Defender("bell1", aws.publish, time.time)

The report is the documented JSON (AWS IoT Device Defender, "Device-side
metrics", with its short names): network_stats are what was counted since the
last report. Of inlier's sources procfs counts packets; where none are counted
none are reported. Define the custom metrics inlier_score and inlier_alarm, of
type number, in AWS.
"""

import json

from . import Sink
from .message import score

PERIOD_S = 300  # Device Defender throttles a device that reports more often

# In the documentation's order: (long, short).
_NAMES = {
    "header": "hed",
    "report_id": "rid",
    "version": "v",
    "metrics": "met",
    "network_stats": "ns",
    "bytes_in": "bi",
    "bytes_out": "bo",
    "packets_in": "pi",
    "packets_out": "po",
    "custom_metrics": "cmet",
}
_COUNTED = ("bytes_in", "bytes_out", "packets_in", "packets_out")


class Defender(Sink):
    """publish(topic, payload): takes a report, such as Mqtt's.
    clock_s(): seconds that only grow, over reboots too.

    Raises ValueError for a period that would be throttled.
    """

    def __init__(self, thing, publish, clock_s, short_names=False, period_s=PERIOD_S):
        if period_s < PERIOD_S:
            raise ValueError(
                "defender: period_s %d: Device Defender takes one report in %d s"
                % (period_s, PERIOD_S)
            )
        self._topic = "$aws/things/%s/defender/metrics/json" % thing
        self._publish = publish
        self._clock_s = clock_s
        self._short = short_names
        self._period_s = period_s
        self._sums = {}
        self._score = 0
        self._alarm = 0
        self._last_s = clock_s()  # a device that boots again and again reports no more often

    def on_alarm(self, pipeline, features):
        self._alarm = 1

    def on_window(self, pipeline):
        counters = pipeline.model.counters()
        for name in _COUNTED:
            if name in counters:
                self._sums[name] = self._sums.get(name, 0) + pipeline.deltas[counters.index(name)]
        self._score = max(self._score, score(pipeline))
        if pipeline.alarm.active:
            self._alarm = 1
        now_s = int(self._clock_s())
        if now_s - self._last_s >= self._period_s:
            self._publish(self._topic, json.dumps(self._report(now_s)))
            self._last_s = now_s
            self._sums = {}
            self._score = self._alarm = 0

    def _report(self, now_s):
        n = self._name
        return {
            n("header"): {n("report_id"): now_s, n("version"): "1.0"},
            n("metrics"): {
                n("network_stats"): {n(name): count for name, count in self._sums.items()}
            },
            n("custom_metrics"): {
                "inlier_score": [{"number": self._score}],
                "inlier_alarm": [{"number": self._alarm}],
            },
        }

    def _name(self, name):
        return _NAMES[name] if self._short else name
