"""Kernels: the inner loops, one file per implementation, all equal on the
golden vectors.

Each module offers the same five functions (see plain.py): prepare, subtract,
features, autoencoder, evidence. The fastest that this interpreter can load is
chosen here, once, at import.
"""

for NAME in ("dsp", "thumb", "rv32", "viper", "array", "plain"):
    try:
        chosen = __import__("inlier.kernels." + NAME, None, None, (NAME,))
        break
    except (ImportError, SyntaxError, ValueError, AttributeError):
        # no such compiler, decorator, library or file here: a board may carry
        # only the kernel that it needs
        pass
