"""Scores the windows of a CSV with a model and prints every integer, one line a
window: a kernel's side of the parity test.

parity.py KERNEL MODEL WINDOWS
"""

import sys

from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay


def main(kernel, model_path, windows_path):
    kernels = __import__("inlier.kernels." + kernel, None, None, (kernel,))
    model = load(model_path)
    with open(windows_path) as f:
        source = Replay(f)
        pipeline = Pipeline(model, source, kernels)
        while source.advance():
            event = pipeline.step()
            print(bytes(pipeline.x).hex(), pipeline.ae, pipeline.svm, int(pipeline.hot), event)


main(*sys.argv[1:])
