"""What a model that is offered may be, and where it lies: shared by the device
(rollout.py, rollout_http.py) and by who offers it.
"""

BYTES_MAX = 16384  # a model; a device holds it in RAM while it comes
CHUNK_MAX = 1536  # a message over MQTT
CHUNKS_MAX = 64  # what is missing is kept in RAM too
CHUNKS = "inlier/models/%s/%d/"  # of a type and a number; then the chunk's
# over HTTP: files of a folder that any web server serves
OFFER_MAX = 1024
OFFER = "offers/%s.json"  # of a device
MODEL = "models/%s/%d.inlier"  # of a type and a number
