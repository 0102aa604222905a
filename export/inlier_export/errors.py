"""The ends of a command that are no success and no fault of ours."""


class BadInput(Exception):
    """One sentence: what is wrong, where (file and line or column), what to do.
    The command line exits with 2.
    """


class Interrupted(BaseException):
    """Ctrl-C: says what became of the files. The command line exits with 130."""
