"""Scores rows with the runtime as it is, under MicroPython: argv: model, rows
(int32, little-endian), file for the scores.

For each row two int32, the autoencoder's score and the SVM's, and one more: 1
where a score is over its threshold.
"""

import sys
from array import array

from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay

model = load(sys.argv[1])
pipeline = Pipeline(model, Replay((), model.counters()))
row = array("i", bytes(4 * len(model.counters())))
said = array("i", bytes(12))
with open(sys.argv[2], "rb") as rows, open(sys.argv[3], "wb") as scores:
    while rows.readinto(row):
        pipeline.score(row)
        said[0] = pipeline.ae
        said[1] = pipeline.svm
        said[2] = pipeline.hot
        scores.write(said)
