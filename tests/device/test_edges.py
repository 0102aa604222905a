"""One feature, and one row of a layer, at the edges of their arithmetic, in
every kernel that loads here.
"""

from array import array

import golden
from by_hand import feature, layer, scored, small

from inlier.explain import contribution
from inlier.model import FLAG_ROWS

LARGEST = (1 << 30) - 1


def test_a_level_is_shifted_bounded_and_its_logarithm_linear_between_powers_of_two():
    for right, events, f in (
        (0, 0, 0),
        (0, 2, 24),  # 1 + 2: half way from 2 to 4
        (0, 5, 40),
        (0, (1 << 18) - 1, 288),  # 2^26 - 256, the largest level but for its last bits
        (0, 1 << 18, 288),  # 2^26 is cut to it
        (0, LARGEST, 288),
        (1, LARGEST, 288),
        (7, 127, 15),  # shift 1: 254
        (7, 128, 16),
        (7, LARGEST, 288),
        (8, 255, 15),
        (8, 256, 16),
        (8, (1 << 26) - 1, 288),
        (8, LARGEST, 288),
        (9, 511, 15),
        (9, 512, 16),
        (38, LARGEST, 0),
    ):
        blob = small(1, 1, 0, counters=1, scaling=bytes([right, 0]), each=feature(offset=0))
        for name, kernel in golden.kernels():
            pipeline, _ = scored(blob, [events], kernel=kernel)
            assert pipeline.f[0] == f, (name, right, events, pipeline.f[0])


def test_a_full_window_of_a_persistence_is_2_to_the_12_whatever_its_cap():
    """From nothing, S = 2^12 and f = 16 * log2(1 + 2^8 / 2^8)."""
    for cap in (0, 1, 10, 11, 12, 13, 29):
        blob = small(1, 0, 1, counters=1, scaling=bytes([0, cap]), each=feature(offset=0))
        for events, f in ((1 << cap, 16), ((1 << cap) + 1, 16), (1 << cap >> 1, 8 if cap else 0)):
            for name, kernel in golden.kernels():
                pipeline, _ = scored(blob, [events], kernel=kernel)
                assert pipeline.f[0] == f, (name, cap, events, pipeline.f[0])


LOUD = (1 << 18) - 1  # events whose f is 288, the largest


def test_one_feature_gives_what_the_format_s_formulas_say_at_their_edges():
    for events, options, x, score, quiet in (
        (0, {}, 118, 0, 5 * 50),  # x = 128 + (f - offset >> s)
        (0, {"offset": 127}, 1, 0, 5 * 50),
        (0, {"offset": 128}, 0, 0, 5 * 50),
        (0, {"offset": 129}, 0, 0, 5 * 50),
        (0, {"offset": 288}, 0, 0, 5 * 50),
        (0, {"offset": 288, "s": 1}, 0, 0, 5 * 50),
        (0, {"offset": 288, "s": 2}, 56, 0, 5 * 50),
        (0, {"offset": 288, "s": 3}, 92, 0, 5 * 50),
        (0, {"low": 0}, 118, 0, 0),
        (0, {"low": 255}, 118, 0, 255 * 50),
        (0, {"low": 256}, 118, 0, 256 * 50),
        (0, {"low": 288}, 118, 0, 288 * 50),
        (LOUD, {"offset": 256, "far": 999}, 160, 268 * 100, 0),
        (LOUD, {"offset": 162, "far": 999}, 254, 268 * 100, 0),
        (LOUD, {"offset": 161, "far": 999}, 255, 268 * 100, 0),
        (LOUD, {"offset": 160, "far": 999}, 255, 268 * 100, 0),
        (LOUD, {"offset": 0, "far": 999, "s": 1}, 255, 268 * 100, 0),
        (LOUD, {"offset": 0, "far": 999, "s": 2}, 200, 268 * 100, 0),
        (LOUD, {"high": 256, "far": 999}, 255, 32 * 100, 0),
        (LOUD, {"high": 287, "far": 999}, 255, 100, 0),
        (LOUD, {"high": 288, "far": 999}, 255, 0, 0),
        (LOUD, {"high": 65535, "far": 65535}, 255, 0, 0),
        (LOUD, {"high": 288, "far": 256}, 255, 22 * 25, 0),
        (LOUD, {"high": 288, "far": 255}, 255, 23 * 25, 0),
        (LOUD, {"high": 288, "far": 277}, 255, 25, 0),
        (LOUD, {"high": 288, "far": 278}, 255, 0, 0),
        (LOUD, {"high": 288, "far": 0, "offset": 255}, 161, 33 * 25, 0),
        (LOUD, {"high": 288, "far": 0, "offset": 256}, 160, 32 * 25, 0),
    ):
        # reconstructed at the centre, y = 128
        form = (1, 1, 0, layer(128, 0), (1,), 1)
        for flags in (0, FLAG_ROWS):
            blob = small(*form, flags, each=feature(**options))
            for name, kernel in golden.kernels():
                pipeline, _ = scored(blob, [events], kernel=kernel)
                model = pipeline.model
                part = contribution(model, model.table(), pipeline.f, pipeline.y, 0)
                expected = score + quiet if flags else score
                got = pipeline.x[0], pipeline.svm, part, pipeline.quiet.score
                assert got == (x, expected, expected, quiet), (name, events, options, got)


