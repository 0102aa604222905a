"""A power that fails in the middle of what is written."""

from inlier.secure import record


class PowerCut(OSError):
    pass


class Torn:
    """Stands for `open`: after `bytes` bytes of all that is written, the power
    fails.
    """

    def __init__(self, size):
        self.left = size

    def __call__(self, path, mode):
        f = open(path, mode)  # noqa: SIM115
        return TornFile(f, self) if "w" in mode else f


class File:
    """One that is written through: what does more overrides write()."""

    def __init__(self, f):
        self._f = f
        self.fileno = getattr(f, "fileno", None)
        self.flush = f.flush

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._f.close()


class TornFile(File):
    def __init__(self, f, power):
        super().__init__(f)
        self._power = power

    def write(self, content):
        left = self._power.left
        self._f.write(content[:left])
        self._power.left -= len(content)
        if self._power.left < 0:
            raise PowerCut()


def cut(size, call, *arguments):
    """True if the power failed before `call` was done."""
    record.open = Torn(size)
    try:
        call(*arguments)
        return False
    except PowerCut:
        return True
    finally:
        del record.open
