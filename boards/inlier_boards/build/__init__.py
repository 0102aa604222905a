"""Builds MicroPython and firmware with the runtime, into a cache folder."""
