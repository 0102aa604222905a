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
    """Put each (name in the folder `stage`, place) there: folders, packages in
    a folder of sys.path, then files.

    The power may fail at any moment: a package then is whole where it is
    imported from. Littlefs can't exchange two folders at once, but the current
    folder is searched before any other: the new package goes there first, and
    to its place when the former one is gone. The former one stays until the
    files are there. A file is replaced in one step.
    """
    for name, place in folders:
        here = place.rpartition("/")[2]
        _settle(here, place)  # what a loss of power left
        os.rename(stage + "/" + name, here)
    for name, place in files:
        os.rename(stage + "/" + name, place)
    for _, place in folders:
        _settle(place.rpartition("/")[2], place)
    remove(stage)


def _settle(here, place):
    if _kind(here) is not None:
        remove(place)
        os.rename(here, place)
