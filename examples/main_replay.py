"""An example of `inlier deploy` for boards without traffic of their own: scores
the windows of windows.csv, as fast as it can, and prints each, which `inlier
record --port` collects.
"""

import gc

from inlier import stream
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay


def main():
    model = load("model.inlier")
    try:
        rows = open("windows.csv")
    except OSError:
        return  # nothing to replay: the model waits
    with rows:
        source = Replay(rows)
        pipeline = Pipeline(model, source)
        lines = stream.Stream(source, model.window_ms)
        while source.advance():
            event = pipeline.step()
            lines.scored(pipeline)
            if event > 0:
                print(
                    "alarm in window %d:" % pipeline.index,
                    ", ".join("%s %d %%" % f for f in pipeline.explain()),
                )
            gc.collect()


main()
