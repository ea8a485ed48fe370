# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.requantize import Requantize
from tests.support.bench import prove
from tests.support.corners import corners
from tests.support.grids import Grid, Point, even, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    Requantize(INTEGERS, Element(-8, 7), *np.ones((2, 6, 1), np.int64), 2, True, 0),
    Requantize(INTEGERS, Element(-8, 7), *np.ones((2, 1, 2), np.int64), 2, True, 1),
]
ILLEGAL = [{"FOLDS": 0}, {"SEGMENT_BITS": 9}, {"SHIFT": -1}]


def lines(
    taken: Element,
    given: Element,
    channels: int,
    rows: int,
    slope_bits: int,
    shift: int,
    segment_bits: int = 0,
    ties: bool = False,
    seed: int = 0,
) -> Requantize:
    """Random lines: `rows` 1 or as many as channels; slopes of so many bits, 0: all are one."""
    rng = np.random.default_rng(seed)
    shape = (rows, 1 << segment_bits)
    slopes = (
        rng.integers(-(1 << slope_bits - 1), 1 << slope_bits - 1, shape)
        if slope_bits
        else np.ones(shape, np.int64)
    )
    if segment_bits == taken.bits:
        offsets = rng.integers(given.low, given.high + 1, shape)
    else:
        offsets = rng.integers(-(1 << taken.bits + shift - 1), 1 << taken.bits + shift - 1, shape)
    kind = TensorType((2, 2, channels), taken)
    return Requantize(
        kind, given, slopes.astype(np.int64), offsets.astype(np.int64), shift, ties, segment_bits
    )


def points() -> Iterator[Point]:
    """Lines of one, of channels, of segments; tables."""
    for lanes in (1, 4, 16):
        for kernel in (
            lines(signed(8), signed(4), 64, 1, 0, 3, ties=True),
            lines(signed(12), unsigned(4), 64, 1, 0, 6, ties=True),
            lines(signed(16), signed(8), 64, 1, 0, 8),
            lines(signed(8), signed(4), 64, 64, 0, 3, ties=True),
            lines(signed(12), unsigned(4), 256, 256, 3, 6),
            lines(signed(12), unsigned(4), 64, 64, 8, 8),
            lines(signed(12), signed(8), 256, 256, 10, 9, ties=True),
            lines(signed(16), signed(8), 512, 512, 12, 12),
            lines(unsigned(8), signed(4), 64, 1, 6, 6),
            lines(signed(8), signed(6), 64, 64, 5, 4, segment_bits=1),
            lines(signed(12), signed(4), 64, 1, 4, 6, segment_bits=2),
            lines(signed(12), unsigned(4), 64, 64, 3, 6, segment_bits=3),
            lines(signed(6), unsigned(4), 64, 1, 1, 0, segment_bits=6),
            lines(signed(8), unsigned(4), 32, 32, 1, 0, segment_bits=8),
            lines(signed(10), signed(4), 16, 16, 7, 6, segment_bits=4, ties=True),
        ):
            yield kernel, even(lanes)


GRID = Grid(points, step=10)


CHANNELS = 6
SIGNED, UNSIGNED = Element(-64, 63), Element(0, 100)


def make(taken, element, slopes, offsets, shift, ties_even=False, segment_bits=0):
    """A kernel from nested lists."""
    kind = TensorType((4, 5, CHANNELS), taken)
    lines = np.array(slopes, np.int64), np.array(offsets, np.int64)
    return Requantize(kind, element, *lines, shift, ties_even, segment_bits)


def rounding(shift, element, taken=SIGNED):
    """Half to even of ``x * 2**-shift``."""
    return make(taken, element, [[1]], [[1 << shift - 1]], shift, ties_even=True)


def table(taken, element, rows):
    """A line per code, all of them flat."""
    segments = 1 << taken.bits
    values = np.random.default_rng(1).integers(element.low, element.high + 1, (rows, segments))
    return make(taken, element, np.zeros_like(values), values, 0, False, taken.bits)


