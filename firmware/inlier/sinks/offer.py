"""What a model that is offered over MQTT may be: shared by the device
(rollout.py) and by who offers it.
"""

BYTES_MAX = 16384  # a model; a device holds it in RAM while it comes
CHUNK_MAX = 1536  # a message
CHUNKS_MAX = 64  # what is missing is kept in RAM too
CHUNKS = "inlier/models/%s/%d/"  # of a type and a number; then the chunk's
