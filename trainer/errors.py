"""The error that a user can act on."""


class BadInput(Exception):
    """One sentence: what is wrong, where (file and line or column), what to do. The command line exits with 2."""
