"""Moves what was copied beside the running program into its place, for
inlier_boards/deployment. Nothing here reads a file.
"""

import os


def _kind(path):
    try:
        return os.stat(path)[0] & 0x4000
    except OSError:
        return None


def remove(path):
    """A file, or a folder with all that is in it; nothing where there is
    nothing.
    """
    kind = _kind(path)
    if kind is None:
        return
    if kind:
        for entry in list(os.ilistdir(path)):
            remove(path + "/" + entry[0])
        os.rmdir(path)
    else:
        os.remove(path)


def make_folder(path):
    if _kind(path) is None:
        os.mkdir(path)


def activate(stage, folders, files):
    """Put each (name in the folder `stage`, place) there: folders first, each
    with its former one kept until then.

    A loss of power between the two renames of a folder, some milliseconds of a
    runtime's update, leaves the former one as `.old` alone: deploy again. A
    file is replaced in one step.
    """
    for name, place in folders:
        old = place + ".old"
        remove(old)
        if _kind(place) is not None:
            os.rename(place, old)
        os.rename(stage + "/" + name, place)
    for name, place in files:
        os.rename(stage + "/" + name, place)
    for _, place in folders:
        remove(place + ".old")
    remove(stage)
