"""The golden model and vectors, for the tests beside this file: exact integers that every implementation must give."""

import json

from inlier.model import Model

FOLDER = __file__.rsplit("/", 2)[0] + "/golden/" if "/" in __file__ else "../golden/"


class Source:
    """Supplies nothing: the tests hand windows to the pipeline themselves."""

    name = "replay"
    bits = 30

    def __init__(self, counters):
        self.counters = counters

    def read(self, values):
        pass


def blob():
    with open(FOLDER + "model.inlier", "rb") as f:
        return f.read()


def model():
    return Model(blob())


def vectors():
    with open(FOLDER + "vectors.json") as f:
        return json.load(f)
