"""A web server of microdot's that is watched, and says on /health how it is.
(`mpremote mip install github:miguelgrinberg/microdot`)
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio

from microdot import Microdot

from inlier.model import load
from inlier.pipeline import Pipeline

pipeline = Pipeline(load("model.inlier", source.name, source.counters), source)
app = Microdot()


def alarm(pipeline, features):
    print("window", pipeline.index, "is not like this device:", features)


@app.get("/health")
async def health(request):
    return {"windows": pipeline.index + 1, "score": pipeline.svm, "alarm": pipeline.alarm.active}


async def main():
    asyncio.create_task(monitor.run(pipeline, alarm))
    await app.start_server(host="0.0.0.0", port=8081)


asyncio.run(main())
