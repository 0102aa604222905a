"""Home Assistant's MQTT discovery: one device payload that announces a score
sensor, an alarm and, apart from it, that the device has gone quiet.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload;
abbreviations as listed there.
"""

import sys

from .. import __version__

# Home Assistant's own birth message: whoever sees it announces again
BIRTH = ("homeassistant/status", b"online")


def config_topic(device_id):
    return "homeassistant/device/inlier_%s/config" % device_id


def discovery(device_id, name, base):
    """The payload for config_topic, as a dict.

    base: the topic below which the device publishes.
    """
    unique = "inlier_" + device_id
    return {
        "dev": {
            "ids": [unique],
            "name": name,
            "mf": "inlier",
            "mdl": sys.platform,
            "sw": __version__,
        },
        "o": {"name": "inlier", "sw": __version__},
        "avty_t": base + "/availability",
        "qos": 1,
        "cmps": {
            "score": {
                "p": "sensor",
                "uniq_id": unique + "_score",
                "name": "Score",
                "stat_t": base + "/state",
                "val_tpl": "{{ value_json.score }}",
                "unit_of_meas": "%",
                "stat_cla": "measurement",
            },
            "alarm": {
                "p": "binary_sensor",
                "uniq_id": unique + "_alarm",
                "name": "Alarm",
                "dev_cla": "problem",
                "stat_t": base + "/alarm",
                "val_tpl": "{{ value_json.alarm }}",
                "json_attr_t": base + "/alarm",
            },
            # no device class: that a network is away is no problem of the
            # device's
            "quiet": {
                "p": "binary_sensor",
                "uniq_id": unique + "_quiet",
                "name": "Gone quiet",
                "stat_t": base + "/quiet",
                "val_tpl": "{{ value_json.quiet }}",
                "json_attr_t": base + "/quiet",
            },
        },
    }
