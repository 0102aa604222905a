"""What a call gives or raises, to compare."""


def error_of(call, *args):
    """errno of the OSError that `call` raises, or None."""
    try:
        call(*args)
    except OSError as error:
        return error.errno
    return None


def outcome(call, *args):
    """What it returns, or the exception's type and arguments."""
    try:
        return call(*args)
    except Exception as error:
        return type(error), error.args
