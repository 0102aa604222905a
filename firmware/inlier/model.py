"""The model file: one little-endian blob, checked whole before anything is
allocated, then used in place.

Header (44 bytes, HEADER): magic "INLR"; version, flags (bit 0: an HMAC-SHA256
of 32 bytes follows the CRC); uint16 number of counters; uint32 length up to and
including the CRC; uint32 window in ms; int32 threshold of the autoencoder's
score and of the SVM's; uint8 numbers of time scales, knots and layers; uint8
alarm k, n, m; uint16 cooldown and warm-up in windows; uint16 length of the
text; at IDENTITY_AT uint32 model number, which only grows
(secure/authentic.py), and uint32 digest of what the self-test windows must
score (secure/selftest.py). Then, without padding:
    scales      uint8 each      time-scale shifts k
    knots       uint8 each      ascending distances from zero
    rows        uint16 each     outputs of each layer (the last: the number of features)
    shifts      uint8 each      one a counter: 8 - shift
    quantisation uint16 x 2     offset and multiplier of each feature
    layers      per layer, rows rounded up to a multiple of four: bias int32,
                shift uint8, weights uint8 (rows/4, cols, 4)
    svm         uint8 (features, 2, knots)
    text        UTF-8: source, NUL, each counter, NUL, then the training metadata as JSON
    crc         CRC-32 (ISO 3309, as zlib's) of all before it
    hmac        32 bytes if flagged, over all before it
"""

import struct

from .features import LOG_MAX, SCALE_MAX

try:
    from binascii import crc32
except ImportError:  # a MicroPython built without MICROPY_PY_BINASCII_CRC32

    def crc32(data):
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
        return crc ^ 0xFFFFFFFF


MAGIC = b"INLR"
VERSION = 2
FLAG_HMAC = 1
HEADER = "<4sBBHIIiiBBBBBBHHHII"
HEADER_BYTES = 44
IDENTITY_AT = 36
# an hour: all that ticks_diff of a 2^30 ms clock tells apart, and more than a
# window should be
WINDOW_MS_MAX = 3600000
SHIFT_MAX = 30
BIAS_MAX = 1 << 28
SCALES_MAX = 4
KNOTS_MAX = 4
FEATURES_MAX = (
    4096  # 4096 * 255 * 255 + BIAS_MAX + 128 * 4096 * 255 < 2^30: no accumulator leaves 31 bits
)


class ModelError(ValueError):
    """The blob is not a model that this runtime can run; says why and what to
    do.
    """


def _require(condition, message):
    if not condition:
        raise ModelError(message)


