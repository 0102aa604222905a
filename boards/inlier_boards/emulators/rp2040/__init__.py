"""The Pico's chip emulated by rp2040py, with the firmware of the real board:
its interpreter, its file system, its lwIP. Its Wi-Fi reaches this machine's
loopback addresses and nothing else.
"""

from .board import Guest, Plugged, checked, emulated, plugged
from .image import Image

__all__ = ["Guest", "Image", "Plugged", "checked", "emulated", "plugged"]
