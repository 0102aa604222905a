# Freezes the runtime into a firmware. In the board's own manifest:
#     include("…/firmware/manifest.py", kernels=("thumb",))
# The first of the kernels that loads is used: thumb on Cortex-M (the Pico),
# viper on ports with native code (the ESP32), array with ulab, plain anywhere.
# With secure=True also what checks, updates and keeps models (inlier/secure),
# with sinks=True where alarms go (inlier/sinks); with stream=False without what
# sends or keeps windows for `record --port`.
import json
import os

options.defaults(kernels=("viper",), secure=False, sinks=False, stream=True)

_KERNEL_FILES = {
    "thumb": ("thumb", "thumb_autoencoder", "native"),
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
    if path == "inlier/stream.py":
        return options.stream
    if path == "inlier/procfs.py":
        return False  # what it reads is Linux's
    return folder != "inlier/kernels" or name[: -len(".py")] in _frozen


with open("package.json") as _f:
    package(
        "inlier",
        [target[len("inlier/") :] for target, _ in json.load(_f)["urls"] if _wanted(target)],
        base_path="." if os.path.isdir("inlier") else "..",
    )  # in a wheel this file lies in the package
