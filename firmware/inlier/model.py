"""The model file: one little-endian blob, checked whole before anything is
allocated, then used in place.

Header (44 bytes, HEADER): magic "INLR"; version, flags (bit 0: an HMAC-SHA256
of 32 bytes follows the CRC; bit 1: rows without an order in time, whose
autoencoder's error decides too); uint16 number of counters; uint32 length up to
and including the CRC; uint32 window in ms; int32 threshold of the autoencoder's
squared error, of rows alone, and of the quiet score; uint8 numbers of time
scales, persistences, layers and horizons; uint8 windows that clear an alarm;
uint8 windows in a row of a device gone quiet; uint16 cooldown and warm-up in
windows; uint16 length of the text; at IDENTITY_AT uint32 model number, which
only grows (secure/authentic.py), and uint32 digest of what the self-test
windows must score (secure/selftest.py). Then, without padding:
    horizons    uint8 k, uint8 n, int32 threshold each: k of the last n windows;
                n ascends, thresholds never do
    scales      uint8 each: k of each mean
    persistence uint8 each: k of each persistence
    rows        uint16 each: outputs of each layer (the last: the features)
    counters    uint8 8 - shift, uint8 cap of each
    features    12 bytes each, counter by counter: uint16 offset, high, low,
                far; uint8 s, weights beyond high, below low, beyond far
    layers      per layer, rows rounded up to a multiple of four: bias int32,
                shift uint8, weights uint8 (rows/4, cols, 4)
    text        UTF-8: source, NUL, each counter, NUL, then the training
                metadata as JSON
    crc         CRC-32 (ISO 3309, as zlib's) of all before it
    hmac        32 bytes if flagged, over all before it
"""

import struct

