# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.mvu import Mvu
from tests.support.bench import prove
from tests.support.corners import corners
from tests.support.grids import Grid, Point, signed, unsigned


def copies(shape, element, channels, seed=0):
    """Random copies; every channel is used where there are enough."""
    rng = np.random.default_rng(seed)
    kept = shape[2]
    index = np.concatenate([np.arange(kept), rng.integers(0, kept, max(0, channels - kept))])
    return CopyChannels(TensorType(shape, element), rng.permutation(index)[:channels])


EXAMPLES = [
    copies((2, 3, 4), signed(6), 6),
    copies((2, 2, 3), BIPOLAR, 4),
    copies((1, 2, 1), unsigned(3), 4),
]
ILLEGAL = [{"IN_FOLDS": 0}, {"OUT_LANES": -1}, {"BITS": 0}]


def points() -> Iterator[Point]:
    """Half and three quarters of the channels, on few and many lanes."""
    for channels, share in product((16, 32, 64, 128, 256), (2, 4)):
        kept = channels // share * (1 if share == 2 else 3)
        for element in (BIPOLAR, unsigned(4), signed(8)):
            for pe, simd in ((1, 1), (2, 1), (4, 2), (8, 4)):
                kernel = copies((8, 8, kept), element, channels, seed=channels)
                yield kernel, Folding(pe, simd)


GRID = Grid(points, step=13)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "channels", "pe", "simd"),
    corners(
        [
            ((3, 5, 4), signed(6), 8, 1, 1),
            ((3, 5, 4), signed(6), 8, 2, 1),
            ((2, 3, 6), Element(-128, 127), 9, 3, 2),  # beats and lanes that are no powers of two
            ((2, 3, 12), unsigned(4), 16, 4, 3),
            ((2, 3, 12), unsigned(4), 16, 16, 3),
            ((2, 2, 8), BIPOLAR, 4, 1, 1),  # fewer channels than before: the input has more beats
            ((2, 2, 4), BIPOLAR, 16, 2, 4),  # a pixel is one beat
            ((2, 2, 4), BIPOLAR, 16, 16, 4),  # and so is what is sent
            ((3, 2, 1), Element(0, 5), 4, 1, 1),  # all are copies of one
        ],
        lambda shape, element, channels, pe, simd: (
            copies(shape, element, channels, seed=1).rtl(Folding(pe, simd)).parameters
        ),
    ),
)
def test_rtl(shape, element, channels, pe, simd, tmp_path):
    prove(copies(shape, element, channels, seed=1), Folding(pe, simd), tmp_path)


def test_reference_copies_channels():
    kernel = CopyChannels(TensorType((1, 2, 3), Element(0, 9)), np.array([2, 0, 0, 1]))
    (copied,) = kernel.reference(np.array([[[[3, 4, 5], [6, 7, 8]]]]))
    assert copied[0].tolist() == [[[5, 3, 3, 4], [8, 6, 6, 7]]]


def test_cycles_are_those_of_the_side_with_more_beats():
    kernel = copies((2, 3, 8), BIPOLAR, 16)
    assert kernel.cycles(Folding(1, 1)) == 2 * 3 * 16
    assert kernel.cycles(Folding(4, 1)) == 2 * 3 * 8
    assert kernel.cycles(Folding(4, 4)) == 2 * 3 * 4


def test_copies_are_cheaper_than_the_filters_that_they_replace():
    """A layer of WRN-22's last stage at half its filters, at the same rate."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (64, 576)).astype(np.int8)
    classes = (0, *[1] * 5, 2)

    def unit(filters):
        offsets = rng.integers(-64, 65, (9, filters))
        return Mvu((7, 7), BIPOLAR, weights[:filters], None, offsets, classes, classes)

    whole = unit(64).resources(Folding(1, 24))
    half = unit(32).resources(Folding(1, 12)) + copies((7, 7, 32), signed(8), 64).resources(
        Folding(1, 1)
    )
    assert unit(32).cycles(Folding(1, 12)) == unit(64).cycles(Folding(1, 24))
    assert half.lut < whole.lut
    assert half.block_bits == whole.block_bits / 2


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([0, 3], "indices from 0 to 3 are not all among 3 channels"),
        ([-1, 0], "indices from -1 to 0 are not all among 3 channels"),
        ([[0, 1]], r"an index has one dimension, not the shape \(1, 2\)"),
        ([], r"an index has one dimension, not the shape \(0,\)"),
    ],
)
def test_what_names_no_channel_is_refused(index, message):
    with pytest.raises(ValueError, match=message):
        CopyChannels(TensorType((1, 1, 3), BIPOLAR), np.array(index, np.int64))