PER_CHANNEL = [[3], [-5], [0], [1], [-1], [7]]
LEVELS = [[8], [-3], [-17], [100], [0], [-250]]
CASES = {
    # Lines of a single word.
    "identity": make(SIGNED, SIGNED, [[1]], [[0]], 0),
    "clipped": make(SIGNED, Element(-8, 6), [[1]], [[-3]], 0),
    "two of three bits": make(UNSIGNED, Element(0, 5), [[1]], [[0]], 4),
    "a bit": make(SIGNED, Element(0, 1), [[1]], [[0]], 3),
    "minus a bit": make(SIGNED, Element(-1, 0), [[-1]], [[0]], 3),
    "nine bits": make(SIGNED, Element(-256, 255), [[-5]], [[7]], 0),
    "eleven sixteenths": make(SIGNED, Element(-16, 15), [[11]], [[5]], 4),
    "fifteen": make(UNSIGNED, Element(0, 255), [[15]], [[-200]], 2),
    "bits": make(BIPOLAR, Element(-3, 4), [[6]], [[-2]], 0),
    # Ties fall on even and odd values, below zero too, and on both ends of the output.
    "even by 2": rounding(1, Element(-40, 40)),
    "even by 4": rounding(2, Element(-16, 15)),
    "even by 8 clipped": rounding(3, Element(-3, 4)),
    "even unsigned": rounding(3, Element(0, 7), UNSIGNED),
    "even by three fourths": make(SIGNED, Element(-32, 32), [[3]], [[2]], 2, True),
    # Lines per channel, some of them falling.
    "per channel": make(SIGNED, Element(-30, 29), PER_CHANNEL, LEVELS, 3),
    "per channel even": make(UNSIGNED, Element(-30, 29), PER_CHANNEL, LEVELS, 4, True),
    "two powers": make(SIGNED, Element(0, 9), [[1], [4], [1], [-8], [4], [1]], LEVELS, 3, True),
    # Segments.
    "leaky": make(SIGNED, Element(-20, 20), [[4, 1]], [[2, -62]], 2, True, 1),
    "prelu": make(
        SIGNED,
        Element(-100, 100),
        [[8, slope] for slope in (1, 9, -5, 0, 8, 3)],
        [[0, -64 * slope] for slope in (1, 9, -5, 0, 8, 3)],
        3,
        segment_bits=1,
    ),
    "four segments": make(UNSIGNED, Element(0, 15), [[1, 2, -1, 0]], [[0, 9, 40, 3]], 2, False, 2),
    "a table": table(SIGNED, Element(-7, 8), 1),
    "tables": table(Element(-8, 7), Element(0, 31), CHANNELS),
    "a table of bits": table(BIPOLAR, Element(-2, 1), CHANNELS),
}
LANES = dict.fromkeys(CASES, (2,)) | dict.fromkeys(("per channel", "prelu", "tables"), (1, 3, 6))


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("case", "lanes"),
    corners(
        [(case, lanes) for case in CASES for lanes in LANES[case]],
        lambda case, lanes: CASES[case].rtl(Folding(lanes, lanes)).parameters,
    ),
)
def test_rtl(case, lanes, tmp_path):
    prove(CASES[case], Folding(lanes, lanes), tmp_path)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_ties_go_to_even_as_rint_has_it(shift):
    kernel = rounding(shift, Element(-20, 19))
    x = np.arange(-64, 64).reshape(-1, 1, 1, 1).repeat(CHANNELS, axis=3)
    expected = np.clip(np.rint(x / 2**shift), -20, 19)
    np.testing.assert_array_equal(kernel.reference(x)[0], expected)


def test_two_slopes_are_a_prelu():
    kernel = CASES["prelu"]
    x = np.arange(-64, 64).reshape(-1, 1, 1, 1).repeat(CHANNELS, axis=3)
    slopes = np.array([1, 9, -5, 0, 8, 3])
    expected = np.clip(np.where(x < 0, x * slopes // 8, x), -100, 100)
    np.testing.assert_array_equal(kernel.reference(x)[0], expected)


@pytest.mark.parametrize("case", CASES)
def test_sums_hold_every_code(case):
    """The width that the RTL computes in is enough, and one bit less would not be (or clipping)."""
    kernel = CASES[case]
    element = kernel.input.element
    x = np.arange(element.low, element.high + 1, 2 if element.bipolar else 1)[:, None]
    low_bits = element.bits - kernel.segment_bits
    codes = element.encode(x).astype(np.int64)
    low = codes & ((1 << low_bits) - 1)
    if kernel.segment_bits == 0:
        low = codes if element.bipolar else x
    segment = codes >> low_bits if kernel.segment_bits else 0 * codes
    row = np.zeros((1, CHANNELS), np.int64) if kernel.alike else np.arange(CHANNELS)[None]
    sums = kernel.slopes[row, segment] * low + kernel.offsets[row, segment]
    needed = max(Element(min(-1, int(sums.min())), max(0, int(sums.max()))).bits, 1)
    clipping = kernel.shift + kernel.element.bits + (kernel.element.low >= 0)
    assert kernel.sum_bits == max(needed, clipping)


def test_alike_channels_have_one_memory_at_any_folding():
    kernel = CASES["leaky"]
    images = [kernel.rtl(folding).memories["LINES"].hex() for folding in kernel.foldings()]
    assert len(set(images)) == 1


def test_powers_of_two_need_no_multiplier():
    for case in ("leaky", "two powers", "eleven sixteenths", "even by three fourths"):
        assert CASES[case].resources(Folding(2, 2)).dsp == 0
    for case in ("fifteen", "per channel"):
        assert CASES[case].resources(Folding(2, 2)).dsp == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment_bits": 8}, "an input of 7 bits cannot have 8 segment bits"),
        ({"segment_bits": 1}, r"slopes must have the shape \(6, 2\) or \(1, 2\), not \(1, 1\)"),
        ({"offsets": np.zeros((6, 1), np.int64)}, r"\(6, 1\) offsets for \(1, 1\) slopes"),
        ({"shift": 0}, "shift 0 must be at least 1"),
        ({"shift": -1, "ties_even": False}, "shift -1 must be at least 0"),
        ({"element": BIPOLAR}, "outputs are integers"),
        ({"slopes": np.full((1, 1), 1 << 60)}, "sums of more than 63 bits"),
        ({"shift": 60}, "sums of more than 63 bits"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(rounding(2, Element(-20, 19)), **change)