from .features import LOG_MAX, PERSISTENCE_MAX, PERSISTENCE_OUT, SCALE_MAX

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
VERSION = 3
FLAG_HMAC = 1
FLAG_ROWS = 2
HEADER = "<4sBBHIIiiBBBBBBHHHII"
HEADER_BYTES = 44
HORIZON = "<BBi"
FEATURE_BYTES = 12
IDENTITY_AT = 36
# an hour: all that ticks_diff of a 2^30 ms clock tells apart, and more than a
# window should be
WINDOW_MS_MAX = 3600000
SHIFT_MAX = 30
CAP_MAX = 29  # 2^30 is no small int of a 31-bit board
BIAS_MAX = 1 << 28
HORIZONS_MAX = 8
INPUT_SHIFT_MAX = 3
WEIGHT_MAX = 127
# No accumulator leaves 31 bits: 4096 * 255 * 255 + BIAS_MAX + 128 * 4096 * 255,
# and of scores 4096 * 127 * (2 * LOG_MAX + (128 << 3)), are below 2^30.
FEATURES_MAX = 4096


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
            size >= HEADER_BYTES and bytes(blob[:4]) == MAGIC,
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
        (crc,) = struct.unpack_from("<I", blob, length - 4)
        _require(
            crc32(view[: length - 4]) & 0xFFFFFFFF == crc,
            "model checksum does not match; copy it again",
        )
        self.bytes = size
        self.window_ms = header[5]
        self.threshold_ae = header[6]
        self.threshold_quiet = header[7]
        self.by_rows = bool(header[2] & FLAG_ROWS)
        self.clear_after, self.quiet_after, self.cooldown, self.warmup = header[12:16]
        self._parse(view, header, length)
        self._check(source, counters)

    def _parse(self, view, header, length):
        n_counters, n_layers, n_horizons, text_bytes = header[3], header[10], header[11], header[16]
        n_kinds = header[8] + header[9]
        self.features = n = n_counters * n_kinds
        odd = "model contradicts itself (%s); export it again"
        _require(
            # six kinds: what a native kernel's header has room for
            0 < n <= FEATURES_MAX and n_kinds <= 6 and 0 < n_horizons <= HORIZONS_MAX,
            odd % "sizes",
        )
        _require(self.clear_after and self.quiet_after, odd % "alarm")
        _require(0 < header[5] <= WINDOW_MS_MAX, odd % "window")
        end = length - 4
        # Every length is known from the header and the rows of the layers:
        # check them against the file, then slice.
        kinds_at = HEADER_BYTES + 6 * n_horizons
        rows_at = kinds_at + n_kinds
        at = rows_at + 2 * n_layers
        _require(at <= end, odd % "length")
        rows = struct.unpack_from("<%dH" % n_layers, view, rows_at)
        need = at + 2 * n_counters + FEATURE_BYTES * n + text_bytes
        cols = n
        for r in rows:
            _require(0 < r <= FEATURES_MAX, odd % "layers")
            need += (r + 3 >> 2) * 4 * (5 + cols)
            cols = r
        _require(need == end and cols == n, odd % "length")

        self.packed_horizons = view[HEADER_BYTES:kinds_at]
        before = 0
        limit = (1 << 30) - 1
        _require(0 <= header[6] <= limit and 0 <= header[7] <= limit, odd % "threshold")
        for k, window, threshold in self.horizons():
            _require(0 < k <= window and before < window, odd % "horizon")
            _require(0 <= threshold <= limit, odd % "threshold")
            before, limit = window, threshold
        self.means = header[8]  # so many of the kinds; the others are persistences
        kinds = []  # of each feature of a counter: k, r (features.py)
        for t in range(n_kinds):
            k = view[kinds_at + t]
            mean = t < header[8]
            _require(k <= (SCALE_MAX if mean else PERSISTENCE_MAX), odd % "time scale")
            kinds.append((k, k if mean else PERSISTENCE_OUT))
        self.kinds = tuple(kinds)
        self.params = view[at : end - text_bytes]
        for i in range(0, 2 * n_counters, 2):
            _require(self.params[i] <= 8 + SHIFT_MAX, odd % "counter shift")
            _require(self.params[i + 1] <= CAP_MAX, odd % "counter cap")
        table = self.table()
        for i in range(0, FEATURE_BYTES * n, FEATURE_BYTES):
            # a state or a score beyond 2^30 would come from them
            _require(table[i] | table[i + 1] << 8 <= LOG_MAX, odd % "offset")
            _require(table[i + 4] | table[i + 5] << 8 <= LOG_MAX, odd % "low")
            _require(table[i + 8] <= INPUT_SHIFT_MAX, odd % "input shift")
            for j in (9, 10, 11):
                _require(table[i + j] <= WEIGHT_MAX, odd % "weight")
        self.rows = rows
        for _, _, bias, shift, blocks in self.layers():
            for j in range(4 * blocks):
                (b,) = struct.unpack_from("<i", bias, 4 * j)
                _require(-BIAS_MAX <= b <= BIAS_MAX and shift[j] <= SHIFT_MAX, odd % "layer")
        self._text = view[end - text_bytes : end]
        # Counted first: a text of short names, split, takes many times its
        # bytes.
        _require(sum(not c for c in self._text) == n_counters + 1, odd % "names")
        self.source = self.text().split("\0")[0]

    def horizons(self):
        """Yields (k, n, threshold): k of the last n scores over the threshold."""
        for at in range(0, len(self.packed_horizons), 6):
            yield struct.unpack_from(HORIZON, self.packed_horizons, at)

    # Views are made when asked for: each costs RAM.

    def table(self):
        """FEATURE_BYTES a feature; see the format."""
        at = 2 * self.features // len(self.kinds)
        return self.params[at : at + FEATURE_BYTES * self.features]

    def layers(self):
        """Yields (weights, cols, bias, shift, blocks) of each layer: views of
        the shapes that the kernels take.
        """
        cols = self.features
        at = 2 * cols // len(self.kinds) + FEATURE_BYTES * cols
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
        """`counter` for the window itself, `counter~N` for what it did over
        about N windows.
        """
        k = self.kinds[i % len(self.kinds)][0]
        name = self.counters()[i // len(self.kinds)]
        return "%s~%d" % (name, 1 << k) if k else name


def load(path, source=None, counters=None):
    """Model from a file. Raises ModelError and OSError."""
    with open(path, "rb") as f:
        return Model(f.read(), source, counters)
