"""Checks a device discovery message against Home Assistant's documentation.

https://www.home-assistant.io/integrations/mqtt/ (discovery topic, device
discovery payload, abbreviations), /integrations/sensor.mqtt/ and
/integrations/binary_sensor.mqtt/ (options of the two platforms, required ones
marked there). Home Assistant ignores keys that it does not know; here they are
errors, for a misspelt option is one.
"""

import json
import re

# Abbreviation: option, of those that the two platforms and the shared part
# have.
ABBREVIATIONS = {
    "avty": "availability", "avty_mode": "availability_mode", "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "cmps": "components", "dev": "device", "dev_cla": "device_class", "e": "encoding",
    "en": "enabled_by_default",
    "ent_cat": "entity_category", "exp_aft": "expire_after", "frc_upd": "force_update",
    "ic": "icon",
    "json_attr_t": "json_attributes_topic", "json_attr_tpl": "json_attributes_template",
    "o": "origin",
    "off_dly": "off_delay",
    "p": "platform", "pl_avail": "payload_available", "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on", "stat_cla": "state_class", "stat_t": "state_topic",
    "sug_dsp_prc": "suggested_display_precision",
    "uniq_id": "unique_id", "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
}  # fmt: skip
DEVICE_ABBREVIATIONS = {
    "cu": "configuration_url", "cns": "connections", "ids": "identifiers", "mf": "manufacturer",
    "mdl": "model",
    "mdl_id": "model_id", "hw": "hw_version", "sw": "sw_version", "sa": "suggested_area",
    "sn": "serial_number",
}  # fmt: skip
ORIGIN_ABBREVIATIONS = {"sw": "sw_version", "url": "support_url"}

AVAILABILITY = {"availability", "availability_mode", "availability_topic", "availability_template"}
AVAILABILITY |= {"payload_available", "payload_not_available"}
SHARED = AVAILABILITY | {"device", "origin", "components", "state_topic", "qos", "encoding"}
ENTITY = AVAILABILITY | {
    "platform",
    "unique_id",
    "name",
    "device_class",
    "enabled_by_default",
    "encoding",
    "entity_category",
}
ENTITY |= {
    "expire_after",
    "force_update",
    "icon",
    "json_attributes_topic",
    "json_attributes_template",
    "qos",
    "state_topic",
}
ENTITY |= {"value_template"}
PLATFORMS = {
    "sensor": ENTITY | {"state_class", "unit_of_measurement", "suggested_display_precision"},
    "binary_sensor": ENTITY | {"off_delay", "payload_on", "payload_off"},
}
DEVICE = {*DEVICE_ABBREVIATIONS.values(), "name", "via_device"}
STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
BINARY_CLASSES = {
    "problem",
    "safety",
    "tamper",
    "connectivity",
    "running",
    "update",
    "power",
    "sound",
    "motion",
    "heat",
}


def check_discovery(topic: str, payload: str) -> dict:
    """The payload with full names. Raises AssertionError for what Home
    Assistant's documentation does not allow.
    """
    assert re.fullmatch(r"homeassistant/device(/[a-zA-Z0-9_-]+)?/[a-zA-Z0-9_-]+/config", topic), (
        topic
    )
    config = _full(json.loads(payload), ABBREVIATIONS)
    device, origin = (
        _full(config["device"], DEVICE_ABBREVIATIONS),
        _full(config["origin"], ORIGIN_ABBREVIATIONS),
    )
    assert set(config) <= SHARED, set(config) - SHARED
    assert set(device) <= DEVICE and (device.get("identifiers") or device.get("connections")), (
        "a device needs one of these"
    )
    assert origin["name"] and set(origin) <= {"name", "sw_version", "support_url"}
    assert config.get("qos", 0) in (0, 1, 2)
    components = {key: _full(value, ABBREVIATIONS) for key, value in config["components"].items()}
    assert components
    for key, component in components.items():
        _check_component(key, component, config)
    unique = [component["unique_id"] for component in components.values()]
    assert len(set(unique)) == len(unique)
    return {**config, "device": device, "origin": origin, "components": components}


def _check_component(key: str, component: dict, config: dict) -> None:
    assert component["platform"] in PLATFORMS and len(component) > 1, key
    allowed = PLATFORMS[component["platform"]]
    assert set(component) <= allowed, (key, set(component) - allowed)
    assert component["unique_id"], "required of entity components"
    topic = component.get("state_topic") or config.get("state_topic")
    assert topic, "required by sensor and binary_sensor"
    for name, value in {**config, **component}.items():
        if name.endswith("_topic"):
            assert value and not re.search(r"[+#\0]", value), (
                f"{name}: a topic to subscribe to without wildcards"
            )
        if name.endswith("_template"):
            assert re.fullmatch(r"\{\{ value_json\.[a-z_]+ \}\}", value), (
                f"{name}: the only form used here"
            )
    if "state_class" in component:
        assert component["state_class"] in STATE_CLASSES
        assert component.get("unit_of_measurement") != "", "a statistic has a unit, or none at all"
    if component["platform"] == "binary_sensor" and "device_class" in component:
        assert component["device_class"] in BINARY_CLASSES


def _full(options: dict, abbreviations: dict) -> dict:
    full = {abbreviations.get(name, name): value for name, value in options.items()}
    assert len(full) == len(options), "an option both abbreviated and in full"
    return full
