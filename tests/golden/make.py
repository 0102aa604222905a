"""Writes the golden model and vectors: `python tests/golden/make.py`. A changed
file is a changed verdict everywhere.
"""

from pathlib import Path

FOLDER = Path(__file__).parent

from inlier_export import golden, reference
from inlier_export.model_file import pack
from inlier_export.synthetic import extreme_windows, random_detector, with_thresholds


def contents() -> dict[str, bytes]:
    detector = random_detector(11)
    windows = extreme_windows(12, golden.ORDINARY)
    trace = reference.run(detector, windows)
    detector = with_thresholds(detector, trace)
    return {"model.inlier": pack(detector), "vectors.json": golden.dump(detector, windows)}


if __name__ == "__main__":
    for name, content in contents().items():
        (FOLDER / name).write_bytes(content)
