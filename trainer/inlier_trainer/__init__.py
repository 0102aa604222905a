"""Reads windows, fits, calibrates, evaluates. `Detector` is for data people, in
scikit-learn's manner.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .detector import Detector

__all__ = ["Detector"]


def __getattr__(name: str) -> Any:
    """scikit-learn is loaded only by who asks for it."""
    if name != "Detector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .detector import Detector
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Detector needs {error.name}: install it with pip install 'inlier[train]'"
        ) from None
    return Detector
