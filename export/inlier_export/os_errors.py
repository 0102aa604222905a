"""What an error of the operating system means for who called the command."""

import errno
import os

_NO_ROOM = "free some space there, then repeat the command; what was there before is as it was"
_HELP: dict[int | None, str] = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EEXIST: "something else has that name: name another place",
    errno.EISDIR: "it is a folder: name a file",
    errno.EACCES: "ask its owner for permission, or name another place",
    errno.EPERM: "ask its owner for permission, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EFBIG: "the file system, or 'ulimit -f', allows no file as large: name another place",
    errno.EIO: "the disk or the device fails: copy what is there to another one",
    errno.EMFILE: "too many files are open: raise 'ulimit -n'",
    errno.ENFILE: "too many files are open on this machine: close other programs",
    errno.ENOMEM: "close other programs, or use a machine with more memory",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "its symbolic links go in circles: name the file itself",
    errno.ENXIO: "nothing is at the other end: name a file",
    errno.EBUSY: "another program has it: close that one",
    errno.ETXTBSY: "another program has it: close that one",
    errno.EADDRINUSE: "another program has that address: close that one",
}


def what_helps(error: OSError) -> str:
    return _HELP.get(error.errno, "check the path, and that the disk works")


def said(error: OSError, path: object = None) -> str:
    """'PATH: what happened; what helps'.

    path: where the error does not say.
    """
    where = error.filename if path is None else path
    where = os.fsdecode(where) if isinstance(where, bytes) else where
    told = f"{error.strerror or error}; {what_helps(error)}"
    return told if where in (None, "") else f"{where}: {told}"
