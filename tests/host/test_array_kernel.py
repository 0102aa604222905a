"""The kernel `array`: the bound below which a library's floats are exact, and
what is scored without it beyond.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from inlier.kernels import array as kernel
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier_boards.catalogue import read_board
from inlier_boards.cost import ulab
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.synthetic import extreme_windows, random_detector


def shortened(value):
    """A float in 32 bits of which the interpreter keeps two for itself
    (MicroPython's object representation C).
    """
    bits = np.float32(value).view(np.uint32) + 2 & ~np.uint32(3)
    return np.uint32(bits).view(np.float32)


@pytest.mark.parametrize(("kind", "expected"), [(float, 4128), (np.float32, 258), (shortened, 64)])
def test_sums_of_so_many_inputs_are_exact_in_a_float_of_the_interpreter(
    kind, expected, monkeypatch
):
    monkeypatch.setattr(kernel, "float", kind, raising=False)
    most = kernel.most_inputs()
    assert most == expected
    largest = most * 255 * 255
    assert all(int(kind(n)) == n for n in range(largest - 3, largest + 1))


@pytest.mark.parametrize("most", [0, 12, 13, 55, 56])
def test_a_layer_with_more_inputs_is_scored_without_floats(most, monkeypatch):
    """Layers of 56, 13, 4 and 13 inputs, by one way or the other."""
    monkeypatch.setattr(kernel, "most_inputs", lambda: most)
    detector = random_detector(3)
    model = Model(pack(detector))
    pipeline = Pipeline(model, Replay((), model.counters()), kernel)
    by_product = [layer[0] is not None for layer in pipeline.work.layers]
    assert by_product == [cols <= most for cols in (56, 13, 4, 13)]
    windows = np.minimum(extreme_windows(5, 200), (1 << 30) - 1)
    trace = reference.run(detector, windows)
    for i, row in enumerate(windows):
        pipeline.score(array("i", row.tolist()))
        assert (pipeline.ae, pipeline.svm) == (trace.ae[i], trace.svm[i]), i


def test_a_folder_without_ulab_is_one_sentence(monkeypatch, tmp_path):
    place = read_board(ulab.BOARD)
    monkeypatch.delenv("INLIER_ULAB", raising=False)
    assert ulab.board(place) is None
    monkeypatch.setenv("INLIER_ULAB", str(tmp_path))
    with pytest.raises(BadInput, match="no ulab is there: name the folder that holds code/"):
        ulab.board(place)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/ulab.c").write_text("#define ULAB_VERSION 6.12.0\n")
    built, version = ulab.board(place)
    assert version == "6.12.0" and f"USER_C_MODULES={tmp_path}" in built.build.options
    assert ulab.board(replace(place, name="qemu_m0")) is None