def test_a_kernel_says_whether_the_score_or_the_quiet_score_is_over_its_limit():
    """f is 24 of 2 events: 4 beyond high, 26 below low."""
    blob = small(1, 1, 0, counters=1, scaling=bytes([0, 0]), each=feature(low=50))
    score, quiet = 4 * 100, 26 * 50
    for name, kernel in golden.kernels():
        pipeline, _ = scored(blob, [2], kernel=kernel)
        for limits, over in (
            ((score, quiet), False),
            ((score - 1, quiet), True),
            ((score, quiet - 1), True),
            ((quiet, score), True),
            ((score - 1, quiet - 1), True),
        ):
            sums = array("i", (0, 0) + limits)
            said = kernel.evidence(pipeline.model.params, pipeline.work, sums)
            assert bool(said) == over, (name, limits, said)
            assert list(sums) == [score, quiet] + list(limits), (name, limits)


def test_one_row_of_a_layer_is_its_weighted_sum_shifted_and_cut_to_a_byte():
    """And a reconstruction above the centre takes from the distance, 2^s for
    one; a lower one does not.
    """
    for bias, shift, weight, s, y in (
        (254, 0, 0, 0, 254),
        (255, 0, 0, 0, 255),
        (256, 0, 0, 0, 255),
        (1, 0, 0, 0, 1),
        (0, 0, 0, 0, 0),
        (-1, 0, 0, 0, 0),
        (-1, 30, 0, 0, 0),
        (127, 0, 0, 0, 127),
        (129, 0, 0, 0, 129),
        (129, 0, 0, 1, 129),
        (129, 0, 0, 3, 129),
        (138, 0, 0, 1, 138),
        (1 << 28, 20, 0, 0, 255),
        (1 << 28, 21, 0, 0, 128),
        (-1 << 28, 0, 127, 0, 0),
        (32385, 8, 127, 0, 253),  # x is 255, 255 * 127 more
        (-30000, 5, 127, 0, 74),
        (-32384, 0, 127, 0, 1),
        (32641, 0, -128, 0, 1),
    ):
        each = feature(offset=100, high=288, far=8, s=s)
        blob = small(1, 1, 0, layer(bias, shift, weight), (1,), 1, each=each)
        rest = 288 - 100 - 8 - max(0, y - 128 << s)
        x = 128 + min(127, 188 >> s)
        for name, kernel in golden.kernels():
            pipeline, _ = scored(blob, [LOUD], kernel=kernel)
            assert pipeline.y[0] == y and len(pipeline.y) == 4, (name, bias, pipeline.y[0])
            model = pipeline.model
            part = contribution(model, model.table(), pipeline.f, pipeline.y, 0)
            assert pipeline.svm == part == max(0, rest) * 25, (name, bias, s, pipeline.svm)
            assert pipeline.ae == (x - y) ** 2, (name, bias, pipeline.ae)


def test_boot_looks_like_what_was_trained():
    """Each damped sum begins where it stays while its counter keeps to the
    benign centre.
    """
    for events, f in ((LOUD, 288), (65535, 256), (32767, 240), (0, 0)):
        blob = small(1, 5, 0, counters=1, each=feature(offset=f))
        for name, kernel in golden.kernels():
            pipeline, _ = scored(blob, [events], [events], kernel=kernel)
            assert [pipeline.f[i] for i in range(5)] == [f] * 5, (name, events)