class Model:
    """A loaded model: memoryviews into `blob` (bytes-like), no copies.

    source, counters: what runs on this device, if given, must be what the model
    was trained on. Raises ModelError.
    """

    def __init__(self, blob, source=None, counters=None):
        size = len(blob)
        _require(
            size >= HEADER_BYTES + 4 and bytes(blob[:4]) == MAGIC,
            "not an inlier model; export it again",
        )
        _require(
            blob[4] == VERSION,
            "model of version %d, this runtime reads version %d; update the runtime or export "
            "the model again" % (blob[4], VERSION),
        )
        header = struct.unpack_from(HEADER, blob, 0)
        length = header[4]
        expected = length + (32 if header[2] & FLAG_HMAC else 0)
        _require(
            size == expected,
            "model is %d bytes, its header says %d; it was cut or overwritten: copy it again"
            % (size, expected),
        )
        view = memoryview(blob)
        crc = struct.unpack_from("<I", blob, length - 4)[0]
        _require(
            crc32(view[: length - 4]) & 0xFFFFFFFF == crc,
            "model checksum does not match; copy it again",
        )
        self.bytes = size
        self.window_ms = header[5]
        self.threshold_ae = header[6]
        self.threshold_svm = header[7]
        self.alarm = header[11:16]  # k, n, m, cooldown, warm-up
        self._parse(view, header, length)
        self._check(source, counters)

    def _parse(self, view, header, length):
        n_counters, n_scales, n_knots, n_layers, text_bytes = (
            header[3],
            header[8],
            header[9],
            header[10],
            header[16],
        )
        self.features = n = n_counters * n_scales
        odd = "model contradicts itself (%s); export it again"
        _require(
            0 < n <= FEATURES_MAX
            and 0 < n_knots <= KNOTS_MAX
            and n_scales <= SCALES_MAX
            and n_layers,
            odd % "sizes",
        )
        k, window = header[11], header[12]
        _require(0 < k <= window <= 29 and header[13], odd % "alarm")
        _require(0 < header[5] <= WINDOW_MS_MAX, odd % "window")
        at = HEADER_BYTES
        end = length - 4
        # Every length is known from the header and the rows of the layers:
        # check them against the file, then slice.
        rows_at = at + n_scales + n_knots
        _require(rows_at + 2 * n_layers <= end, odd % "length")
        rows = struct.unpack_from("<%dH" % n_layers, view, rows_at)
        need = rows_at + 2 * n_layers + n_counters + 4 * n + 2 * n * n_knots + text_bytes
        cols = n
        for r in rows:
            _require(0 < r <= FEATURES_MAX, odd % "layers")
            need += (r + 3 >> 2) * 4 * (5 + cols)
            cols = r
        _require(need == end and cols == n, odd % "length")

        self.scales = view[at : at + n_scales]
        self.knots = view[at + n_scales : rows_at]
        for k in self.scales:
            _require(k <= SCALE_MAX, odd % "time scale")
        low = 0
        for k in self.knots:  # kernels stop at the first that a value does not reach
            _require(low <= k, odd % "knots")
            low = k
        at = rows_at + 2 * n_layers
        self.params = view[at : end - text_bytes]
        for r in self.params[:n_counters]:
            _require(r <= 8 + SHIFT_MAX, odd % "counter shift")
        for i in range(n_counters, n_counters + 4 * n, 4):  # a state beyond 2^30 would come from it
            _require(self.params[i] | self.params[i + 1] << 8 <= LOG_MAX, odd % "offset")
        self.rows = rows
        for _, _, bias, shift, blocks in self.layers():
            for j in range(4 * blocks):
                b = struct.unpack_from("<i", bias, 4 * j)[0]
                _require(-BIAS_MAX <= b <= BIAS_MAX and shift[j] <= SHIFT_MAX, odd % "layer")
        self._text = view[end - text_bytes : end]
        # Counted first: a text of short names, split, takes many times its
        # bytes.
        _require(sum(not c for c in self._text) == n_counters + 1, odd % "names")
        self.source = self.text().split("\0")[0]

    # Views are made when asked for: each costs RAM.

    def shifts(self):
        return self.params[: self.features // len(self.scales)]

    def quantisation(self):
        at = self.features // len(self.scales)
        return self.params[at : at + 4 * self.features]

    def layers(self):
        """Yields (weights, cols, bias, shift, blocks) of each layer: views of
        the shapes that the kernels take.
        """
        cols = self.features
        at = cols // len(self.scales) + 4 * cols
        for r in self.rows:
            blocks = r + 3 >> 2
            weights = at + 20 * blocks
            end = weights + 4 * blocks * cols
            p = self.params
            yield (
                p[weights:end],
                cols,
                p[at : at + 16 * blocks],
                p[at + 16 * blocks : weights],
                blocks,
            )
            at = end
            cols = r

    def svm_weights(self):
        return self.params[len(self.params) - 2 * self.features * len(self.knots) :]

    def _check(self, source, counters):
        _require(
            source is None or source == self.source,
            "model is for source '%s', this device counts '%s'; train on windows of the source "
            "that runs" % (self.source, source),
        )
        mine = self.counters()
        if counters is not None and tuple(counters) != mine:
            odd = [c for c in counters if c not in mine] + [c for c in mine if c not in counters]
            raise ModelError(
                "model and source '%s' differ in counters (%s); train the model again with this "
                "version" % (self.source, ", ".join(odd) or "order")
            )

    # Text is decoded when asked for: names cost RAM and only an explanation
    # needs them.

    def text(self):
        try:
            return str(bytes(self._text), "utf-8")
        except UnicodeError:
            raise ModelError("model text is not UTF-8; export it again")

    def counters(self):
        return tuple(self.text().split("\0")[1:-1])

    def metadata(self):
        """Training metadata, a JSON string."""
        return self.text().split("\0")[-1]

    def feature_name(self, i):
        """`counter` for the window itself, `counter~N` for a mean damped over
        about N windows.
        """
        k = self.scales[i % len(self.scales)]
        name = self.counters()[i // len(self.scales)]
        return "%s~%d" % (name, 1 << k) if k else name


def load(path, source=None, counters=None):
    """Model from a file. Raises ModelError and OSError."""
    with open(path, "rb") as f:
        return Model(f.read(), source, counters)
