# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.kernels.depthwise import Depthwise
from tests.support.bench import prove
from tests.support.grids import Grid, Point, signed, unsigned


def windows(
    element: Element,
    channels: int,
    taps: int = 9,
    bits: int = 1,
    multiples: int = 1,
    pixels: tuple[int, int] = (2, 2),
) -> Depthwise:
    """Random weights of so many bits; one bit: ±1."""
    rng = np.random.default_rng(channels + bits)
    shape = (channels, multiples, taps)
    most = 1 << bits - 1
    few = rng.integers(-most, most, shape) if bits > 1 else rng.choice([-1, 1], shape)
    return Depthwise(pixels, element, few.astype(np.int8))


EXAMPLES = [
    windows(BIPOLAR, 4, pixels=(3, 2)),
    windows(Element(0, 15), 6, 4, bits=4, multiples=2),
    windows(BIPOLAR, 3, 4, bits=3),
]
ILLEGAL = [{"FOLDS": 0}, {"TAPS": 0}, {"IN_KIND": 3}, {"IN_KIND": 0, "IN_BITS": 2}]


def points() -> Iterator[Point]:
    """Bits and few bits, of few and of many channels."""
    for channels, lanes in ((16, 1), (16, 4), (16, 16), (64, 4), (64, 32), (256, 2), (256, 16)):
        for element, bits in (
            (BIPOLAR, 1),
            (BIPOLAR, 4),
            (unsigned(4), 1),
            (unsigned(4), 4),
            (signed(8), 8),
        ):
            for taps in (9, 25):
                yield windows(element, channels, taps, bits), Folding(lanes, lanes)


GRID = Grid(points, step=6)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("element", "bits", "multiples", "lanes"),
    [
        (BIPOLAR, 1, 1, 2),
        (BIPOLAR, 5, 2, 1),
        (Element(-8, 7), 1, 1, 6),
        (Element(0, 3), 1, 3, 3),
        (Element(0, 15), 4, 1, 2),
        (Element(-128, 127), 8, 1, 3),
    ],
)
def test_rtl(element, bits, multiples, lanes, tmp_path):
    kernel = windows(element, 6, 9, bits, multiples, (3, 2))
    prove(kernel, Folding(lanes * multiples, lanes), tmp_path)


@pytest.mark.rtl
def test_one_tap_and_one_fold(tmp_path):
    prove(windows(Element(0, 7), 2, 1, bits=3), Folding(2, 2), tmp_path)


def test_sums_at_the_ends_of_the_range():
    weights = np.array([[[1, -2, 0], [3, 3, 3]]], np.int8)
    kernel = Depthwise((1, 1), Element(-4, 3), weights)
    assert kernel.outputs[0].element == Element(-36, 27)
    found = kernel.reference(np.array([-4, 3, 1]).reshape(1, 1, 1, 3))[0]
    assert found.ravel().tolist() == [-10, 0]


def test_what_is_none():
    with pytest.raises(ValueError, match=r"weights are integers \(channels, multiplier, taps\)"):
        Depthwise((1, 1), BIPOLAR, np.ones((2, 2), np.int8))
