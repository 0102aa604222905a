# Freezes the runtime into a firmware. In the board's own manifest:
#     include("…/firmware/manifest.py", kernels=("thumb",))
# The first of the kernels that loads is used: dsp on Cortex-M with the DSP
# extension (the Pico 2), thumb on any Cortex-M (the Pico), rv32 on
# RISC-V (the ESP32-C3), viper on ports with native code (the ESP32), array with
# ulab, plain anywhere.
# With secure=True also what checks, updates and keeps models (inlier/secure),
# with sinks=True where alarms go (inlier/sinks); with recorder=False without
# what records windows for `inlier record`. sources: those that count there, of
# sockets, packets (firmware with its C module), procfs (Linux alone) and
# replay (windows that were recorded).
import json
import os

options.defaults(kernels=("viper",), sources=("sockets",), secure=False, sinks=False, recorder=True)

_RECORDER = ("inlier/line.py", "inlier/recorder.py", "inlier/ring.py")

_LINUX = ("inlier/packet_socket_micropython.py", "inlier/packets_linux.py", "inlier/socket_unix.py")

_SOURCES = {
    "sockets": ("socket_micropython", "sockets"),
    "packets": ("packet_counters", "packets"),
    "procfs": ("procfs",),
    "replay": ("replay",),
}
_sources = [name for names in _SOURCES.values() for name in names]
_counted = [name for source in options.sources for name in _SOURCES[source]]
_LOOPS = {"dsp": "thumb", "thumb": "thumb", "rv32": "viper", "viper": "viper"}
_loops = {"sockets_" + _LOOPS.get(kernel, "plain") for kernel in options.kernels}

_KERNEL_FILES = {
    "dsp": ("dsp", "thumb", "thumb_autoencoder", "native"),
    "thumb": ("thumb", "thumb_autoencoder", "native"),
    "rv32": ("rv32", "viper", "native"),
    "viper": ("viper", "native"),
    "array": ("array", "plain"),
    "plain": ("plain",),
}
_frozen = {"__init__"}
for _kernel in options.kernels:
    _frozen.update(_KERNEL_FILES[_kernel])


def _wanted(path):
    folder, _, name = path.rpartition("/")
    if folder == "inlier/secure":
        return options.secure
    if folder == "inlier/sinks":
        return options.sinks
    if path in _RECORDER:
        return options.recorder or path == "inlier/line.py" and options.sinks
    if path == "inlier/benign.py":
        return options.sinks
    if path in _LINUX:  # no board is one
        return False
    if name.startswith("sockets_"):
        return "sockets" in options.sources and name[: -len(".py")] in _loops
    if folder == "inlier" and name[: -len(".py")] in _sources:
        return name[: -len(".py")] in _counted
    return folder != "inlier/kernels" or name[: -len(".py")] in _frozen


with open("package.json") as _f:
    # in a wheel this file lies in the package
    package(
        "inlier",
        [target[len("inlier/") :] for target, _ in json.load(_f)["urls"] if _wanted(target)],
        base_path="." if os.path.isdir("inlier") else "..",
    )
