"""Kernels: the inner loops, one file per implementation, all equal on the golden vectors.

Each module offers the same four functions on raw buffers (see plain.py for shapes): features, dense, distance, hinges.
The fastest that this interpreter can load is chosen here, once, at import.
"""

try:
    # Native code. CPython has no `micropython`; a port without the emitter refuses the decorator with SyntaxError.
    from . import viper as chosen
except (ImportError, SyntaxError, ValueError, AttributeError):
    try:
        from . import array as chosen  # ulab or NumPy
    except ImportError:
        from . import plain as chosen

NAME = chosen.__name__.split(".")[-1]
